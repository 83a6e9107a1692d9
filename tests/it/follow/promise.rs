//! What must hold after every run: what a checkpoint promised, and that nothing leaked.

use std::{collections::HashMap, fs, os::unix::fs::MetadataExt as _};

use sha2::{Digest as _, Sha256};

use super::agent::{Yard, ids};

/// The ids that the checkpoints promise not to give again.
pub(crate) fn acknowledged(yard: &Yard) -> Vec<u64> {
    let nodes: HashMap<u64, _> = fs::read_dir(yard.path("logs"))
        .unwrap()
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.ino(), entry.path())))
        .filter(|(_, path)| path.extension().is_none_or(|extension| extension != "gz"))
        .collect();
    let mut all = Vec::new();
    for kept in yard.checkpoints() {
        let Some(text) = nodes.get(&kept.inode).and_then(|path| fs::read(path).ok()) else {
            continue;
        };
        // An inode is given again; what it was known by is not.
        let (bytes, digest) = &kept.start;
        let start = text.get(..*bytes).map(Sha256::digest).unwrap_or_default();
        let start: String = start[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        if start == *digest {
            let end = text.len().min(kept.offset as usize);
            all.extend(ids(&String::from_utf8_lossy(&text[..end])));
        }
    }
    all
}

/// No canary in anything that the program wrote.
pub(crate) fn nothing_leaked(yard: &Yard) {
    for name in ["clean", "dead", "out", "err", "data/checkpoints.json"] {
        assert!(!yard.read(name).contains("canary"), "a canary in {name}");
    }
}
