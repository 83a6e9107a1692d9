//! A file that is written to: whole lines behind whole lines, known to be on disk up to a boundary,
//! and remembered from there on.

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
    rotated::Rotated,
    terms::{Fsync, Terms},
};
use crate::{
    journal::Event,
    sinks::{file::ends_inside_a_line, named},
};

/// How often an opened file may turn out to be another's that was renamed meanwhile.
pub(super) const ATTEMPTS: usize = 8;
/// How often it may be moved or removed before what is written to it is durable under its name.
const MOVES: usize = 1000;

pub(super) struct Active {
    folder: Folder,
    name: String,
    shown: String,
    /// `None` once it cannot be trusted any more.
    file: Option<File>,
    /// Its length: whole lines.
    len: u64,
    /// How much of it is on disk, or need not be.
    durable: u64,
    /// What is behind that: it is written again where the file is gone, or an fsync failed.
    tail: Vec<u8>,
    /// It may end inside a line.
    torn: bool,
    /// It was moved or removed, and cannot be made again under its name.
    pub(super) displaced: bool,
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
        let open = || begun(&folder, name, terms);
        let (file, len) = terms.patience.until_room(&shown, open)?;
        if terms.fsync != Fsync::Never {
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
            period: terms.period(written),
            used: 0,
        })
    }

    /// Adds whole lines, and rotates between them where that is due. What it wrote is taken from `lines`.
    pub(super) fn append(&mut self, lines: &mut &[u8], terms: &Terms) -> io::Result<()> {
        self.rotate_if_due(terms)?;
        while !lines.is_empty() {
            let fitting = self.fitting(lines, terms.rotate_size);
            if fitting == 0 {
                self.rotate(terms)?;
                continue;
            }
            let (first, rest) = lines.split_at(fitting);
            self.write(first, terms)?;
            *lines = rest;
        }
        if terms.fsync == Fsync::Always { self.sync(terms).map(drop) } else { Ok(()) }
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
        let (faults, name) = (self.folder.faults(), &self.name);
        let (mut torn, mut ended, len) = (false, false, self.len);
        let written = terms.patience.until_room(&self.shown, || {
            let mut before = file.metadata()?.len();
            if before != len && ends_inside_a_line(file)? {
                // Somebody else added half a line.
                file.write_all(b"\n")?;
                (before, ended) = (before + 1, true);
            }
            let written = match faults.check(Op::Write, name) {
                Ok(()) => mark::append(file, before, lines),
                // As a disk does, it takes a part first.
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
            (terms.patience.say)(Event::OutputLineEnded, &format!("{}: {what}", self.shown));
        }
        written.map_err(|error| named(&self.shown, &error))?;
        self.len += lines.len() as u64;
        self.tail.extend_from_slice(lines);
        Ok(())
    }

    /// Makes all of it durable under its name, so that it may be acknowledged. `true`: the file was
    /// moved or removed, and was made again.
    pub(super) fn sync(&mut self, terms: &Terms) -> io::Result<bool> {
        let mut made_again = false;
        for _ in 0..MOVES {
            let Some(file) = &self.file else { return Err(lost(&self.shown)) };
            if self.durable != self.len && terms.fsync != Fsync::Never {
                let synced = self.folder.faults().check(Op::Sync, &self.name);
                if let Err(error) = synced.and_then(|()| file.sync_data())
                    && self.is_in_place(terms)
                {
                    self.write_again(&error, terms)?;
                }
            }
            if self.is_in_place(terms) {
                self.durable = self.len;
                // What one file needed must not stay with each of many.
                self.tail = Vec::new();
                return Ok(made_again);
            }
            self.make_again(terms, true)?;
            made_again = true;
        }
        Err(named(&self.shown, &moved()))
    }

    /// Whether what is written comes to the file that has the name now.
    fn is_in_place(&self, terms: &Terms) -> bool {
        let Some(own) = self.file.as_ref().and_then(|file| identity(file).ok()) else {
            return false;
        };
        if let Some(link) = &terms.link
            && fs::metadata(link).ok().map(|there| (there.dev(), there.ino())) != Some(own)
        {
            return false;
        }
        self.folder.identity(&self.name) == Some(own) && self.folder.is_in_place()
    }

    /// Looks whether the file is still there, and makes it again where that can be done at once; if not,
    /// the next line waits for it.
    pub(super) fn look(&mut self, terms: &Terms) {
        if self.file.is_some() && !self.is_in_place(terms) {
            let _ = self.make_again(terms, false);
        }
    }

    /// Somebody moved or removed the file: what was written and not acknowledged is written again to
    /// one that has the name. With `wait`, for as long as that cannot be done.
    fn make_again(&mut self, terms: &Terms, wait: bool) -> io::Result<()> {
        let (tail, place) = (&self.tail, (&self.folder, &self.name));
        let attempt = || {
            let (folder, name) = match &terms.link {
                Some(link) => behind(link, place.0)?,
                None => (place.0.again()?, place.1.clone()),
            };
            let (file, len) = begun(&folder, &name, terms)?;
            folder.faults().check(Op::Write, &name)?;
            if let Err(error) = mark::append(&file, len, tail) {
                file.set_len(len)?;
                return Err(error);
            }
            if terms.fsync != Fsync::Never {
                folder.sync()?;
            }
            Ok((folder, name, file, len))
        };
        let patience = &terms.patience;
        let again = match (wait, terms.by_field) {
            (false, _) => attempt(),
            (true, false) => patience.until_back(&self.shown, attempt),
            // Others must not wait for a name that an event chose, but for the folder of them all.
            (true, true) => patience
                .until_back(&self.shown, || self.folder.root().again())
                .and_then(|_| patience.until_room(&self.shown, attempt)),
        };
        let again = again.map_err(|error| named(&self.shown, &error));
        self.displaced = again.is_err();
        let (folder, name, file, len) = again?;
        let what = "it was moved or removed; it is recreated, and what was not acknowledged is \
                    written again";
        (patience.say)(Event::OutputReplaced, &format!("{}: {what}", self.shown));
        if let Some(old) = self.file.replace(file) {
            mark::clear(&old);
        }
        (self.shown, self.folder, self.name) = (folder.shown(&name), folder, name);
        (self.durable, self.len) = (len, len + self.tail.len() as u64);
        Ok(())
    }

    /// Whether nothing can be added to it any more: it is not there, or ends inside a line.
    pub(super) fn is_lost(&self) -> bool {
        self.displaced || self.torn || self.file.is_none()
    }

    /// What is written and not acknowledged, for another file.
    pub(super) fn take_tail(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.tail)
    }

    /// After a failed fsync nobody knows what of the page cache is on disk, and the next fsync would
    /// call it all well. So what is behind the boundary is written anew, from memory, once.
    fn write_again(&mut self, first: &io::Error, terms: &Terms) -> io::Result<()> {
        let (shown, durable) = (&self.shown, self.durable);
        let what = format!(
            "{shown}: fsync failed ({first}): everything after byte {durable} is written again"
        );
        (terms.patience.say)(Event::FsyncFailed, &what);
        let was = self.file.as_ref().map(identity).transpose()?;
        let (folder, name, tail) = (&self.folder, &self.name, &self.tail);
        // Its lock goes with it.
        self.file = None;
        let again = terms.patience.until_room(shown, || {
            let file = locked(folder, name, Opening::There, terms)?;
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

    /// Gives the file its other name, and begins a new one.
    fn rotate(&mut self, terms: &Terms) -> io::Result<()> {
        if self.sync(terms)? {
            // It is a new one already.
            return Ok(());
        }
        let Some(file) = &self.file else { return Err(lost(&self.shown)) };
        mark::clear(file);
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
        match terms.patience.until_room(&self.shown, rename) {
            // Somebody was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.sync(terms).map(|_| ());
            }
            other => other.map_err(|e| named(&self.shown, &e))?,
        }
        // Its lock goes with it.
        self.file = None;
        let open = || begun(folder, name, terms);
        let opened = match terms.by_field {
            true => terms.patience.until_room(&self.shown, open),
            false => terms.patience.until_back(&self.shown, open),
        };
        self.displaced = opened.is_err();
        let (file, len) = opened.map_err(|e| named(&self.shown, &e))?;
        if terms.fsync != Fsync::Never {
            folder.sync()?;
        }
        self.file = Some(file);
        (self.len, self.durable, self.tail) = (len, len, Vec::new());
        if let Some(keeper) = &terms.keeper {
            keeper.look_after(folder, name);
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

/// Where a link leads, or will.
fn behind(link: &Path, like: &Folder) -> io::Result<(Folder, String)> {
    let there = fs::canonicalize(link).or_else(|_| fs::read_link(link).map(|to| beside(link, &to)));
    let there = there.unwrap_or_else(|_| link.to_path_buf());
    let name = there.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::other("its symbolic link does not lead to a file"))?;
    Ok((like.at(there.parent().unwrap_or(Path::new("")))?, name.to_owned()))
}

fn beside(link: &Path, to: &Path) -> PathBuf {
    link.parent().unwrap_or(Path::new("")).join(to)
}

fn lost(shown: &str) -> io::Error {
    io::Error::other(format!("{shown}: an earlier write failed"))
}

fn moved() -> io::Error {
    io::Error::other("another process moved or removed it")
}
