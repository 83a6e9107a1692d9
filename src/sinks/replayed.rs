//! Dead letters of replayed dead letters: each names the original location, and how often it was
//! replayed.

use std::{io, path::PathBuf, sync::Arc};

use crate::{
    dead_letter::{Chosen, DeadLetter, DeadLetterReader},
    pipeline::{Letter, Place, Reject, RejectSink},
    seal::Seal,
};

/// The dead letters that are replayed.
pub struct Replayed {
    /// Their file.
    pub path: PathBuf,
    /// Those that were selected.
    pub chosen: Arc<Chosen>,
    /// The maximum event size.
    pub max_event_bytes: usize,
}

/// Returns [`Replayed`], once it is known.
pub type Ask = Box<dyn Fn() -> Option<Replayed> + Send>;

/// Adds the original location to dead letters, by their line.
pub struct ReplayedSink {
    inner: Box<dyn RejectSink>,
    ask: Ask,
    letters: Option<(Replayed, DeadLetterReader)>,
    /// The dead letter that was found last.
    current: Option<DeadLetter>,
    /// The number of the next dead letter.
    at: usize,
    /// The line that the next dead letter begins with.
    line: u64,
}

impl ReplayedSink {
    /// Wraps `inner`.
    pub fn new(inner: Box<dyn RejectSink>, ask: Ask) -> Self {
        Self { inner, ask, letters: None, current: None, at: 0, line: 1 }
    }

    /// Finds the dead letter that contains this line; lines come in order.
    fn letter(&mut self, line: u64) -> io::Result<()> {
        if self.letters.is_none() {
            let Some(replayed) = (self.ask)() else { return Ok(()) };
            let Replayed { path, chosen, max_event_bytes } = &replayed;
            let letters = DeadLetterReader::open(path, chosen.bytes, *max_event_bytes)?;
            self.letters = Some((replayed, letters));
        }
        let Some((replayed, letters)) = &mut self.letters else { return Ok(()) };
        while line >= self.line {
            let Some(lines) = replayed.chosen.lines.get(self.at) else { break };
            let Some(letter) = letters.read()? else { break };
            self.at += 1;
            self.line += u64::from(*lines);
            if line < self.line {
                self.current = serde_json::from_slice(letter).ok();
            }
        }
        Ok(())
    }
}

impl RejectSink for ReplayedSink {
    fn takes(&self, reject: &Reject) -> bool {
        self.inner.takes(reject)
    }

    fn seal(&self) -> Option<&Seal> {
        self.inner.seal()
    }

    fn write(&mut self, letter: &Letter<'_>) -> io::Result<()> {
        self.letter(letter.place.line)?;
        let Some(current) = &self.current else { return self.inner.write(letter) };
        let DeadLetter { input, line, offset, length, attempts, .. } = current;
        let place = Place { input, line: *line, offset: *offset, length: *length };
        self.inner.write(&Letter { place, attempts: attempts.saturating_add(1), ..*letter })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.inner.finish()
    }
}
