//! A followed file.

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
    finished::{FinishedFile, edge},
    packed::Packed,
};
use crate::{
    journal::visible,
    pipeline::{Position, Reached},
};

/// How many bytes before the position are compared to check that the file is still the same.
const EDGE: usize = 64;
/// How many bytes are searched for a line end at a time.
const SEARCH: usize = 16 << 10;

/// A file, and how far it was read.
pub(super) struct Tail {
    pub(super) input: usize,
    /// Its current path, according to the listings.
    pub(super) path: PathBuf,
    /// The path where it was found.
    pub(super) first: PathBuf,
    pub(super) name: Arc<str>,
    pub(super) node: Node,
    /// `None` while other files need the descriptor.
    pub(super) file: Option<File>,
    /// The number of its last turn.
    pub(super) used: u64,
    pub(super) packing: Packing,
    pub(super) position: Position,
    pub(super) start: Fingerprint,
    /// The last bytes before the position.
    edge: Vec<u8>,
    /// The offset that this turn has reached.
    cursor: u64,
    /// The file was read up to here, and no line ends between the position and here.
    searched: u64,
    /// The size from which on an incomplete line is processed without its end, because it is too
    /// long.
    settles: u64,
    /// The size at which everything was read.
    pub(super) exhausted_at: Option<u64>,
    /// Since when an incomplete last line has not grown.
    pub(super) partial: Option<Instant>,
    /// Since when complete lines wait for a further one. Other growth does not restart this.
    waiting: Option<Instant>,
    /// Where the lines that waited long enough end; this turn does not read further.
    pub(super) aged_to: Option<u64>,
    /// Since when it has not grown.
    pub(super) quiet: Instant,
    /// Since when no listing contains it.
    pub(super) unlisted: Option<Instant>,
    pub(super) queued: bool,
    /// Whether reading failed in this turn.
    pub(super) failed: bool,
    /// Whether another file was written in its place during a turn.
    pub(super) rewritten: bool,
}

/// How a file's text is stored.
pub(super) enum Packing {
    Plain,
    /// Compressed; open during its turn.
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

    /// Returns whether its size changed since everything was read. A closed file that was renamed
    /// is unknown until it is found.
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

    /// Returns whether its path leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|there| Node::of(&there) == self.node)
    }

    fn is_it(&self, there: Metadata) -> io::Result<Metadata> {
        if Node::of(&there) == self.node { Ok(there) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Opens it if it is closed and its path leads to it.
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

    /// Calls `what` with the file, which is opened for that if it is closed.
    pub(super) fn ask<T>(&self, what: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match &self.file {
            Some(file) => what(file),
            None => what(&self.opened()?),
        }
    }

    /// Returns whether the file still has a name.
    pub(super) fn is_somewhere(&self) -> bool {
        self.metadata().is_ok_and(|file| file.nlink() > 0)
    }

    /// Begins a turn. Returns `false` if what was read has changed.
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

    /// Returns whether a turn can make progress: what was appended completes a line, or makes it
    /// too long, or something has waited long enough. Only what was appended is read for this, so a
    /// line that grows in small steps is not read again each time.
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

    /// Returns whether what was read of a plain file has changed.
    pub(super) fn is_rewritten(&self) -> io::Result<bool> {
        self.is_rewritten_at(self.size()?)
    }

    fn is_rewritten_at(&self, size: u64) -> io::Result<bool> {
        let offset = self.position.offset;
        Ok(self.rewritten || size < offset || self.edge != self.read_edge(offset)?)
    }

    /// Returns whether what was read in this turn may be from another file, written in place of
    /// this one. This is checked after the read, so what precedes it was unchanged during the read.
    fn notices_rewriting(&mut self) -> io::Result<bool> {
        self.rewritten |= match self.position.offset {
            0 => !self.start.fits(&self.ask(fingerprint::start)?),
            _ => self.is_rewritten()?,
        };
        Ok(self.rewritten)
    }

    /// Returns whether complete lines have waited for `line_age`.
    pub(super) fn has_waited(&self, now: Instant, line_age: Duration) -> bool {
        self.waiting.is_some_and(|since| now.duration_since(since) >= line_age)
    }

    /// Returns whether anything has waited for `line_age`.
    pub(super) fn has_aged(&self, now: Instant, line_age: Duration) -> bool {
        let aged = self.partial.is_some_and(|since| now.duration_since(since) >= line_age);
        aged || self.has_waited(now, line_age)
    }

    /// Returns whether the file is finished: for `linger` it has had no name and has not grown.
    pub(super) fn is_over(&self, now: Instant, linger: Duration) -> bool {
        let lasts = |since: Instant| now.duration_since(since) >= linger;
        // An incomplete last line must still be judged.
        self.unlisted.is_some_and(lasts) && lasts(self.quiet) && self.partial.is_none()
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.read_or_notice(buf).inspect_err(|error| {
            self.failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        if n == 0 && !self.rewritten {
            // A compressed file's size is compared with its size, that of a plain file with the
            // offset that was read.
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

    /// Ends a turn. Returns `true` if the fingerprint grew.
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
        // If this fails, the next turn reports it.
        let edge = if moved { self.read_edge(offset).unwrap_or_default() } else { Vec::new() };
        let start = if grew { self.ask(Fingerprint::of_file).ok() } else { None };
        let gone = (moved || grew) && self.notices_rewriting().unwrap_or(false);
        self.position = Position { offset, inside_line, frame, ..self.position };
        if moved {
            // If the content is gone, copies are recognized by their beginning.
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

    pub(super) fn finished_file(&mut self) -> FinishedFile {
        FinishedFile {
            input: self.input,
            node: self.node,
            first: self.first.clone(),
            start: self.start.clone(),
            position: self.position,
            edge: std::mem::take(&mut self.edge),
        }
    }

    /// Returns whether `other`, which has `size` bytes, contains what this file contains, up to the
    /// position or to its end. Their beginnings are known to be equal.
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
    // The name is on one line in messages, whatever the file is called.
    visible(&path.display().to_string()).into()
}

#[cfg(test)]
mod tests;
