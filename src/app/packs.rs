//! The packs that ship, and those of the user.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::engine::detect::Pack;

/// The packs that ship: file name and text. The one list.
const EMBEDDED: &[(&str, &str)] = &[
    ("core.toml", include_str!("../../patterns/core.toml")),
    ("secrets.toml", include_str!("../../patterns/secrets.toml")),
];

/// A short digest of the packs that ship: two builds that detect the same have the same one.
/// FNV-1a; it tells versions apart and proves nothing.
pub(crate) fn digest() -> String {
    let bytes = EMBEDDED.iter().flat_map(|(_, text)| text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The packs that ship, then those at `paths`, in the order given.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Pack>> {
    let mut packs = Vec::new();
    for (file, text) in EMBEDDED {
        packs.push(Pack::parse(file, text)?);
    }
    for path in paths {
        for file in files(path)? {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("--patterns {}", file.display()))?;
            packs.push(Pack::parse(&file.display().to_string(), &text)?);
        }
    }
    unique(&packs)?;
    Ok(packs)
}

/// A file, or the `.toml` files of a directory by name.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let whose = || format!("--patterns {}", path.display());
    if !fs::metadata(path).with_context(whose)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(whose)? {
        let file = entry.with_context(whose)?.path();
        if file.extension().is_some_and(|e| e == "toml") {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("{}: no .toml file in this directory", whose());
    }
    files.sort();
    Ok(files)
}

/// An id is a placeholder and a metric label: it has one meaning.
fn unique(packs: &[Pack]) -> Result<()> {
    let mut seen = std::collections::HashMap::new();
    for pack in packs {
        for detector in &pack.detectors {
            if let Some(other) = seen.insert(&detector.id, &pack.pack) {
                bail!(
                    "detector `{}` stands in pack `{other}` and in pack `{}`: rename one",
                    detector.id,
                    pack.pack
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_packs_parse() {
        load(&[]).unwrap();
    }
}
