//! A file that is written to: whole lines behind whole lines, known to be on disk up to a boundary,
//! and remembered from there on.

use std::{
    fs::{File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    time::SystemTime,
};

use memchr::{memchr, memrchr};

use super::{
    faults::Op,
    folder::{Folder, Opening, identity},
    rotated::Rotated,
    terms::{Fsync, Terms},
};
use crate::{
    compression::{Format, Start},
    journal::Event,
};

/// How often an opened file may turn out to be another's that was renamed meanwhile.
const ATTEMPTS: usize = 8;
const PIECE: usize = 64 << 10;

pub(super) struct Active {
    folder: Folder,
    name: String,
    shown: String,
    /// `None` once it cannot be trusted any more.
    file: Option<File>,
    /// Its length: whole lines.
    len: u64,
    /// How much of it is on disk.
    durable: u64,
    /// What is behind that, where it is to be made durable.
    tail: Vec<u8>,
    /// When it was last written to, in periods of its rotation.
    period: u64,
    /// When it was last used, in writes.
    pub(super) used: u64,
}

impl Active {
    /// Opens the file `name`, or makes it. Half a line at its end, which an earlier run left when
    /// it was killed, is cut off.
    pub(super) fn open(folder: Folder, name: &str, terms: &Terms) -> io::Result<Self> {
        let shown = folder.shown(name);
        let open = || locked(&folder, name, Opening::Append, terms);
        let file = terms.patience.until_room(&shown, open).map_err(|e| of(&shown, &e))?;
        let metadata = file.metadata()?;
        let len = metadata.len();
        let whole = whole_lines(&file, len, terms).map_err(|e| of(&shown, &e))?;
        if whole < len {
            file.set_len(whole)?;
            let cut = len - whole;
            let what = format!("{shown}: cut off {cut} bytes of a line that was never finished");
            (terms.patience.say)(Event::OutputCut, &what);
        }
        if terms.fsync != Fsync::Never {
            file.sync_all()?;
            folder.sync()?;
        }
        let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self {
            folder,
            name: name.to_owned(),
            shown,
            file: Some(file),
            len: whole,
            durable: whole,
            tail: Vec::new(),
            period: terms.period(written),
            used: 0,
        })
    }

    /// Adds whole lines, and rotates between them where that is due.
    pub(super) fn append(&mut self, mut lines: &[u8], terms: &Terms) -> io::Result<()> {
        self.rotate_if_due(terms)?;
        while !lines.is_empty() {
            let fitting = self.fitting(lines, terms.rotate_size);
            if fitting == 0 {
                self.rotate(terms)?;
                continue;
            }
            let (first, rest) = lines.split_at(fitting);
            self.write(first, terms)?;
            lines = rest;
        }
        if terms.fsync == Fsync::Always { self.sync(terms) } else { Ok(()) }
    }

    /// Rotates when another period has begun since it was written to.
    pub(super) fn rotate_if_due(&mut self, terms: &Terms) -> io::Result<()> {
        let period = terms.period((terms.clock)());
        if self.len > 0 && self.period != period {
            self.rotate(terms)?;
        }
        self.period = period;
        Ok(())
    }

    /// Has what an earlier run left of its rotated files looked after.
    pub(super) fn look_back(&self, terms: &Terms) {
        if let Some(keeper) = &terms.keeper {
            keeper.look_after(&self.folder, &self.name);
        }
    }

    /// How many bytes are remembered.
    pub(super) fn remembers(&self) -> usize {
        self.tail.len()
    }

    /// How much of `lines`, in whole ones, fits before the next rotation. A line that is longer
    /// than any file may be has one to itself.
    fn fitting(&self, lines: &[u8], size: Option<u64>) -> usize {
        let Some(size) = size else { return lines.len() };
        let room = usize::try_from(size.saturating_sub(self.len)).unwrap_or(usize::MAX);
        if lines.len() <= room {
            return lines.len();
        }
        match memrchr(b'\n', &lines[..room]) {
            Some(at) => at + 1,
            None if self.len > 0 => 0,
            None => memchr(b'\n', lines).map_or(lines.len(), |at| at + 1),
        }
    }

    /// Writes all of `lines`, or leaves none of them behind.
    fn write(&mut self, lines: &[u8], terms: &Terms) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(lost(&self.shown)) };
        let (faults, name, len) = (self.folder.faults(), &self.name, self.len);
        let written = terms.patience.until_room(&self.shown, || {
            let written = match faults.check(Op::Write, name) {
                Ok(()) => file.write_all(lines),
                // As a disk does, it takes a part first.
                Err(error) => file.write_all(&lines[..lines.len() / 2]).and(Err(error)),
            };
            if written.is_err() {
                file.set_len(len)?;
            }
            written
        });
        written.map_err(|error| of(&self.shown, &error))?;
        self.len += lines.len() as u64;
        if terms.fsync != Fsync::Never {
            self.tail.extend_from_slice(lines);
        }
        Ok(())
    }

    /// Makes all of it durable.
    pub(super) fn sync(&mut self, terms: &Terms) -> io::Result<()> {
        let Some(file) = &self.file else { return Err(lost(&self.shown)) };
        if self.durable == self.len {
            return Ok(());
        }
        let synced = self.folder.faults().check(Op::Sync, &self.name);
        if let Err(error) = synced.and_then(|()| file.sync_data()) {
            self.write_again(&error, terms)?;
        }
        self.durable = self.len;
        // What one file needed must not stay with each of many.
        self.tail = Vec::new();
        Ok(())
    }

    /// After a failed fsync nobody knows what of the page cache is on disk, and the next fsync would
    /// call it all well. So what is behind the boundary is written anew, from memory, once.
    fn write_again(&mut self, first: &io::Error, terms: &Terms) -> io::Result<()> {
        let (shown, durable) = (&self.shown, self.durable);
        let what = format!(
            "{shown}: fsync failed ({first}): what is behind byte {durable} is written again"
        );
        (terms.patience.say)(Event::FsyncFailed, &what);
        let was = self.file.as_ref().map(identity).transpose()?;
        let (folder, name, tail) = (&self.folder, &self.name, &self.tail);
        // Its lock goes with it.
        self.file = None;
        let again = terms.patience.until_room(shown, || {
            let mut file = locked(folder, name, Opening::There, terms)?;
            if Some(identity(&file)?) != was {
                return Err(moved());
            }
            folder.faults().check(Op::Truncate, name)?;
            file.set_len(durable)?;
            let rewritten = folder.faults().check(Op::Write, name);
            let rewritten = rewritten.and_then(|()| file.write_all(tail));
            let synced = rewritten.and_then(|()| {
                folder.faults().check(Op::Sync, name)?;
                file.sync_all()
            });
            if synced.is_err() {
                let _ = file.set_len(durable);
            }
            synced.map(|()| file)
        });
        match again {
            Ok(file) => {
                self.file = Some(file);
                Ok(())
            }
            Err(second) => Err(io::Error::new(
                second.kind(),
                format!(
                    "{shown}: fsync failed twice ({first}; {second}): it is good up to byte {durable}"
                ),
            )),
        }
    }

    /// Gives the file its other name, and begins a new one.
    fn rotate(&mut self, terms: &Terms) -> io::Result<()> {
        let durable = terms.fsync != Fsync::Never;
        if durable {
            self.sync(terms)?;
        }
        let Some(file) = &self.file else { return Err(lost(&self.shown)) };
        if self.folder.identity(&self.name) != Some(identity(file)?) {
            return Err(of(&self.shown, &moved()));
        }
        let (folder, name) = (&self.folder, &self.name);
        let rename = || {
            for _ in 0..ATTEMPTS {
                let to = Rotated::free(folder, name, terms.now())?.name(name);
                match folder.rename_new(name, &to) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    other => return other,
                }
            }
            Err(io::ErrorKind::AlreadyExists.into())
        };
        terms.patience.until_room(&self.shown, rename).map_err(|e| of(&self.shown, &e))?;
        self.file = None;
        let open = || locked(folder, name, Opening::New, terms);
        let file = terms.patience.until_room(&self.shown, open).map_err(|e| of(&self.shown, &e))?;
        if durable {
            folder.sync()?;
        }
        self.file = Some(file);
        (self.len, self.durable, self.tail) = (0, 0, Vec::new());
        if let Some(keeper) = &terms.keeper {
            keeper.look_after(folder, name);
        }
        Ok(())
    }
}

