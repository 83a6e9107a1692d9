//! One file that is followed.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use memchr::memchr;

use super::{
    fingerprint::{self, Fingerprint, MOST, Node, read_at},
    former::{Former, edge},
    packed::Packed,
};
use crate::{
    journal::visible,
    pipeline::{Position, Reached},
};

/// So many bytes before the position are compared, to see that the file is still the same one.
const EDGE: usize = 64;
/// So many bytes are searched for a line end at once.
const SEARCH: usize = 16 << 10;

/// A file, and how far it was read.
pub(super) struct Tail {
    pub(super) input: usize,
    /// Where it is now, as far as it is listed.
    pub(super) path: PathBuf,
    /// Where it was met.
    pub(super) first: PathBuf,
    pub(super) name: Arc<str>,
    pub(super) node: Node,
    /// Closed while others need the descriptor.
    pub(super) file: Option<File>,
    /// When its turn was last, in turns.
    pub(super) used: u64,
    pub(super) packing: Packing,
    pub(super) position: Position,
    pub(super) start: Fingerprint,
    /// The last bytes before the position.
    edge: Vec<u8>,
    /// Where this turn has come to.
    cursor: u64,
    /// Up to here it was read, and no line ends behind the position that could be taken.
    searched: u64,
    /// A line that is longer is taken without its end, from this size on.
    settles: u64,
    /// The size at which there was nothing more to read.
    pub(super) exhausted_at: Option<u64>,
    /// Since when a last line without an end has not grown.
    pub(super) partial: Option<Instant>,
    /// Since when whole lines wait for another: what else the file says does not make them younger.
    waiting: Option<Instant>,
    /// What waited long enough ends here: this turn reads no further.
    pub(super) aged_to: Option<u64>,
    /// Since when it has not grown.
    pub(super) quiet: Instant,
    /// Since when no listing leads to it.
    pub(super) unlisted: Option<Instant>,
    pub(super) queued: bool,
    /// This turn could not read on.
    pub(super) failed: bool,
    /// While a turn read it, another file was written in its place.
    pub(super) rewritten: bool,
}

/// How a file's text is stored.
pub(super) enum Packing {
    Plain,
    /// Compressed; open while it is its turn.
    Packed(Option<Packed>),
}

impl Tail {
    pub(super) fn new(
        path: PathBuf,
        file: File,
        node: Node,
        packing: Packing,
        position: Position,
        now: Instant,
    ) -> io::Result<Self> {
        let mut tail = Self {
            input: 0,
            name: shown(&path),
            first: path.clone(),
            path,
            node,
            start: Fingerprint::of_file(&file)?,
            file: Some(file),
            used: 0,
            packing,
            position,
            edge: Vec::new(),
            cursor: position.offset,
            searched: position.offset,
            settles: 0,
            exhausted_at: None,
            partial: None,
            waiting: None,
            aged_to: None,
            quiet: now,
            unlisted: None,
            queued: false,
            failed: false,
            rewritten: false,
        };
        tail.edge = tail.read_edge(position.offset)?;
        Ok(tail)
    }

    pub(super) fn is_packed(&self) -> bool {
        matches!(self.packing, Packing::Packed(_))
    }

    pub(super) fn move_to(&mut self, path: &Path) {
        if self.path != path {
            (self.path, self.name) = (path.to_path_buf(), shown(path));
        }
    }

