//! Detects changes of files by comparing their stamps periodically.
//!
//! Symbolic links are followed. So a ConfigMap update in Kubernetes (the link `..data` is changed
//! to another folder) is detected like any other change, on every file system, without a watch that
//! could be lost.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Identifies one state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    node: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            node: (file.dev(), file.ino()),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// The stamps of files, and of the files in folders, at one point in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileStamps {
    paths: Vec<PathBuf>,
    files: Vec<(PathBuf, Option<Stamp>)>,
}

impl FileStamps {
    /// Takes the stamps of `paths` and, for folders, of their entries.
    pub(crate) fn at(paths: Vec<PathBuf>) -> Self {
        let mut all = Vec::new();
        for path in &paths {
            all.push((path.clone(), Stamp::of(path).ok()));
            let inside = fs::read_dir(path).into_iter().flatten().flatten();
            let mut inside: Vec<_> = inside.map(|entry| entry.path()).collect();
            inside.sort();
            all.extend(inside.into_iter().map(|path| {
                let stamp = Stamp::of(&path).ok();
                (path, stamp)
            }));
        }
        Self { paths, files: all }
    }

    /// Takes the stamps of the same paths again.
    pub(crate) fn again(&self) -> Self {
        Self::at(self.paths.clone())
    }

    /// Adds the stamps in `more`.
    pub(crate) fn and(mut self, mut more: Self) -> Self {
        self.paths.append(&mut more.paths);
        self.files.append(&mut more.files);
        self
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_change_behind_links_and_in_folders_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for version in ["..1", "..2"] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("tamis.toml"), "version = 1\n").unwrap();
        }
        symlink("..1", path("..data")).unwrap();
        symlink("..data/tamis.toml", path("tamis.toml")).unwrap();
        fs::create_dir(path("packs")).unwrap();
        let mut before =
            FileStamps::at(vec![path("tamis.toml")]).and(FileStamps::at(vec![path("packs")]));
        assert_eq!(before.again(), before);
        let mut changed = || {
            let now = before.again();
            std::mem::replace(&mut before, now.clone()) != now
        };
        symlink("..2", path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
        assert!(changed() && !changed());
        fs::write(path("packs/mine.toml"), "pack = 'mine'\n").unwrap();
        assert!(changed() && !changed());
        fs::remove_file(path("tamis.toml")).unwrap();
        assert!(changed() && !changed());
    }
}
