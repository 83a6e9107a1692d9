//! A file that is written to. It contains complete lines. The lines after the last sync are kept in
//! memory.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use memchr::{memchr, memrchr};

use super::{
    faults::Op,
    folder::{Folder, Opening, identity},
    mark,
    opened::{begun, locked},
    options::{FileOptions, Fsync},
    rotated::Rotated,
};
use crate::{
    journal::Event,
    sinks::{file::ends_inside_a_line, named},
};

/// How often an opened file may turn out to be one that was renamed meanwhile.
pub(super) const ATTEMPTS: usize = 8;
/// How often the file may be moved or removed before what was written is durable under its name.
const MOVES: usize = 1000;

pub(super) struct Active {
    folder: Folder,
    name: String,
    shown: String,
    /// `None` when it cannot be trusted any longer.
    file: Option<File>,
    /// Its length; it ends with a complete line.
    len: u64,
    /// How many bytes are on disk, or need not be.
    durable: u64,
    /// The bytes after that. They are written again if the file is gone, or an fsync failed.
    tail: Vec<u8>,
    /// Whether it may end with an incomplete line.
    torn: bool,
    /// Whether it was moved or removed, and cannot be recreated.
    pub(super) displaced: bool,
    /// When it was last written, in rotation periods.
    period: u64,
    /// When it was last used, in writes.
    pub(super) used: u64,
}

