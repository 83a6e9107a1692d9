//! The names of rotated files: `clean.ndjson.2026-11-28T02-00-00Z`, `….1` if that exists, and
//! `….gz` or `….zst` when it is compressed.

use std::{cmp::Reverse, io};

use jiff::Timestamp;

use super::folder::Folder;
use crate::compression::Format;

/// The length of the time in a name.
const STAMP: usize = "2026-11-28T02-00-00Z".len();

/// The part of a rotated file's name that follows the name of the active file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    stamp: String,
    /// 0 for the first with this time.
    number: u32,
    /// The extension of a compressed file.
    ending: Option<&'static str>,
}

/// Returns the extension of a compressed file.
pub(super) fn ending(format: Format) -> &'static str {
    match format {
        Format::Zstd => "zst",
        _ => "gz",
    }
}

impl Rotated {
    /// Parses `name` as a rotated file of `base`. Any other name is not ours.
    pub(super) fn parse(base: &str, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(base)?.strip_prefix('.')?;
        let (stamp, mut rest) = rest.split_at_checked(STAMP)?;
        let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
        if stamp.chars().map(digits).collect::<String>() != "0000-00-00T00-00-00Z" {
            return None;
        }
        let mut end = None;
        for known in ["gz", "zst"] {
            if let Some(plain) = rest.strip_suffix(known).and_then(|r| r.strip_suffix('.')) {
                (rest, end) = (plain, Some(known));
            }
        }
        let number = match rest.strip_prefix('.') {
            None if rest.is_empty() => 0,
            None => return None,
            Some(digits) if digits.starts_with(['0', '+']) => return None,
            Some(digits) => digits.parse().ok()?,
        };
        Some(Self { stamp: stamp.to_owned(), number, ending: end })
    }

    pub(super) fn name(&self, base: &str) -> String {
        let mut name = format!("{base}.{}", self.stamp);
        if self.number > 0 {
            name.push_str(&format!(".{}", self.number));
        }
        if let Some(ending) = self.ending {
            name.push_str(&format!(".{ending}"));
        }
        name
    }

    pub(super) fn is_plain(&self) -> bool {
        self.ending.is_none()
    }

    /// Returns all rotated files of `base`, the newest first.
    pub(super) fn all(folder: &Folder, base: &str) -> io::Result<Vec<Self>> {
        let names = folder.names()?;
        let mut all: Vec<_> = names.iter().filter_map(|name| Self::parse(base, name)).collect();
        all.sort_by_key(|rotated| Reverse((rotated.stamp.clone(), rotated.number)));
        Ok(all)
    }

    /// Returns whether both are the same file, compressed or not.
    pub(super) fn is_twin(&self, other: &Self) -> bool {
        (&self.stamp, self.number) == (&other.stamp, other.number)
    }

    /// Returns the first free name for a file that is rotated at `now`. It sorts after all existing
    /// ones, even if the clock was set back; otherwise the newest file would be removed as the
    /// oldest.
    pub(super) fn free(folder: &Folder, base: &str, now: Timestamp) -> io::Result<Self> {
        let stamp = now.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        Ok(match Self::all(folder, base)?.into_iter().next() {
            Some(newest) if newest.stamp >= stamp => {
                Self { number: newest.number.saturating_add(1), ending: None, ..newest }
            }
            _ => Self { stamp, number: 0, ending: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_nothing_else_is() {
        for name in [
            "x.2026-11-28T02-00-00Z",
            "x.2026-11-28T02-00-00Z.1",
            "x.2026-11-28T02-00-00Z.12.gz",
            "x.2026-11-28T02-00-00Z.zst",
        ] {
            assert_eq!(Rotated::parse("x", name).unwrap().name("x"), name);
        }
        for name in [
            "x",
            "x.gz",
            "xx.2026-11-28T02-00-00Z",
            "x.2026-11-28T02-00-00Z.01",
            "x.2026-11-28T02-00-00Z.ndjson",
            "x.2026-11-28T02-00-00Z-",
            "x.2026-11-28 02-00-00Z",
            "x.2026-11-28T02-00-00Z.gz.1",
            "x.\u{fc}026-11-28T02-00-00Z",
        ] {
            assert_eq!(Rotated::parse("x", name), None, "{name}");
        }
    }
}
