//! The plan that both targets run: every pack in the repository, no schema.

use std::sync::Arc;

use tamis::engine::detect::Pack;
use tamis::engine::{Plan, Settings};

pub fn plan() -> Arc<Plan> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../patterns");
    let mut packs = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()) {
        let text = std::fs::read_to_string(&path).expect("a readable pack");
        packs.push(Pack::parse(&path.display().to_string(), &text).expect("a sound pack"));
    }
    let settings = Settings { packs, bodies: true, ..Settings::default() };
    Arc::new(Plan::compile(settings).expect("a sound plan"))
}
