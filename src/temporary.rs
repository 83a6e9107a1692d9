//! Files that are being written beside their place, and what a killed process left of them.
//!
//! The name of each says what it is for and proves that this program gave it; a lock says that a process
//! still writes to it. So what a killed process left is told from somebody else's file, and from one that
//! is in use.

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
/// Hexadecimal digits: random ones, then those of the proof.
const RANDOM: usize = 12;
const PROOF: usize = 12;
/// The longest part of a target's name: file systems take 255 bytes for all of it.
const LONGEST: usize = 200;
const ATTEMPTS: usize = 8;

/// Makes a file beside the one that `target` names, to be given its place; it is removed when it is
/// dropped.
///
/// # Errors
/// It cannot be made.
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

/// A name for a file that will be `target`'s.
pub fn name(target: &str) -> String {
    let random = RandomState::new().hash_one(std::process::id());
    let random = &format!("{random:016x}")[..RANDOM];
    let target = short(target);
    format!(".{target}{SIGN}{random}{}{ENDING}", proof(target, random))
}

/// Locks a file that was just made. `false`: somebody took it for a dead process's meanwhile.
fn is_ours(file: &File, path: &Path) -> bool {
    // Not every file system has locks.
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && is_named(file, path)
}

/// Removes from `folder` what killed processes left of the files that `is_target` names. What cannot be
/// removed stays: it takes room, and does no other harm.
pub fn sweep(folder: &Path, is_target: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let target = name.to_str().and_then(target);
        if target.is_some_and(&is_target) {
            remove_if_dead(&entry.path());
        }
    }
}

/// Whether `target`, as a name of a temporary file has it, is the one that is called `name`.
pub fn is_for(target: &str, name: &str) -> bool {
    target == short(name)
}

/// The target of a temporary file of this program, by its name; `None` where it is not one.
pub fn target(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('.')?.strip_suffix(ENDING)?;
    let (target, sign) = rest.split_at_checked(rest.len().checked_sub(RANDOM + PROOF)?)?;
    let (random, proven) = sign.split_at_checked(RANDOM)?;
    let target = target.strip_suffix(SIGN)?;
    (proof(target, random) == proven).then_some(target)
}

/// Removes the file at `path`, unless a process holds its lock, or locks cannot tell.
fn remove_if_dead(path: &Path) {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return };
    let is_file = file.metadata().is_ok_and(|file| file.is_file());
    if is_file && file.try_lock().is_ok() && is_named(&file, path) {
        let _ = fs::remove_file(path);
    }
}

/// Whether `path` leads to `file`.
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
