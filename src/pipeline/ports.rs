//! What the pipeline asks of the outside: sources, workers, sinks, and one who is told.

use std::{io, time::Duration};

use super::{
    outcome::{Output, Reject},
    report::Report,
};
use crate::{
    engine::{Chunk, Engine},
    seal::Seal,
};

/// What a [`Source::read`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing within the wait, or a shutdown moved on.
    Idle,
    /// The end of this input.
    End,
}

/// Where bytes come from.
pub trait Source: Send {
    /// Reads what is there into `buf`, waiting at most `wait` for the first byte (`None`: for
    /// ever). The pipeline owns the timer; the source only waits.
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read>;

    /// Whether the bytes of the last read begin something of its own, as a member of compressed data is.
    fn begins(&self) -> bool {
        false
    }
}

/// A source and the name that its positions carry.
pub struct Input {
    /// As messages and dead letters show it.
    pub name: String,
    /// The bytes.
    pub source: Box<dyn Source>,
    /// It ends by itself, as a file does. A run that is stopped before is not complete, and what was
    /// read of the line at which it stopped is not taken for a line. What comes from a pipe is as
    /// much as there is of it.
    pub finite: bool,
}

/// So many lines may wait for another at most.
pub const MOST_WAITING: usize = 4096;

/// Where records end that span lines. A state says what is known of an input behind a line; 0 before
/// the first, unless the framing starts with more.
pub trait Framing: Send + Sync {
    /// The state before an input's first line; of one that an earlier run left in the state `left`,
    /// before the line behind that. 0: nothing is known.
    fn start(&self, left: u16) -> u16;
    /// Whether lines can belong together in this state and behind it; if not, nobody asks again.
    fn spans(&self, state: u16) -> bool;
    /// The state behind `line`, which is without its end.
    fn behind(&self, state: u16, line: &[u8]) -> u16;
    /// Whether a line waits for another, so that nothing may be cut here.
    fn waits(&self, state: u16) -> bool;
    /// The state when what waits is longer than any record may be, or [too many](MOST_WAITING) lines. At the end of the input it is told
    /// apart from that: what waits there has all that there is of it.
    fn given_up(&self, state: u16) -> u16;
}

/// What judges a chunk: the engine, or a stand-in.
pub trait Worker: Send {
    /// Judges every line of a sealed chunk; `out` is empty.
    fn process(&mut self, chunk: &Chunk, out: &mut Output);
}

impl Worker for Engine {
    fn process(&mut self, chunk: &Chunk, out: &mut Output) {
        out.judge(|judged| Engine::process(self, chunk, judged));
    }
}

/// Where clean events go.
pub trait Sink: Send {
    /// Takes all of `bytes`. An error of kind `BrokenPipe` says that nobody reads any more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// How many bytes a [write](Self::write) took that failed, where that is known.
    fn taken(&self) -> usize {
        0
    }
    /// Where lines go to different places: of those that ended in a [write](Self::write) that failed, in
    /// order, whether they were taken.
    fn taken_lines(&self) -> Option<Vec<bool>> {
        None
    }
    /// Makes everything written so far durable, as far as the sink can: what is acknowledged is
    /// read no more. More may be written afterwards. A pipe has taken it, and that is all it knows.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes everything written durable and visible. Nothing is written afterwards.
    fn finish(&mut self) -> io::Result<()>;
    /// Takes back what was written, as far as that is possible, or keeps it where nobody takes it for
    /// whole.
    fn abort(&mut self);
    /// Whether what was written stays when it is [taken back](Self::abort), here or elsewhere.
    fn keeps_partial(&self) -> bool {
        false
    }
    /// Whether each input's lines end up in a place of their own.
    fn is_for_each_input(&self) -> bool {
        false
    }
    /// An input is over; what is written next is of the one behind it. Each input is told once, in
    /// order, also one without a line; only a sink that [is for each](Self::is_for_each_input)
    /// is told. `keep`: what was written of it is worth keeping.
    fn end_input(&mut self, keep: bool) -> io::Result<()> {
        let _ = keep;
        Ok(())
    }
}

/// Where a line stood in its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The input's name.
    pub input: &'a str,
    /// From 1.
    pub line: u64,
    /// Of the line's first byte, from 0.
    pub offset: u64,
    /// Of the line, in bytes, without its line end.
    pub length: u64,
}

/// A line that was not forwarded, and what is kept of it.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// Where it stood.
    pub place: Place<'a>,
    /// Why it was not forwarded.
    pub reject: &'a Reject,
    /// What is kept.
    pub body: &'a [u8],
    /// The schema that it was judged by, by name.
    pub schema: Option<&'a str>,
    /// The route that it took, where there are any.
    pub route: Option<&'a str>,
    /// The line as it came, sealed.
    pub sealed: Option<&'a [u8]>,
    /// How often it was a dead letter before.
    pub attempts: u32,
}

/// Where lines go that were not forwarded.
pub trait RejectSink: Send {
    /// Whether this reject belongs here; if not it is dropped.
    fn takes(&self, reject: &Reject) -> bool;
    /// Whom originals are sealed to, if they are kept.
    fn seal(&self) -> Option<&Seal> {
        None
    }
    /// Takes one.
    fn write(&mut self, letter: &Letter<'_>) -> io::Result<()>;
    /// Lets others see what was written so far.
    fn flush(&mut self) -> io::Result<()>;
    /// Makes everything written so far durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Makes everything written durable. Nothing is written afterwards.
    fn finish(&mut self) -> io::Result<()>;
}

/// Everything that a pipeline writes to.
pub struct Outlets {
    /// Clean events.
    pub sink: Box<dyn Sink>,
    /// The rest, where somebody wants it.
    pub dead_letter: Option<Box<dyn RejectSink>>,
}

/// Who hears at once what happens.
pub trait Observer: Send + Sync {
    /// A line was not forwarded; `kept`: it went to the dead letter.
    fn rejected(&self, place: &Place<'_>, reject: &Reject, kept: bool);
    /// An input could not be opened or read to its end.
    fn input_failed(&self, input: &str, error: &io::Error);
    /// What was read of an input is not there any more: what was added to it since the last look
    /// may be lost.
    fn input_truncated(&self, input: &str) {
        let _ = input;
    }
    /// There are more followed files than descriptors: so many are open at a time, and they are read in
    /// turn.
    fn few_descriptors(&self, open: usize) {
        let _ = open;
    }
    /// Positions cannot be kept any more. They are tried again; until then a restart would read more
    /// twice.
    fn checkpoint_failed(&self, error: &io::Error) {
        let _ = error;
    }
    /// Positions can be kept again.
    fn checkpoint_kept(&self) {}
    /// Positions could not be kept at the end: the next run reads more twice.
    fn offsets_failed(&self, error: &io::Error) {
        let _ = error;
    }
    /// What is delivered so far; told a few times a second.
    fn progress(&self, so_far: &Report) {
        let _ = so_far;
    }
}
