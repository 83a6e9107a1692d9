//! The mark on a file that is written to: what is about to be added. It proves, after a kill, which half
//! line at the end is this program's own.
//!
//! A kill cuts a write short where a page of the file ends, and nowhere else. So a write that crosses such
//! places is announced: with each of them goes a digest of the bytes before it. If the file ends at one of
//! them, with these bytes, that is where the write ended, and nobody added anything since.
//!
//! It is an extended attribute, so it stays with the file whatever its name is, and goes when the file is
//! closed in order. Where the file system has none, nothing is proven.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
};

#[cfg(any(target_os = "linux", target_os = "macos"))]
const NAME: &str = "user.tamis.writing";
/// Pages are multiples of this.
const PAGE: u64 = 4096;
/// So much is announced and written at a time.
const PIECE: usize = 64 << 10;
/// So many bytes before the end of a page are told by their digest.
const TAIL: usize = 64;
/// Where the lines begin, and the piece of them, and where that ends.
const PLACE: usize = 24;
/// The longest mark, with four bytes for each place where the write can end.
const LONGEST: usize = PLACE + 4 * (PIECE / PAGE as usize + 3);

/// Adds whole lines to a file that has `from` bytes. Some of them may be there when this fails.
pub(super) fn append(mut file: &File, from: u64, lines: &[u8]) -> io::Result<()> {
    for piece in pieces(lines.len()) {
        announce(file, from, lines, piece.clone());
        file.write_all(&lines[piece])?;
    }
    Ok(())
}

/// What is written at a time.
pub(super) fn pieces(len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..len).step_by(PIECE).map(move |start| start..len.min(start + PIECE))
}

/// Notes that this piece of `lines` is about to be added, which begin at `base`, where a kill could cut it
/// short.
pub(super) fn announce(file: &File, base: u64, lines: &[u8], piece: std::ops::Range<usize>) {
    let (from, to) = (base + piece.start as u64, base + piece.end as u64);
    if piece.start == 0 && from / PAGE == to.saturating_sub(1) / PAGE {
        return;
    }
    let mut value = [base, from, to].map(u64::to_le_bytes).concat();
    for end in ends(base, from, to) {
        value.extend(digest(&lines[..(end - base) as usize]).to_le_bytes());
    }
    // Without the note a half line stays, which is the safe side.
    let _ = write(file, &value);
}

/// Where a write from `from` to `to` can end, of lines that begin at `base`. Of a later piece nothing may
/// have been written yet.
fn ends(base: u64, from: u64, to: u64) -> impl Iterator<Item = u64> {
    let pages = (from / PAGE + 1..to.div_ceil(PAGE)).map(|page| page * PAGE);
    (from > base).then_some(from).into_iter().chain(pages).chain([to])
}

/// Of the last bytes (FNV-1a).
fn digest(bytes: &[u8]) -> u32 {
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    tail.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Whether the half line from `start` to the file's end, at `len`, is all this program's own.
pub(super) fn is_own(file: &File, start: u64, len: u64) -> bool {
    let Some((base, known)) = announced(file, len) else { return false };
    let size = len.saturating_sub(base).min(TAIL as u64);
    let mut tail = vec![0; size as usize];
    base <= start && file.read_exact_at(&mut tail, len - size).is_ok() && digest(&tail) == known
}

/// Where the lines began whose write may have ended at `len`, and the digest of what that would have left.
fn announced(file: &File, len: u64) -> Option<(u64, u32)> {
    let mut value = [0; LONGEST];
    let filled = read(file, &mut value)?;
    let (place, digests) = value.get(..filled)?.split_at_checked(PLACE)?;
    let number = |at: usize| place.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let (base, from, to) = (number(0)?, number(8)?, number(16)?);
    let at = ends(base, from, to).position(|end| end == len)?;
    let digest = digests.get(4 * at..4 * at + 4)?;
    Some((base, u32::from_le_bytes(digest.try_into().ok()?)))
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn write(file: &File, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(file, NAME, value, rustix::fs::XattrFlags::empty())?)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn read(file: &File, value: &mut [u8]) -> Option<usize> {
    rustix::fs::fgetxattr(file, NAME, value).ok()
}

/// The file ends with a whole line.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn clear(file: &File) {
    let _ = rustix::fs::fremovexattr(file, NAME);
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn write(_: &File, _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn read(_: &File, _: &mut [u8]) -> Option<usize> {
    None
}

/// The file ends with a whole line.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn clear(_: &File) {}
