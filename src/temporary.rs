//! Temporary files next to their targets, and those that killed processes left.
//!
//! The name of each contains its target and proves that this program created it, and a lock shows
//! that a process still writes to it. So a file that a killed process left is distinguished from
//! files of others, and from files in use.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use tempfile::{NamedTempFile, TempPath};

const SIGN: &str = ".tamis-";
const ENDING: &str = ".tmp";
/// The number of hexadecimal digits: random ones, then those of the proof.
const RANDOM: usize = 12;
const PROOF: usize = 12;
/// The maximum length of the target's part of the name, because file systems allow 255 bytes in
/// total.
const LONGEST: usize = 200;
const ATTEMPTS: usize = 8;

/// Creates a temporary file for `target`, which is removed when it is dropped, unless it is
/// persisted.
///
/// # Errors
/// The file cannot be created.
pub fn create(folder: &Path, target: &str, mode: u32) -> io::Result<NamedTempFile> {
    for _ in 0..ATTEMPTS {
        let path = folder.join(name(target));
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            file => file?,
        };
        let path = TempPath::try_from_path(path)?;
        if is_ours(&file, &path) {
            return Ok(NamedTempFile::from_parts(file, path));
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Returns the name of a temporary file for `target`.
pub fn name(target: &str) -> String {
    let random = RandomState::new().hash_one(std::process::id());
    let random = &format!("{random:016x}")[..RANDOM];
    let target = short(target);
    format!(".{target}{SIGN}{random}{}{ENDING}", proof(target, random))
}

/// Locks a new file. Returns `false` if another process removed it meanwhile as a dead process's
/// file.
fn is_ours(file: &File, path: &Path) -> bool {
    // Not every file system supports locks.
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && is_named(file, path)
}

/// Removes the temporary files that killed processes left in `folder` for targets for which
/// `is_target` returns true. If one cannot be removed, it only takes space.
pub fn sweep(folder: &Path, is_target: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let target = name.to_str().and_then(target);
        if target.is_some_and(&is_target) {
            remove_if_dead(&entry.path());
        }
    }
}

/// Returns whether `target`, from the name of a temporary file, is for the file `name`.
pub fn is_for(target: &str, name: &str) -> bool {
    target == short(name)
}

/// Returns the target of a temporary file of this program, or `None` for any other name.
pub fn target(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('.')?.strip_suffix(ENDING)?;
    let (target, sign) = rest.split_at_checked(rest.len().checked_sub(RANDOM + PROOF)?)?;
    let (random, proven) = sign.split_at_checked(RANDOM)?;
    let target = target.strip_suffix(SIGN)?;
    (proof(target, random) == proven).then_some(target)
}

/// Removes the file at `path`, unless a process holds its lock, or locks are not supported.
fn remove_if_dead(path: &Path) {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return };
    let is_file = file.metadata().is_ok_and(|file| file.is_file());
    if is_file && file.try_lock().is_ok() && is_named(&file, path) {
        let _ = fs::remove_file(path);
    }
}

/// Returns whether `path` leads to `file`.
fn is_named(file: &File, path: &Path) -> bool {
    let named = fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()));
    let own = file.metadata().map(|file| (file.dev(), file.ino()));
    named.is_ok_and(|named| own.is_ok_and(|own| own == named))
}

fn proof(target: &str, random: &str) -> String {
    let digest = Sha256::digest(format!("a temporary file of tamis: {target}: {random}"));
    digest[..PROOF / 2].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(target: &str) -> &str {
    let mut end = target.len().min(LONGEST);
    while !target.is_char_boundary(end) {
        end -= 1;
    }
    &target[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_a_dead_process_left_of_the_target_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dead = name("out.ndjson");
        let flipped = dead.replacen("out", "oux", 1);
        let others = [
            ".out.ndjson.AbCd12.tmp".to_owned(),
            ".out.ndjson.tamis-0123456789ab0123456789ab.tmp".to_owned(),
            "out.ndjson".to_owned(),
            name("another"),
            flipped,
        ];
        for name in others.iter().chain([&dead]) {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let living = create(dir.path(), "out.ndjson", 0o600).unwrap();
        sweep(dir.path(), |target| is_for(target, "out.ndjson"));
        let mut wanted: Vec<_> = others.into();
        wanted.push(living.path().file_name().unwrap().to_str().unwrap().to_owned());
        wanted.sort();
        assert_eq!(names(dir.path()), wanted);
        drop(living);
        assert_eq!(names(dir.path()).len(), wanted.len() - 1);
    }

    #[test]
    fn long_names_fit_and_are_known_again() {
        let long = "\u{fc}".repeat(127);
        let name = name(&long);
        assert!(name.len() <= 255 && is_for(target(&name).unwrap(), &long), "{name}");
    }
}
