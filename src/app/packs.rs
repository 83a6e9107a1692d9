//! Built-in packs, and packs of the user.

mod check;
mod faults;
mod versions;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{exit::Trouble, visible};

use crate::{config::nearest::meant, engine::detect::Pack};

/// The built-in packs: file name and text. This is the only list. When a pack gets a new version,
/// the old one stays, as `older/core@1.toml`, for users who have pinned it.
const EMBEDDED: &[(&str, &str)] = &[
    ("core.toml", include_str!("../../patterns/core.toml")),
    ("secrets.toml", include_str!("../../patterns/secrets.toml")),
];

/// Returns a short digest of the built-in packs (FNV-1a). Two builds that detect the same have the
/// same digest.
pub(crate) fn digest() -> String {
    let bytes = EMBEDDED.iter().flat_map(|(_, text)| text.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Loads the built-in packs, or only the pinned ones, and then the packs at `paths` in order. The
/// user's packs are checked completely; the error has one line per problem.
pub(crate) fn load(pinned: Option<&[String]>, paths: &[PathBuf]) -> Result<Vec<Pack>> {
    let mut packs = shipped()?;
    match pinned {
        Some(pins) => packs.retain(|pack| pins.contains(&versions::name(pack))),
        None => packs = versions::newest(&packs).into_iter().cloned().collect(),
    }
    let shipped = packs.len();
    let (mut own, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match texts(path) {
            Err(error) => errors.push(Trouble::from(error).to_string()),
            Ok(texts) => own.extend(texts),
        }
    }
    // Packs that cannot be parsed are reported; the others are checked.
    own.retain(|(file, text)| match check::parse(file, text) {
        Err(faults) => {
            errors.extend(faults);
            false
        }
        Ok(pack) => {
            packs.push(pack);
            true
        }
    });
    for (i, (file, text)) in own.iter().enumerate() {
        errors.extend(check::pack(file, text, shipped + i, &packs));
    }
    if errors.is_empty() { Ok(packs) } else { Err(anyhow!(errors.join("\n"))) }
}

/// Returns the names and texts of the packs in a file or a folder.
fn texts(path: &Path) -> Result<Vec<(String, String)>> {
    let read = |file: PathBuf| {
        let name = visible::name(&file);
        let text = fs::read_to_string(&file).with_context(|| format!("pack {name}"))?;
        Ok((name, text))
    };
    files(path)?.into_iter().map(read).collect()
}

pub(crate) fn shipped() -> Result<Vec<Pack>> {
    EMBEDDED.iter().map(|(file, text)| Ok(Pack::parse(file, text)?)).collect()
}

/// Returns the newest built-in packs, as a configuration pins them.
pub(crate) fn newest() -> Vec<String> {
    let all = shipped().unwrap_or_default();
    versions::newest(&all).into_iter().map(versions::name).collect()
}

/// Interprets an entry of `patterns` in a configuration: the pin of one of the built-in packs
/// (`shipped`), or `None` for a path. The error contains the fix.
pub(crate) fn pin(
    shipped: &[Pack],
    entry: &str,
    so_far: &[String],
) -> Result<Option<String>, String> {
    let pin = versions::pin(shipped, entry)?;
    let pack = |pin: &str| pin.split('@').next().map(str::to_owned);
    match so_far.iter().find(|other| pin.as_ref().is_some_and(|pin| pack(pin) == pack(other))) {
        Some(other) if Some(other) != pin.as_ref() => {
            Err(format!("{other} and {entry} are versions of the same pack: pin only one"))
        }
        _ => Ok(pin),
    }
}

/// Describes what the newest packs would change for a user who pins `pinned`, one line per pack.
pub(crate) fn news(pinned: &[String]) -> Vec<String> {
    versions::news(&shipped().unwrap_or_default(), pinned)
}

/// Reports the names in a list that match no detector, category or pack; `option` returns the
/// location of an item.
pub(crate) fn unknown(
    packs: &[Pack],
    names: &[String],
    option: impl Fn(usize) -> String,
) -> Vec<String> {
    let unknown = names.iter().enumerate().filter(|(_, name)| !knows(packs, name));
    let line = |(i, name): (usize, &String)| {
        let fix = fix(packs, name);
        format!("{}: no detector, category or pack `{name}`: {fix}", option(i))
    };
    unknown.map(line).collect()
}

/// Returns whether a detector, a category or a pack has this name.
pub(crate) fn knows(packs: &[Pack], name: &str) -> bool {
    names_of(packs).any(|known| known == name)
}

/// Returns the fix for an unknown name.
pub(crate) fn fix(packs: &[Pack], name: &str) -> String {
    meant(name, names_of(packs), || "`tamis patterns list` shows them all".into())
}

fn names_of(packs: &[Pack]) -> impl Iterator<Item = &str> {
    packs.iter().flat_map(|pack| {
        let detectors = pack.detectors.iter().flat_map(|d| [d.id.as_str(), d.category.as_str()]);
        std::iter::once(pack.pack.as_str()).chain(detectors)
    })
}

/// Returns a file, or the `.toml` files of a directory, sorted by name.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let whose = || format!("pack {}", visible::name(path));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_packs_parse() {
        load(None, &[]).unwrap();
    }
}
