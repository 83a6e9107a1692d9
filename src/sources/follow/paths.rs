//! The paths of files.

use std::{
    ffi::OsString,
    path::{self, Path, PathBuf},
};

/// An absolute path, so that a restart in another directory finds it.
pub(super) fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Returns the folder and the name of a path.
pub(super) fn place(path: &Path) -> (PathBuf, OsString) {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    (folder, path.file_name().unwrap_or_default().to_os_string())
}