    /// Whether its size is another one than when there was nothing more to read. Of one that is closed
    /// and was renamed nothing is known until it is found.
    pub(super) fn has_changed(&self) -> io::Result<bool> {
        match self.size() {
            Err(error) if self.file.is_none() && error.kind() == io::ErrorKind::NotFound => {
                Ok(false)
            }
            size => Ok(self.exhausted_at != Some(size?)),
        }
    }

    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        match &self.file {
            Some(file) => file.metadata(),
            None => self.is_it(fs::metadata(&self.path)?),
        }
    }

    /// Whether its path leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|there| Node::of(&there) == self.node)
    }

    fn is_it(&self, there: Metadata) -> io::Result<Metadata> {
        if Node::of(&there) == self.node { Ok(there) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Opens it where its path leads to it, if it is closed.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.opened()?);
        }
        Ok(())
    }

    fn opened(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        self.is_it(file.metadata()?)?;
        Ok(file)
    }

    /// Asks the file, which is opened for that where it is closed.
    pub(super) fn ask<T>(&self, what: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match &self.file {
            Some(file) => what(file),
            None => what(&self.opened()?),
        }
    }

    /// Whether some name leads to the file.
    pub(super) fn is_somewhere(&self) -> bool {
        self.metadata().is_ok_and(|file| file.nlink() > 0)
    }

    /// Begins a turn; `false`: what was read is not there any more.
    pub(super) fn begin(&mut self, now: Instant, line_age: Duration) -> io::Result<bool> {
        let exhausted_at = self.exhausted_at.take();
        (self.cursor, self.failed, self.aged_to) = (self.position.offset, false, None);
        if self.is_packed() {
            return Ok(true);
        }
        let size = self.size()?;
        if exhausted_at != Some(size) {
            self.quiet = now;
            self.partial = None;
        }
        let aged = self.partial.is_some_and(|since| now.duration_since(since) >= line_age);
        self.aged_to = aged.then_some(size);
        Ok(!self.is_rewritten_at(size)?)
    }

    /// Whether a turn can come to anything: with what was read before, what was added since then
    /// makes a line, or one that is too long, or something has waited long enough. Only what was added
    /// is read for this, so a line that grows by a few bytes at a time is not read again each time.
    pub(super) fn has_news(&mut self, now: Instant, line_age: Duration) -> io::Result<bool> {
        let size = self.size()?;
        let known = self.searched > self.position.offset && self.start.is_full();
        let due = self.aged_to.is_some() || self.has_waited(now, line_age);
        if !known || due || self.is_packed() || size < self.searched || size >= self.settles {
            return Ok(true);
        }
        if self.position.offset == 0 && !self.start.fits(&self.ask(fingerprint::start)?) {
            return Ok(true);
        }
        let mut buf = vec![0; SEARCH];
        while self.searched < size {
            let most = buf.len().min((size - self.searched) as usize);
            let n = self.ask(|file| file.read_at(&mut buf[..most], self.searched))?;
            if n == 0 || memchr(b'\n', &buf[..n]).is_some() {
                return Ok(true);
            }
            self.searched += n as u64;
        }
        self.exhausted_at = Some(self.searched);
        self.partial.get_or_insert(now);
        Ok(false)
    }

    /// Whether what was read of a plain file is not there any more.
    pub(super) fn is_rewritten(&self) -> io::Result<bool> {
        self.is_rewritten_at(self.size()?)
    }

    fn is_rewritten_at(&self, size: u64) -> io::Result<bool> {
        let offset = self.position.offset;
        Ok(self.rewritten || size < offset || self.edge != self.read_edge(offset)?)
    }

    /// Whether what was read in this turn may be another file's, written in place of this one. Asked
    /// behind the read: what still stands before it then, stood there before, too.
    fn notices_rewriting(&mut self) -> io::Result<bool> {
        self.rewritten |= match self.position.offset {
            0 => !self.start.fits(&self.ask(fingerprint::start)?),
            _ => self.is_rewritten()?,
        };
        Ok(self.rewritten)
    }

    /// Whether whole lines have waited for so long.
    pub(super) fn has_waited(&self, now: Instant, line_age: Duration) -> bool {
        self.waiting.is_some_and(|since| now.duration_since(since) >= line_age)
    }

    /// Whether anything has waited for so long.
    pub(super) fn has_aged(&self, now: Instant, line_age: Duration) -> bool {
        let aged = self.partial.is_some_and(|since| now.duration_since(since) >= line_age);
        aged || self.has_waited(now, line_age)
    }

    /// Whether nothing will come of it: for so long no name has led to it, and it has not grown.
    pub(super) fn is_over(&self, now: Instant, linger: Duration) -> bool {
        let lasts = |since: Instant| now.duration_since(since) >= linger;
        // A last line without an end is yet to be judged.
        self.unlisted.is_some_and(lasts) && lasts(self.quiet) && self.partial.is_none()
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.read_or_notice(buf).inspect_err(|error| {
            self.failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        if n == 0 && !self.rewritten {
            // A packed file's size is compared with its size, a plain one's with what was read.
            self.exhausted_at = Some(match self.is_packed() {
                true => self.size()?,
                false => self.cursor,
            });
        }
        self.cursor += n as u64;
        Ok(n)
    }

    fn read_or_notice(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.aged_to.map_or(u64::MAX, |to| to.saturating_sub(self.cursor));
        let most = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match &mut self.packing {
            Packing::Plain => {
                let cursor = self.cursor;
                let n = self.ask(|file| file.read_at(&mut buf[..most], cursor))?;
                Ok(if n > 0 && self.notices_rewriting()? { 0 } else { n })
            }
            Packing::Packed(Some(packed)) => packed.read(buf),
            Packing::Packed(None) => Ok(0),
        }
    }

    /// Ends a turn. `true`: the fingerprint grew.
    pub(super) fn end(&mut self, reached: Reached, now: Instant) -> bool {
        let Reached { offset, inside_line, frame, waits, settles } = reached;
        let all = self.exhausted_at.is_some() && !inside_line && !self.failed;
        (self.searched, self.settles) = (if all { self.cursor } else { offset }, settles);
        let moved = offset != self.position.offset;
        let grew = !self.start.is_full() && self.cursor > self.start.bytes as u64;
        if let Packing::Packed(packed) = &mut self.packing {
            self.position = Position { offset, inside_line, frame, ..self.position };
            if let Some(packed) = packed {
                packed.taken(offset);
            }
            return false;
        }
        // Where it cannot be read, the next turn tells.
        let edge = if moved { self.read_edge(offset).unwrap_or_default() } else { Vec::new() };
        let start = if grew { self.ask(Fingerprint::of_file).ok() } else { None };
        let gone = (moved || grew) && self.notices_rewriting().unwrap_or(false);
        self.position = Position { offset, inside_line, frame, ..self.position };
        if moved {
            // Of what is gone the copies are known by their start.
            self.edge = if gone { Vec::new() } else { edge };
        }
        let since = if moved { now } else { self.waiting.unwrap_or(now) };
        self.waiting = waits.then_some(since);
        let partial = self.exhausted_at.is_some_and(|at| at > offset) && !inside_line;
        self.partial = partial.then(|| self.partial.unwrap_or(now));
        match start {
            Some(start) if !gone => {
                self.start = start;
                true
            }
            _ => false,
        }
    }

    pub(super) fn former(&mut self) -> Former {
        Former {
            input: self.input,
            node: self.node,
            first: self.first.clone(),
            start: self.start.clone(),
            position: self.position,
            edge: std::mem::take(&mut self.edge),
        }
    }

    /// Whether `other`, which has `size` bytes, says what this file says: up to here, or as far as
    /// it goes. Its start is known to be the same.
    pub(super) fn is_like(&self, other: &File, size: u64) -> io::Result<bool> {
        let end = size.min(self.position.offset);
        let from = end.saturating_sub(MOST as u64);
        let len = (end - from) as usize;
        Ok(read_at(other, from, len)? == self.ask(|file| read_at(file, from, len))?)
    }

    fn read_edge(&self, offset: u64) -> io::Result<Vec<u8>> {
        if self.is_packed() {
            return Ok(Vec::new());
        }
        self.ask(|file| edge(file, offset, EDGE))
    }
}

fn shown(path: &Path) -> Arc<str> {
    // A name is one line of a message, whatever a file is called.
    visible(&path.display().to_string()).into()
}

#[cfg(test)]
mod tests;
