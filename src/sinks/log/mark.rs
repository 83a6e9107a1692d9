//! A mark on a file that is being written. After a kill, it proves whether the incomplete line at
//! the end of the file is this program's own.
//!
//! A kill can cut a write only at the end of a page of the file. So a write that crosses such
//! positions is announced, with a digest of the bytes before each of them. If the file ends at one
//! of them, with these bytes, the write was cut there, and nothing was added since.
//!
//! The mark is an extended attribute, so it stays with the file when that is renamed. It is removed
//! when the file is closed normally. If the file system has no extended attributes, nothing is
//! proven.

use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
};

#[cfg(any(target_os = "linux", target_os = "macos"))]
const NAME: &str = "user.tamis.writing";
/// The size of a page divides all larger page sizes.
const PAGE: u64 = 4096;
/// How many bytes are announced and written at a time.
const PIECE: usize = 64 << 10;
/// How many bytes before a position are in its digest.
const TAIL: usize = 64;
/// The length of the offsets: of the lines, of the piece, and of its end.
const PLACE: usize = 24;
/// The maximum length of a mark, with four bytes for each position where the write can end.
const LONGEST: usize = PLACE + 4 * (PIECE / PAGE as usize + 3);

/// Appends complete lines to a file of `from` bytes. If this fails, some of them may have been
/// written.
pub(super) fn append(mut file: &File, from: u64, lines: &[u8]) -> io::Result<()> {
    for piece in pieces(lines.len()) {
        announce(file, from, lines, piece.clone());
        file.write_all(&lines[piece])?;
    }
    Ok(())
}

/// Returns the ranges that are written at a time.
pub(super) fn pieces(len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..len).step_by(PIECE).map(move |start| start..len.min(start + PIECE))
}

/// Announces that this piece of `lines`, which begin at `base`, is about to be written, with the
/// positions where a kill could cut it.
pub(super) fn announce(file: &File, base: u64, lines: &[u8], piece: std::ops::Range<usize>) {
    let (from, to) = (base + piece.start as u64, base + piece.end as u64);
    if piece.start == 0 && from / PAGE == to.saturating_sub(1) / PAGE {
        return;
    }
    let mut value = [base, from, to].map(u64::to_le_bytes).concat();
    for end in ends(base, from, to) {
        value.extend(digest(&lines[..(end - base) as usize]).to_le_bytes());
    }
    // Without the mark, an incomplete line is kept, which is safe.
    let _ = write(file, &value);
}

/// Returns where a write from `from` to `to` can end, for lines that begin at `base`. A later piece
/// may not have been written at all.
fn ends(base: u64, from: u64, to: u64) -> impl Iterator<Item = u64> {
    let pages = (from / PAGE + 1..to.div_ceil(PAGE)).map(|page| page * PAGE);
    (from > base).then_some(from).into_iter().chain(pages).chain([to])
}

/// Returns a digest (FNV-1a) of the last bytes.
fn digest(bytes: &[u8]) -> u32 {
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    tail.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Returns whether the incomplete line from `start` to the end of the file, at `len`, is this
/// program's own.
pub(super) fn is_own(file: &File, start: u64, len: u64) -> bool {
    let Some((base, known)) = announced(file, len) else { return false };
    let size = len.saturating_sub(base).min(TAIL as u64);
    let mut tail = vec![0; size as usize];
    base <= start && file.read_exact_at(&mut tail, len - size).is_ok() && digest(&tail) == known
}

/// Returns the offset of the lines whose write may have ended at `len`, and the digest that this
/// would have left.
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

/// Removes the mark, because the file ends with a complete line.
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

/// Removes the mark, because the file ends with a complete line.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn clear(_: &File) {}
