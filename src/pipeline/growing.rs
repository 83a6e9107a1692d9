//! The traits of inputs that grow. They are read side by side, in whole lines, and what was
//! delivered of each is acknowledged.

use std::{io, sync::Arc, time::Duration};

use crate::engine::KeyBlock;

/// A position in an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// In bytes.
    pub offset: u64,
    /// The number of lines before it.
    pub lines: u64,
    /// It is inside a line that is settled already. The rest of that line is skipped.
    pub inside_line: bool,
    /// The state of a [`Framing`](super::Framing) at this position; 0: none.
    pub frame: u16,
    /// The private key that is open at this position.
    pub key_block: KeyBlock,
}

impl Position {
    /// The start of an input.
    pub const START: Self =
        Self { offset: 0, lines: 0, inside_line: false, frame: 0, key_block: KeyBlock::CLOSED };
}

/// Where the turn of an input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// In bytes.
    pub offset: u64,
    /// As in a [`Position`].
    pub inside_line: bool,
    /// As in a [`Position`].
    pub frame: u16,
    /// Whole lines after it wait for another line that they belong to.
    pub waits: bool,
    /// Once the input has this many bytes, the data after the offset is taken without a line end.
    pub settles: u64,
}

/// Which input is next.
#[derive(Debug)]
pub enum Turn {
    /// This input has something to read.
    Ready(Ready),
    /// This input has ended; `truncated`: data was removed from it, and what was appended since the
    /// last check may be lost.
    Ended {
        /// The input.
        input: usize,
        /// It was truncated in place.
        truncated: bool,
    },
    /// Something cannot be read. It is tried again when it changes.
    Failed {
        /// Its name in messages.
        name: String,
        /// The error.
        error: io::Error,
    },
    /// Nothing came within the wait, or a shutdown advanced.
    Idle,
    /// All inputs have ended.
    End,
}

/// An input that has something to read.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its number, which no other input of this run has.
    pub input: usize,
    /// Its name in messages and dead letters.
    pub name: Arc<str>,
    /// Where to continue. The number of lines is that before this run.
    pub position: Position,
    /// A last line without an end has waited long enough, and is taken as it is.
    pub take_partial: bool,
    /// Whole lines have waited long enough for another, and are taken without it.
    pub take_waiting: bool,
    /// How its next line is judged.
    pub caution: Caution,
}

/// How to judge lines at which earlier runs crashed or made no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caution {
    /// Like all others.
    #[default]
    None,
    /// By itself, so that the line is known if it fails again.
    Alone,
    /// Not at all: the line is refused.
    Quarantined,
}

/// Lines that take long to judge, or cannot be judged.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// Their input.
    pub input: usize,
    /// The offset of their beginning.
    pub from: u64,
    /// The offset of their end.
    pub to: u64,
    /// Their text.
    pub text: &'a [u8],
    /// They are one line, or lines that belong together.
    pub alone: bool,
}

/// Remembers lines beyond the end of the process that judges them.
pub trait Suspects: Send + Sync {
    /// If the process ends while it judges these lines, the next one is [cautious](Caution).
    fn suspect(&self, suspect: &Suspect<'_>);
    /// Judging of these lines begins. Returns the number of the note, if one was made.
    fn begun(&self, suspect: &Suspect<'_>) -> Option<usize> {
        let _ = suspect;
        None
    }
    /// The lines with this note were judged.
    fn over(&self, number: usize) {
        let _ = number;
    }
    /// The lines that begin at this offset were judged after all.
    fn cleared(&self, input: usize, from: u64);
}

/// Inputs that grow.
pub trait Growing: Send {
    /// Picks an input that has something to read, and waits for one at most `wait`.
    fn turn(&mut self, wait: Duration) -> Turn;
    /// Reads from the input whose turn it is; 0: it has no more at present.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;
    /// Ends the turn. Data after `reached` is read again in the next one.
    fn end_turn(&mut self, reached: Reached);
}

/// What was delivered of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Its number.
    pub input: usize,
    /// Everything before it is durable; `None`: nothing was delivered since the last time.
    pub position: Option<Position>,
    /// The input has ended.
    pub ended: bool,
}

/// Stores positions.
pub trait Checkpoint: Send {
    /// Everything before these positions is durable in every sink that it was written to.
    ///
    /// # Errors
    /// The positions could not be stored. They are passed again, with newer ones, the next time.
    fn acknowledge(&mut self, delivered: &[Delivered]) -> io::Result<()>;
    /// Returns what remembers lines at which runs crash, if anything does.
    fn suspects(&self) -> Option<Arc<dyn Suspects>> {
        None
    }
}
