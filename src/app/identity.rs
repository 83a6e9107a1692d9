//! Identifies files by path or descriptor, so that no output overwrites an input.

use std::{
    fs,
    os::{fd::AsFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, fstat};

/// Identifies a regular file. Devices and pipes have no identity, because reading and writing the
/// same one is allowed.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// Device and inode.
    Inode(u64, u64),
    /// The path of a file that does not exist yet.
    Path(PathBuf),
}

impl Identity {
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(file) if file.is_file() => Some(Self::Inode(file.dev(), file.ino())),
            Ok(_) => None,
            Err(_) => resolved(path).map(Self::Path),
        }
    }

    #[allow(clippy::unnecessary_cast)] // `st_dev` is no u64 everywhere
    pub(crate) fn of_descriptor(fd: impl AsFd) -> Option<Self> {
        let stat = fstat(fd).ok()?;
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        regular.then_some(Self::Inode(stat.st_dev as u64, stat.st_ino as u64))
    }
}

/// Resolves the path of a file that does not exist yet; its parent folders may be missing, too.
pub(crate) fn resolved(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = fs::canonicalize(parent).ok().or_else(|| resolved(parent))?;
    Some(parent.join(name))
}