impl Active {
    /// Opens the file `name`, or creates it. An incomplete line that a killed run left at its end
    /// is removed.
    pub(super) fn open(folder: Folder, name: &str, options: &FileOptions) -> io::Result<Self> {
        let shown = folder.shown(name);
        let open = || begun(&folder, name, options);
        let (file, len) = options.retry.until_room(&shown, open)?;
        if options.fsync != Fsync::Never {
            file.sync_all()?;
            folder.sync()?;
        }
        let written = file.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self {
            folder,
            name: name.to_owned(),
            shown,
            file: Some(file),
            len,
            durable: len,
            tail: Vec::new(),
            torn: false,
            displaced: false,
            period: options.period(written),
            used: 0,
        })
    }

    /// Appends complete lines, and rotates between them if that is due. Removes what it wrote from
    /// `lines`.
    pub(super) fn append(&mut self, lines: &mut &[u8], options: &FileOptions) -> io::Result<()> {
        self.rotate_if_due(options)?;
        while !lines.is_empty() {
            let fitting = self.fitting(lines, options.rotate_size);
            if fitting == 0 {
                self.rotate(options)?;
                continue;
            }
            let (first, rest) = lines.split_at(fitting);
            self.write(first, options)?;
            *lines = rest;
        }
        if options.fsync == Fsync::Always { self.sync(options).map(drop) } else { Ok(()) }
    }

    /// Rotates if a new period has begun since the last write.
    pub(super) fn rotate_if_due(&mut self, options: &FileOptions) -> io::Result<()> {
        let period = options.period((options.clock)());
        if self.len > 0 && self.period != period {
            self.rotate(options)?;
        }
        self.period = period;
        Ok(())
    }

    /// Compresses or removes the rotated files that an earlier run left.
    pub(super) fn look_back(&self, options: &FileOptions) {
        if let Some(retention) = &options.retention {
            retention.request(&self.folder, &self.name);
        }
    }

    /// Returns how many bytes are kept in memory.
    pub(super) fn remembers(&self) -> usize {
        self.tail.len()
    }

    /// Returns how much of `lines`, in complete lines, fits before the next rotation. A line that
    /// is longer than the size limit gets a file of its own.
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

    /// Writes all of `lines`, or none of them.
    fn write(&mut self, lines: &[u8], options: &FileOptions) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(lost(&self.shown)) };
        let (faults, name) = (self.folder.faults(), &self.name);
        let (mut torn, mut ended, len) = (false, false, self.len);
        let written = options.retry.until_room(&self.shown, || {
            let mut before = file.metadata()?.len();
            if before != len && ends_inside_a_line(file)? {
                // Another process appended an incomplete line.
                file.write_all(b"\n")?;
                (before, ended) = (before + 1, true);
            }
            let written = match faults.check(Op::Write, name) {
                Ok(()) => mark::append(file, before, lines),
                // Like a real disk, it accepts a part first.
                Err(error) => file.write_all(&lines[..lines.len() / 2]).and(Err(error)),
            };
            if written.is_err() {
                torn = true;
                file.set_len(before)?;
                torn = false;
            }
            written
        });
        self.torn |= torn;
        if ended {
            let what = "another process appended an incomplete line; a line end was added to it";
            (options.retry.say)(Event::OutputLineEnded, &format!("{}: {what}", self.shown));
        }
        written.map_err(|error| named(&self.shown, &error))?;
        self.len += lines.len() as u64;
        self.tail.extend_from_slice(lines);
        Ok(())
    }

    /// Makes everything durable under its name, so that it may be acknowledged. Returns `true` if
    /// the file was moved or removed, and recreated.
    pub(super) fn sync(&mut self, options: &FileOptions) -> io::Result<bool> {
        let mut made_again = false;
        for _ in 0..MOVES {
            let Some(file) = &self.file else { return Err(lost(&self.shown)) };
            if self.durable != self.len && options.fsync != Fsync::Never {
                let synced = self.folder.faults().check(Op::Sync, &self.name);
                if let Err(error) = synced.and_then(|()| file.sync_data())
                    && self.is_in_place(options)
                {
                    self.write_again(&error, options)?;
                }
            }
            if self.is_in_place(options) {
                self.durable = self.len;
                // The capacity that one file needed must not stay with every file.
                self.tail = Vec::new();
                return Ok(made_again);
            }
            self.make_again(options, true)?;
            made_again = true;
        }
        Err(named(&self.shown, &moved()))
    }

    /// Returns whether the open file is the one that has the name now.
    fn is_in_place(&self, options: &FileOptions) -> bool {
        let Some(own) = self.file.as_ref().and_then(|file| identity(file).ok()) else {
            return false;
        };
        if let Some(link) = &options.link
            && fs::metadata(link).ok().map(|there| (there.dev(), there.ino())) != Some(own)
        {
            return false;
        }
        self.folder.identity(&self.name) == Some(own) && self.folder.is_in_place()
    }

    /// Checks whether the file is still there, and recreates it if that is possible immediately.
    /// Otherwise the next write waits for it.
    pub(super) fn look(&mut self, options: &FileOptions) {
        if self.file.is_some() && !self.is_in_place(options) {
            let _ = self.make_again(options, false);
        }
    }

    /// Recreates a file that was moved or removed, with the lines that are not acknowledged. With
    /// `wait`, retries until that is possible.
    fn make_again(&mut self, options: &FileOptions, wait: bool) -> io::Result<()> {
        let (tail, place) = (&self.tail, (&self.folder, &self.name));
        let attempt = || {
            let (folder, name) = match &options.link {
                Some(link) => behind(link, place.0)?,
                None => (place.0.again()?, place.1.clone()),
            };
            let (file, len) = begun(&folder, &name, options)?;
            folder.faults().check(Op::Write, &name)?;
            if let Err(error) = mark::append(&file, len, tail) {
                file.set_len(len)?;
                return Err(error);
            }
            if options.fsync != Fsync::Never {
                folder.sync()?;
            }
            Ok((folder, name, file, len))
        };
        let retry = &options.retry;
        let again = match (wait, options.by_field) {
            (false, _) => attempt(),
            (true, false) => retry.until_back(&self.shown, attempt),
            // A name that an event selected must not block other files, but the common folder may.
            (true, true) => retry
                .until_back(&self.shown, || self.folder.root().again())
                .and_then(|_| retry.until_room(&self.shown, attempt)),
        };
        let again = again.map_err(|error| named(&self.shown, &error));
        self.displaced = again.is_err();
        let (folder, name, file, len) = again?;
        let what = "it was moved or removed; it is recreated, and what was not acknowledged is \
                    written again";
        (retry.say)(Event::OutputReplaced, &format!("{}: {what}", self.shown));
        if let Some(old) = self.file.replace(file) {
            mark::clear(&old);
        }
        (self.shown, self.folder, self.name) = (folder.shown(&name), folder, name);
        (self.durable, self.len) = (len, len + self.tail.len() as u64);
        Ok(())
    }

    /// Returns whether nothing can be appended any longer: the file is gone, or ends with an
    /// incomplete line.
    pub(super) fn is_lost(&self) -> bool {
        self.displaced || self.torn || self.file.is_none()
    }

    /// Takes the lines that are not acknowledged, for another file.
    pub(super) fn take_tail(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// After a failed fsync it is unknown which pages are on disk, and the next fsync would report
    /// success. So everything after the last sync is written again from memory, once.
    fn write_again(&mut self, first: &io::Error, options: &FileOptions) -> io::Result<()> {
        let (shown, durable) = (&self.shown, self.durable);
        let what = format!(
            "{shown}: fsync failed ({first}): everything after byte {durable} is written again"
        );
        (options.retry.say)(Event::FsyncFailed, &what);
        let was = self.file.as_ref().map(identity).transpose()?;
        let (folder, name, tail) = (&self.folder, &self.name, &self.tail);
        // Closing it releases the lock.
        self.file = None;
        let again = options.retry.until_room(shown, || {
            let file = locked(folder, name, Opening::There, options)?;
            if Some(identity(&file)?) != was {
                return Err(moved());
            }
            folder.faults().check(Op::Truncate, name)?;
            file.set_len(durable)?;
            let rewritten = folder.faults().check(Op::Write, name);
            let rewritten = rewritten.and_then(|()| mark::append(&file, durable, tail));
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
                    "{shown}: fsync failed twice ({first}; {second}): only the first {durable} \
                     bytes are safely on disk"
                ),
            )),
        }
    }

    /// Renames the file, and creates a new one.
    fn rotate(&mut self, options: &FileOptions) -> io::Result<()> {
        if self.sync(options)? {
            // It is a new file already.
            return Ok(());
        }
        let Some(file) = &self.file else { return Err(lost(&self.shown)) };
        mark::clear(file);
        let (folder, name) = (&self.folder, &self.name);
        let rename = || {
            for _ in 0..ATTEMPTS {
                let to = Rotated::free(folder, name, options.now())?.name(name);
                match folder.rename_new(name, &to) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    other => return other,
                }
            }
            Err(io::ErrorKind::AlreadyExists.into())
        };
        match options.retry.until_room(&self.shown, rename) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.sync(options).map(|_| ());
            }
            other => other.map_err(|e| named(&self.shown, &e))?,
        }
        // Closing it releases the lock.
        self.file = None;
        let open = || begun(folder, name, options);
        let opened = match options.by_field {
            true => options.retry.until_room(&self.shown, open),
            false => options.retry.until_back(&self.shown, open),
        };
        self.displaced = opened.is_err();
        let (file, len) = opened.map_err(|e| named(&self.shown, &e))?;
        if options.fsync != Fsync::Never {
            folder.sync()?;
        }
        self.file = Some(file);
        (self.len, self.durable, self.tail) = (len, len, Vec::new());
        if let Some(retention) = &options.retention {
            retention.request(folder, name);
        }
        Ok(())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(file) = self.file.as_ref().filter(|_| !self.torn) {
            mark::clear(file);
        }
    }
}

/// Returns where a link leads, or will lead.
fn behind(link: &Path, like: &Folder) -> io::Result<(Folder, String)> {
    let there =
        fs::canonicalize(link).or_else(|_| fs::read_link(link).map(|to| relative_to(link, &to)));
    let there = there.unwrap_or_else(|_| link.to_path_buf());
    let name = there.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::other("its symbolic link does not lead to a file"))?;
    Ok((like.at(there.parent().unwrap_or(Path::new("")))?, name.to_owned()))
}

fn relative_to(link: &Path, to: &Path) -> PathBuf {
    link.parent().unwrap_or(Path::new("")).join(to)
}

fn lost(shown: &str) -> io::Error {
    io::Error::other(format!("{shown}: an earlier write failed"))
}

fn moved() -> io::Error {
    io::Error::other("another process moved or removed it")
}
