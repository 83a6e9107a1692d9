//! The traits of sources, workers, sinks and observers.

use std::{io, time::Duration};

use super::{
    outcome::{Output, Reject},
    report::Report,
};
use crate::{
    engine::{Chunk, Engine},
    seal::Seal,
};

/// The result of a [`Source::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// This many bytes, at least one.
    Bytes(usize),
    /// Nothing came within the wait, or a shutdown advanced.
    Idle,
    /// The end of this input.
    End,
}

/// A source of bytes.
pub trait Source: Send {
    /// Reads what is available into `buf`, and waits for the first byte at most `wait` (`None`: for
    /// ever). The pipeline owns the timer; the source only waits.
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read>;

    /// Returns whether the bytes of the last read begin a new part, such as a member of compressed
    /// data.
    fn begins(&self) -> bool {
        false
    }
}

/// A source and its name.
pub struct Input {
    /// The name in messages and dead letters.
    pub name: String,
    /// The bytes.
    pub source: Box<dyn Source>,
    /// Whether it ends by itself, as a file does. A run that is stopped before that is incomplete,
    /// and a line that was read in part is not judged. A pipe is not finite: what it has provided
    /// is all there is.
    pub finite: bool,
}

/// The most lines that may wait for another.
pub const MOST_WAITING: usize = 4096;

/// Finds the ends of records that span lines. A state is what is known about an input after a line;
/// it is 0 before the first line, unless the framing starts with another one.
pub trait Framing: Send + Sync {
    /// Returns the state before an input's first line; or, if an earlier run left the state `left`,
    /// before the next line. 0: nothing is known.
    fn start(&self, left: u16) -> u16;
    /// Returns whether lines can belong together in this state or later. If not, it is not called
    /// again.
    fn spans(&self, state: u16) -> bool;
    /// Returns the state after `line`, which has no line end.
    fn behind(&self, state: u16, line: &[u8]) -> u16;
    /// Returns whether a line waits for another, so that the input must not be cut here.
    fn waits(&self, state: u16) -> bool;
    /// Returns the state after lines that wait and are longer than any record may be, or are [too
    /// many](MOST_WAITING). The end of the input is a different case: lines that wait there are
    /// complete.
    fn given_up(&self, state: u16) -> u16;
}

/// Judges chunks: the engine, or a substitute in tests.
pub trait Worker: Send {
    /// Judges every line of a sealed chunk; `out` is empty.
    fn process(&mut self, chunk: &Chunk, out: &mut Output);
}

impl Worker for Engine {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        out.judge(|judged| Engine::process(self, chunk, judged));
    }
}

/// The destination of clean events.
pub trait Sink: Send {
    /// Writes all of `bytes`. An error of kind `BrokenPipe` means that nobody reads any more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns how many bytes were taken of a [write](Self::write) that failed, if that is known.
    fn taken(&self) -> usize {
        0
    }
    /// For sinks with several destinations: returns, for each line that ended in a
    /// [write](Self::write) that failed, whether it was taken.
    fn taken_lines(&self) -> Option<Vec<bool>> {
        None
    }
    /// Makes everything written so far durable, as far as the sink can, because what is
    /// acknowledged is not read again. More may be written afterwards. For a pipe, a successful
    /// write is all that is known.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes everything written durable and visible. Nothing is written afterwards.
    fn finish(&mut self) -> io::Result<()>;
    /// Undoes what was written, as far as that is possible, or keeps it in a form that is not
    /// mistaken for a complete output.
    fn abort(&mut self);
    /// Returns whether what was written remains after [`abort`](Self::abort), in its place or
    /// elsewhere.
    fn keeps_partial(&self) -> bool {
        false
    }
    /// Returns whether each input has an output of its own.
    fn is_for_each_input(&self) -> bool {
        false
    }
    /// An input is over, and later writes belong to the next one. This is called once for each
    /// input, in order, also for inputs without lines, but only for sinks that [have an output for
    /// each](Self::is_for_each_input). `keep`: the output is worth keeping.
    fn end_input(&mut self, keep: bool) -> io::Result<()> {
        let _ = keep;
        Ok(())
    }
}

/// The position of a line in its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The input's name.
    pub input: &'a str,
    /// The number of the line, from 1.
    pub line: u64,
    /// The offset of the line's first byte, from 0.
    pub offset: u64,
    /// The length of the line in bytes, without its line end.
    pub length: u64,
}

/// A line that was not forwarded, and what is kept of it.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// Its position.
    pub place: Place<'a>,
    /// The reason why it was not forwarded.
    pub reject: &'a Reject,
    /// What is kept.
    pub body: &'a [u8],
    /// The name of the schema that it was judged by.
    pub schema: Option<&'a str>,
    /// The name of the route that it took, if there are any.
    pub route: Option<&'a str>,
    /// The original line, sealed.
    pub sealed: Option<&'a [u8]>,
    /// How many times it was a dead letter before.
    pub attempts: u32,
}

/// The destination of lines that were not forwarded.
pub trait RejectSink: Send {
    /// Returns whether this reject is kept here. If not, it is dropped.
    fn takes(&self, reject: &Reject) -> bool;
    /// Returns the seal for originals, if they are kept.
    fn seal(&self) -> Option<&Seal> {
        None
    }
    /// Writes a dead letter.
    fn write(&mut self, letter: &Letter<'_>) -> io::Result<()>;
    /// Makes visible to others what was written so far.
    fn flush(&mut self) -> io::Result<()>;
    /// Makes everything written so far durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes everything written durable. Nothing is written afterwards.
    fn finish(&mut self) -> io::Result<()>;
}

/// Everything that a pipeline writes to.
pub struct Outlets {
    /// The destination of clean events.
    pub sink: Box<dyn Sink>,
    /// The destination of the others, if they are kept.
    pub dead_letter: Option<Box<dyn RejectSink>>,
}

/// Is notified of events immediately.
pub trait Observer: Send + Sync {
    /// A line was not forwarded; `kept`: it went to the dead letter.
    fn rejected(&self, place: &Place<'_>, reject: &Reject, kept: bool);
    /// An input could not be opened or read to its end.
    fn input_failed(&self, input: &str, error: &io::Error);
    /// Data was removed from an input. What was appended since the last check may be lost.
    fn input_truncated(&self, input: &str) {
        let _ = input;
    }
    /// There are more followed files than descriptors. `open` files are open at a time, and they
    /// are read in turn.
    fn few_descriptors(&self, open: usize) {
        let _ = open;
    }
    /// Positions cannot be stored. This is retried; until it works, a restart would read more data
    /// twice.
    fn checkpoint_failed(&self, error: &io::Error) {
        let _ = error;
    }
    /// Positions can be stored again.
    fn checkpoint_kept(&self) {}
    /// Positions could not be stored at the end, so the next run reads more data twice.
    fn offsets_failed(&self, error: &io::Error) {
        let _ = error;
    }
    /// The counts so far, a few times per second.
    fn progress(&self, so_far: &Report) {
        let _ = so_far;
    }
}
