//! Reads the original lines of dead letters in a file.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    dead_letter::{Chosen, DeadLetterReader, ReplayTerms},
    pipeline::{Read, Source},
    shutdown::{Phase, Shutdown},
};

/// The originals of the selected dead letters, one per line.
pub struct DeadLetterSource {
    path: PathBuf,
    letters: Option<DeadLetterReader>,
    terms: Arc<ReplayTerms>,
    chosen: Arc<Chosen>,
    shutdown: Shutdown,
    /// The number of the next dead letter.
    at: usize,
    /// The decrypted original that is being read.
    open: Vec<u8>,
    read: usize,
}

impl DeadLetterSource {
    /// Reads this file.
    pub fn new(
        path: PathBuf,
        terms: Arc<ReplayTerms>,
        chosen: Arc<Chosen>,
        shutdown: Shutdown,
    ) -> Self {
        let (letters, open) = (None, Vec::new());
        Self { path, letters, terms, chosen, shutdown, at: 0, open, read: 0 }
    }

    /// Decrypts the next original. Returns `false` if there is none.
    fn next(&mut self) -> io::Result<bool> {
        let Self { path, terms, chosen, .. } = self;
        let letters = match &mut self.letters {
            Some(letters) => letters,
            none => none.insert(DeadLetterReader::open(path, chosen.bytes, terms.max_event_bytes)?),
        };
        loop {
            let Some(lines) = chosen.lines.get(self.at) else { return Ok(false) };
            self.at += 1;
            let changed = || io::Error::other("it changed while it was read");
            let letter = letters.read()?.ok_or_else(changed)?;
            if *lines == 0 {
                continue;
            }
            let (_, original) = terms.original(letter).map_err(|_| changed())?;
            (self.open, self.read) = (original, 0);
            self.open.push(b'\n');
            return Ok(true);
        }
    }
}

impl Source for DeadLetterSource {
    fn read(&mut self, buf: &mut [u8], _: Option<Duration>) -> io::Result<Read> {
        if self.read == self.open.len() {
            if !matches!(self.shutdown.phase(), Phase::Running | Phase::Draining { .. }) {
                // This is not the end of the dead letters.
                return Ok(Read::Idle);
            }
            if !self.next()? {
                return Ok(Read::End);
            }
        }
        let left = &self.open[self.read..];
        let bytes = left.len().min(buf.len());
        buf[..bytes].copy_from_slice(&left[..bytes]);
        self.read += bytes;
        Ok(Read::Bytes(bytes))
    }
}
