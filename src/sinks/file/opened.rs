//! Properties of an open file.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

/// Returns whether the open file is still the one that has the name.
pub(in crate::sinks) fn leads_to(path: &Path, file: &File) -> bool {
    let identity = |file: &fs::Metadata| (file.dev(), file.ino());
    let named = fs::metadata(path).ok().as_ref().map(identity);
    named.is_some() && named == file.metadata().ok().as_ref().map(identity)
}

/// Ignores the error that a pipe or a device cannot be synced.
pub(in crate::sinks) fn or_nothing_to_sync(synced: io::Result<()>) -> io::Result<()> {
    match synced {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// Returns whether the last line of a regular file is incomplete.
pub fn ends_inside_a_line(file: &File) -> io::Result<bool> {
    let Some(end) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut last = [0];
    file.read_exact_at(&mut last, end)?;
    Ok(last != *b"\n")
}
