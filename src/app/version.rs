//! `tamis -V`

use anyhow::Result;

use super::packs;
use crate::engine::{Plan, Settings};

/// Name and version, the instruction set in use, and what the packs that ship amount to.
pub(crate) fn version() -> Result<String> {
    let shipped = packs::load(None, &[])?;
    let names: Vec<_> = shipped.iter().map(|p| format!("{}@{}", p.pack, p.version)).collect();
    let simd = Plan::compile(Settings::default())?.simd();
    let (version, names, digest) = (env!("CARGO_PKG_VERSION"), names.join(" "), packs::digest());
    Ok(format!("tamis {version} (simd {simd}; packs {names}, digest {digest})\n"))
}
