//! `tamis pseudonym`: prints the pseudonym of a value, to find a person's events.

use std::{
    io::{self, Read as _},
    os::unix::ffi::OsStringExt as _,
};

use anyhow::{Result, anyhow, bail};

use super::{
    config::{load, named},
    exit::Trouble,
    inputs,
};
use crate::{
    cli::pseudonym::PseudonymArgs,
    config::{
        keys::{KeyEntry, RingEntry},
        nearest::meant,
    },
    descriptors,
};

/// The maximum length of a value; no event is longer.
const LONGEST: u64 = 1 << 30;

/// Returns the pseudonyms of the value, one per line.
pub(crate) fn run(args: PseudonymArgs) -> Result<String, Trouble> {
    let Some(path) = named(args.config.as_deref()) else {
        let what =
            "no configuration file was given: name the one that has [keys.NAME] with --config FILE";
        return Err(anyhow!(what).into());
    };
    let rings = load(&path)?.config.policy.keys;
    let ring = ring(&rings, args.key.as_deref(), &path.display().to_string())?;
    let value =
        if args.value == "-" { piped().map_err(Trouble::Failed)? } else { args.value.into_vec() };
    let keys = std::iter::once(&ring.active).chain(&ring.previous);
    Ok(keys.map(|KeyEntry { key, .. }| key.pseudonym(&value) + "\n").collect())
}

/// Returns the keys that `--key` names, or the only ones.
fn ring<'a>(rings: &'a [RingEntry], name: Option<&str>, file: &str) -> Result<&'a RingEntry> {
    let all: Vec<_> = rings.iter().map(|ring| ring.name.as_str()).collect();
    match (name, rings) {
        (_, []) => bail!("{file} has no keys: add [keys.NAME] with `active`"),
        (None, [ring]) => Ok(ring),
        (None, _) => {
            bail!("{file} has several keys: choose one with --key {}", all.join(" or --key "))
        }
        (Some(name), _) => rings.iter().find(|ring| ring.name == name).ok_or_else(|| {
            let fix = meant(name, all.iter().copied(), || format!("it has {}", all.join(", ")));
            anyhow!("--key {name}: {file} has no [keys.{name}]: {fix}")
        }),
    }
}

/// Reads standard input, without the last line end.
fn piped() -> Result<Vec<u8>> {
    if descriptors::stdin_was_closed() {
        bail!("standard input: {}", inputs::CLOSED);
    }
    let mut value = Vec::new();
    let read = io::stdin().lock().take(LONGEST).read_to_end(&mut value);
    read.map_err(|error| anyhow::Error::new(error).context("standard input"))?;
    for end in [b'\n', b'\r'] {
        value.pop_if(|last| *last == end);
    }
    Ok(value)
}
