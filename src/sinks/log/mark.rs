//! The mark on a file that is written to: what it held before. It proves, after a kill, which half line at
//! the end is this program's own.
//!
//! It is an extended attribute, so it stays with the file whatever its name is, and goes when the file is
//! closed in order. Where the file system has none, nothing is proven.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use sha2::{Digest as _, Sha256};

#[cfg(any(target_os = "linux", target_os = "macos"))]
const NAME: &str = "user.tamis.begun";
/// So many bytes before the end are compared.
const EDGE: u64 = 1024;

/// Notes that this program wrote, or found, the file up to byte `len`, and that what follows is its own.
pub(super) fn set(file: &File, len: u64) {
    // Without the note a half line stays, which is the safe side.
    let _ = value(file, len).and_then(|value| write(file, &value));
}

/// Behind which byte all is from a run that did not close the file. `None`: there was no such run, or the
/// file is not what it was then.
pub(super) fn begun(file: &File) -> Option<u64> {
    let mut noted = [0; 64];
    let filled = read(file, &mut noted)?;
    let text = std::str::from_utf8(noted.get(..filled)?).ok()?;
    let len = text.split_once(' ')?.0.parse().ok()?;
    // Nothing says what an empty file became.
    (len > 0 && value(file, len).ok()? == text).then_some(len)
}

/// Its end, and a digest of the bytes before that.
fn value(file: &File, len: u64) -> io::Result<String> {
    let from = len.saturating_sub(EDGE);
    let mut edge = vec![0; (len - from) as usize];
    file.read_exact_at(&mut edge, from)?;
    let digest = Sha256::digest(&edge);
    let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{len} {digest}"))
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn write(file: &File, value: &str) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(file, NAME, value.as_bytes(), rustix::fs::XattrFlags::empty())?)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn read(file: &File, noted: &mut [u8]) -> Option<usize> {
    rustix::fs::fgetxattr(file, NAME, noted).ok()
}

/// The file ends with a whole line.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn clear(file: &File) {
    let _ = rustix::fs::fremovexattr(file, NAME);
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn write(_: &File, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn read(_: &File, _: &mut [u8]) -> Option<usize> {
    None
}

/// The file ends with a whole line.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn clear(_: &File) {}
