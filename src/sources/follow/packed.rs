//! A compressed file, which is read once, from its beginning.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    time::Duration,
};

use crate::{
    compression::{Found, Window},
    pipeline::{Read, Source as _},
    shutdown::Shutdown,
    sources::{DecompressSource, FileSource, TextSource},
};

/// A running decoder. The text of a turn is kept until the end of the turn, when it is known how
/// much of it was processed, because a decoder cannot go back.
pub(super) struct Packed {
    source: TextSource,
    held: Vec<u8>,
    /// The offset of the kept text.
    held_at: u64,
    /// How much of the kept text was returned in this turn.
    given: usize,
    /// How much text an earlier turn or run has processed.
    skip: u64,
}

impl Packed {
    /// Decodes `file`, and skips its first `skip` bytes of text.
    pub(super) fn open(
        file: &File,
        skip: u64,
        window: &Window,
        shutdown: &Shutdown,
    ) -> io::Result<Self> {
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let source = Box::new(FileSource::of(file, shutdown.clone()));
        let source = DecompressSource::new(source, window, Found::default(), shutdown.clone());
        let source = TextSource::new(Box::new(source), shutdown.clone());
        Ok(Self { source, held: Vec::new(), held_at: skip, given: 0, skip })
    }

    /// Returns the next bytes of the text, or 0 at its end.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.skip > 0 {
            let most = buf.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            match self.decode(&mut buf[..most])? {
                0 => return Ok(0),
                n => self.skip -= n as u64,
            }
        }
        let again = &self.held[self.given..];
        if !again.is_empty() {
            let n = again.len().min(buf.len());
            buf[..n].copy_from_slice(&again[..n]);
            self.given += n;
            return Ok(n);
        }
        let n = self.decode(buf)?;
        self.held.extend_from_slice(&buf[..n]);
        self.given += n;
        Ok(n)
    }

    /// Drops the text before `offset`, which was processed.
    pub(super) fn taken(&mut self, offset: u64) {
        let taken = usize::try_from(offset.saturating_sub(self.held_at)).unwrap_or(usize::MAX);
        self.held.drain(..taken.min(self.held.len()));
        (self.held_at, self.given) = (offset, 0);
    }

    fn decode(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.source.read(buf, Some(Duration::ZERO))? {
                Read::Bytes(n) => return Ok(n),
                Read::End => return Ok(0),
                Read::Idle => {}
            }
        }
    }
}
