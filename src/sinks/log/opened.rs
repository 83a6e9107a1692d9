//! Opens a file: it must not be an input or in use by another run, and must end with a complete
//! line.

use std::{
    fs::{File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
};

use memchr::memrchr;

use super::{
    active::ATTEMPTS,
    folder::{Folder, Opening, identity},
    mark,
    options::FileOptions,
};
use crate::{
    compression::{Format, Start},
    journal::Event,
};

const PIECE: usize = 64 << 10;

/// Opens and locks a regular file that is not an input.
pub(super) fn locked(
    folder: &Folder,
    name: &str,
    how: Opening,
    options: &FileOptions,
) -> io::Result<File> {
    for _ in 0..ATTEMPTS {
        let file = folder.file(name, how)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if options.avoid.contains(&identity(&file)?) {
            return Err(io::Error::other("it is an input or another output: choose another name"));
        }
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(
                    "another run is writing to it: use a different file for each run",
                ));
            }
            // Not every file system supports locks.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        // It may have been rotated between opening and locking.
        if folder.identity(name) == Some(identity(&file)?) {
            return Ok(file);
        }
    }
    Err(io::Error::other("another run is writing to it: use a different file for each run"))
}

/// Opens the file `name`, or creates it, and ensures that it ends with a complete line. Returns the
/// file and its length.
pub(super) fn begun(folder: &Folder, name: &str, options: &FileOptions) -> io::Result<(File, u64)> {
    let file = locked(folder, name, Opening::Append, options)?;
    let len = ended(&file, &folder.shown(name), options)?;
    Ok((file, len))
}

/// Ensures that a file ends with a complete line, and returns its length. An incomplete line is
/// removed only if the mark of a killed run proves that it is all its own. Any other is kept, and
/// gets a line end.
fn ended(mut file: &File, shown: &str, options: &FileOptions) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let whole = whole_lines(file, len, options)?;
    if whole == len {
        return Ok(len);
    }
    let half = len - whole;
    if mark::is_own(file, whole, len) {
        file.set_len(whole)?;
        let what =
            format!("{shown}: removed {half} bytes of an incomplete line that an earlier run left");
        (options.retry.say)(Event::OutputCut, &what);
        return Ok(whole);
    }
    options.retry.until_room(shown, || file.write_all(b"\n"))?;
    let what = format!(
        "{shown}: its last line is incomplete, and may not be from Tamis: its {half} bytes are \
         kept, and a line end was added"
    );
    (options.retry.say)(Event::OutputLineEnded, &what);
    Ok(file.metadata()?.len())
}

/// Returns the length of the complete lines in the file.
fn whole_lines(file: &File, len: u64, options: &FileOptions) -> io::Result<u64> {
    let mut start = [0; 16];
    let begun = file.read_at(&mut start, 0)?;
    if let Start::Packed(format) = Format::of(&start[..begun]) {
        return Err(io::Error::other(format!(
            "it is compressed with {format}, and lines cannot be appended to it: choose another \
             name"
        )));
    }
    let (mut end, mut piece) = (len, vec![0; PIECE]);
    while end > 0 {
        let from = end.saturating_sub(PIECE as u64);
        let part = &mut piece[..(end - from) as usize];
        file.read_exact_at(part, from)?;
        if let Some(at) = memrchr(b'\n', part) {
            end = from + at as u64 + 1;
            break;
        }
        end = from;
    }
    if len - end > options.longest_line {
        return Err(io::Error::other(
            "it does not look like a log, because its last line is too long: choose another name",
        ));
    }
    Ok(end)
}
