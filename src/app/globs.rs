//! Expands globs that the shell did not expand, such as `'logs/*.ndjson'`.
//!
//! A pattern is matched component by component, as a shell does: `*` does not match `/` or hidden
//! names, and `**` matches any number of folders.

use std::{
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use rustix::io::Errno;

/// A path with wildcards.
pub(crate) struct Pattern {
    /// The folder before the first wildcard, or empty for the working directory.
    pub(crate) fixed: PathBuf,
    parts: Vec<Part>,
}

enum Part {
    Name(OsString),
    Like {
        matcher: Box<GlobMatcher>,
        hidden: bool,
    },
    /// `**`
    Folders,
}

/// The result of expanding a pattern.
#[derive(Default)]
pub(crate) struct Met {
    /// Matching files and folders, sorted.
    pub(crate) paths: Vec<PathBuf>,
    /// Folders that could not be read.
    pub(crate) failed: Vec<(PathBuf, io::Error)>,
}

impl Pattern {
    /// Returns `None` if `text` has no wildcard.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, globset::Error> {
        if !text.contains(['*', '?', '[', '{']) {
            return Ok(None);
        }
        let (mut fixed, mut parts) = (PathBuf::new(), Vec::new());
        if text.starts_with('/') {
            fixed.push("/");
        }
        for name in text.split('/').filter(|name| !name.is_empty()) {
            match part(name)? {
                Part::Name(name) if parts.is_empty() => fixed.push(name),
                part => parts.push(part),
            }
        }
        if let Some(Part::Folders) = parts.last() {
            parts.push(part("*")?);
        }
        Ok(Some(Self { fixed, parts }))
    }

    /// Returns the existing paths that match.
    pub(crate) fn meet(&self) -> Met {
        let mut met = Met::default();
        expand(&self.fixed, &self.parts, &mut met);
        met.paths.sort();
        met.paths.dedup();
        met
    }

    /// Returns whether a file at `path`, relative to the fixed folder, would match.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        let names: Vec<_> = path.components().map(Component::as_os_str).collect();
        matches(&self.parts, &names)
    }
}

fn part(name: &str) -> Result<Part, globset::Error> {
    if name == "**" {
        return Ok(Part::Folders);
    }
    if !name.contains(['*', '?', '[', '{']) {
        return Ok(Part::Name(name.into()));
    }
    let glob = GlobBuilder::new(name).literal_separator(true).build()?;
    let matcher = Box::new(glob.compile_matcher());
    Ok(Part::Like { matcher, hidden: name.starts_with('.') })
}

impl Part {
    fn takes(&self, name: &std::ffi::OsStr) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Like { matcher, hidden } => {
                (*hidden || !is_hidden(name)) && matcher.is_match(name)
            }
            Self::Folders => !is_hidden(name),
        }
    }
}

/// Returns whether listings skip this name.
pub(crate) fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn matches(parts: &[Part], names: &[&std::ffi::OsStr]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Part::Folders, rest)), first) => {
            matches(rest, names)
                || first.is_some_and(|(name, others)| !is_hidden(name) && matches(parts, others))
        }
        (Some((part, rest)), Some((name, others))) => part.takes(name) && matches(rest, others),
        _ => false,
    }
}

fn expand(folder: &Path, parts: &[Part], met: &mut Met) {
    let Some((part, rest)) = parts.split_first() else {
        match folder.try_exists() {
            Ok(true) => met.paths.push(folder.to_path_buf()),
            Ok(false) => {}
            Err(error) => met.failed(folder, error),
        }
        return;
    };
    match part {
        Part::Name(name) => return expand(&folder.join(name), rest, met),
        Part::Folders => expand(folder, rest, met),
        Part::Like { .. } => {}
    }
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match fs::read_dir(here) {
        Ok(entries) => entries,
        Err(error) => return met.failed(folder, error),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return met.failed(folder, error),
        };
        if !part.takes(&entry.file_name()) {
            continue;
        }
        let path = folder.join(entry.file_name());
        match part {
            // `**` does not follow links, so it always ends.
            Part::Folders => match entry.file_type() {
                Ok(kind) if kind.is_dir() => expand(&path, parts, met),
                Ok(_) => {}
                Err(error) => met.failed(&path, error),
            },
            _ => expand(&path, rest, met),
        }
    }
}

impl Met {
    /// Records a folder that could not be read. A path that is not a folder, does not exist or is a
    /// loop of links cannot contain a match.
    fn failed(&mut self, folder: &Path, error: io::Error) {
        let nothing = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];
        if !Errno::from_io_error(&error).is_some_and(|error| nothing.contains(&error)) {
            self.failed.push((folder.to_path_buf(), error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_into_is_told_and_what_is_not_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("circle", dir.path().join("circle")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        let meet = |pattern: &str| {
            let pattern = dir.path().join(pattern);
            Pattern::parse(pattern.to_str().unwrap()).unwrap().unwrap().meet()
        };
        for pattern in ["*/x", "*/*", "none/*", "file/*", "**/x*"] {
            let met = meet(pattern);
            assert!(met.paths.is_empty() && met.failed.is_empty(), "{pattern}");
        }
        // Root has all permissions, so this uses a name that every system call rejects.
        let met = meet(&format!("*/{}/*", "x".repeat(300)));
        assert_eq!(met.failed.len(), 0, "what is no folder has nothing in it");
        fs::create_dir(dir.path().join("folder")).unwrap();
        let met = meet(&format!("*/{}/*", "x".repeat(300)));
        assert_eq!(met.failed.len(), 1, "a name that is too long");
    }

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, path, wanted) in [
            ("*.log", "a.log", true),
            ("*.log", ".a.log", false),
            (".*.log", ".a.log", true),
            ("*.log", "b/a.log", false),
            ("*/a.log", "b/a.log", true),
            ("**/a.log", "a.log", true),
            ("**/a.log", "b/c/a.log", true),
            ("**/a.log", "b/.c/a.log", false),
            ("**", "b/a.log", true),
            ("?.{log,ndjson}", "a.ndjson", true),
            ("[ab].log", "c.log", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap().unwrap();
            assert_eq!(parsed.matches(Path::new(path)), wanted, "{pattern} {path}");
        }
        assert!(Pattern::parse("plain/a.log").unwrap().is_none());
        assert!(Pattern::parse("[a").is_err());
        let parsed = Pattern::parse("/var/log/*/x").unwrap().unwrap();
        assert_eq!(parsed.fixed, Path::new("/var/log"));
    }
}
