//! `tamis -V`

use anyhow::Result;

use super::packs;
use crate::engine::{Plan, Settings};

/// Returns the version as JSON.
pub(crate) fn json() -> String {
    let simd = Plan::compile(Settings::default()).map_or("?", |plan| plan.simd());
    let version = env!("CARGO_PKG_VERSION");
    let digest = packs::digest();
    serde_json::json!({"version": version, "simd": simd, "packs": packs::newest(), "packs_digest": digest})
        .to_string()
}

/// Returns the name and version, the instruction set in use, and the built-in packs with their
/// digest.
pub(crate) fn version() -> Result<String> {
    let shipped = packs::load(None, &[])?;
    let names: Vec<_> = shipped.iter().map(|p| format!("{}@{}", p.pack, p.version)).collect();
    let simd = Plan::compile(Settings::default())?.simd();
    let (version, names, digest) = (env!("CARGO_PKG_VERSION"), names.join(" "), packs::digest());
    Ok(format!("tamis {version} (simd {simd}; packs {names}, digest {digest})\n"))
}
