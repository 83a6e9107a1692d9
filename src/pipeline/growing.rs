//! What the pipeline asks of inputs that grow: they are read side by side, in whole lines, and what
//! was delivered of each is acknowledged.

use std::{io, sync::Arc, time::Duration};

use crate::engine::KeyBlock;

/// How far an input was read, or delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// In bytes.
    pub offset: u64,
    /// Lines before it.
    pub lines: u64,
    /// It is inside a line that is settled already; the rest of that line is passed over.
    pub inside_line: bool,
    /// What a [`Framing`](super::Framing) knows of the input here; 0: nothing.
    pub frame: u16,
    /// The private key that is open here.
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
    /// Whole lines behind it wait for another one, which they belong together with.
    pub waits: bool,
    /// Once the input has so many bytes, what stands behind the offset is taken without a line end.
    pub settles: u64,
}

/// Whose turn it is.
#[derive(Debug)]
pub enum Turn {
    /// This input has something to read.
    Ready(Ready),
    /// Nothing more will come of the input with this number; `truncated`: what was read of it is not
    /// there any more, and what was added to it since the last look may be lost.
    Ended {
        /// The input.
        input: usize,
        /// It was truncated in place.
        truncated: bool,
    },
    /// Something cannot be read; it is tried again when it changes.
    Failed {
        /// As messages show it.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// Nothing within the wait, or a shutdown moved on.
    Idle,
    /// Nothing more will come at all.
    End,
}

/// An input that has something to read.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its number, which no other input of this run has.
    pub input: usize,
    /// As messages and dead letters show it.
    pub name: Arc<str>,
    /// Where to go on. Of its lines, those before this run.
    pub position: Position,
    /// A last line without an end has waited long enough: it is taken as it is.
    pub take_partial: bool,
    /// Whole lines have waited long enough for another: they are taken without it.
    pub take_waiting: bool,
    /// How its next line is judged.
    pub caution: Caution,
}

/// How lines are judged that held up, or ended, earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caution {
    /// As all others.
    #[default]
    None,
    /// The line by itself, so that it is known which one it is.
    Alone,
    /// Not at all: it is refused.
    Quarantined,
}

/// Lines that take long to judge, or cannot be judged.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// Their input.
    pub input: usize,
    /// Where they begin in it,
    pub from: u64,
    /// and where they end.
    pub to: u64,
    /// What they say.
    pub text: &'a [u8],
    /// It is one line, or lines that belong together.
    pub alone: bool,
}

/// Who remembers lines beyond the end of the process that judges them.
pub trait Suspects: Send + Sync {
    /// Should the run end with these, the next one is [cautious](Caution).
    fn suspect(&self, suspect: &Suspect<'_>);
    /// These are judged from now on. Where that is noted, it has a number.
    fn begun(&self, suspect: &Suspect<'_>) -> Option<usize> {
        let _ = suspect;
        None
    }
    /// What has this number is judged.
    fn over(&self, number: usize) {
        let _ = number;
    }
    /// The lines that begin there were judged after all.
    fn cleared(&self, input: usize, from: u64);
}

/// Inputs that grow.
pub trait Growing: Send {
    /// Picks an input that has something to read, waiting for one at most `wait`.
    fn turn(&mut self, wait: Duration) -> Turn;
    /// Reads on in the input whose turn it is; 0: it has no more at present.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;
    /// The turn is over. What stands behind `reached` is read again at the next one.
    fn end_turn(&mut self, reached: Reached);
}

/// What was delivered of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Its number.
    pub input: usize,
    /// Everything before it is durable; `None`: nothing was delivered since the last time.
    pub position: Option<Position>,
    /// Nothing more will come of it.
    pub ended: bool,
}

/// Who keeps positions.
pub trait Checkpoint: Send {
    /// Everything before these positions is durable in every sink that it touched.
    ///
    /// # Errors
    /// The positions could not be kept. They are told again, with newer ones, the next time.
    fn acknowledge(&mut self, delivered: &[Delivered]) -> io::Result<()>;
    /// Who remembers lines that hold up every run, if anybody does.
    fn suspects(&self) -> Option<Arc<dyn Suspects>> {
        None
    }
}