/// Opens a regular file that nobody else writes to, and that is no input.
fn locked(folder: &Folder, name: &str, how: Opening, terms: &Terms) -> io::Result<File> {
    for _ in 0..ATTEMPTS {
        let file = folder.file(name, how)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("no regular file"));
        }
        if terms.avoid.contains(&identity(&file)?) {
            return Err(io::Error::other("an input, or another output: choose another name"));
        }
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another run is writing to it"));
            }
            // Not every file system has locks.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        // It may have been rotated between the two.
        if folder.identity(name) == Some(identity(&file)?) {
            return Ok(file);
        }
    }
    Err(io::Error::other("another run is writing to it"))
}

/// How much of the file is whole lines.
fn whole_lines(file: &File, len: u64, terms: &Terms) -> io::Result<u64> {
    let mut start = [0; 16];
    let begun = file.read_at(&mut start, 0)?;
    if let Start::Packed(format) = Format::of(&start[..begun]) {
        return Err(io::Error::other(format!(
            "it is compressed with {format}: nothing can be added to it line by line"
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
    if len - end > terms.longest_line {
        return Err(io::Error::other(
            "its end is longer than any line could be: it is no log of lines, choose another name",
        ));
    }
    Ok(end)
}

fn of(shown: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{shown}: {error}"))
}

fn lost(shown: &str) -> io::Error {
    io::Error::other(format!("{shown}: it failed before"))
}

fn moved() -> io::Error {
    io::Error::other("somebody else moved or removed it")
}
