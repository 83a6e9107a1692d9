//! The line formats of container runtimes. Lines are unwrapped, so that the application's line is
//! judged as any other, and wrapped again.
//!
//! | file | does |
//! | --- | --- |
//! | `docker` | Docker's json-file: `{"log":"…\n","stream":"stdout","time":"…"}` |
//! | `cri` | the Kubernetes CRI format: `time stdout F …` |
//! | `frame` | which lines are parts of one, across the chunks of an input |
//! | `worker` | processes a chunk: `open`, judge, `close` |
//!
//! A runtime splits long lines. The parts are joined before they are judged, because something that
//! spans two parts would not be found otherwise. A chunk ends where no part waits for another.

mod close;
mod cri;
mod docker;
mod frame;
mod open;
mod worker;

pub use frame::Frames;
pub use worker::{Judgement, Unwrapper};

/// The format of an input's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// That of the input's first line.
    Auto,
    /// Docker's json-file.
    Docker,
    /// The CRI format.
    Cri,
}

/// The stream of the application that a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out = 0,
    Err = 1,
}

/// The format of a wrapped line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrapper {
    Docker,
    Cri,
}

/// What a wrapped line contains.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    stream: Stream,
    /// Whether the application's line continues in the next wrapped line.
    more: bool,
    /// Where the text begins in the wrapped line.
    start: usize,
    end: usize,
    /// Whether the wrapper contains nothing else that must be judged, because the runtime wrote it.
    bare: bool,
}

impl Wrapper {
    /// Parses a line without its end; `None` if it does not have this format.
    fn piece(self, line: &[u8]) -> Option<Piece> {
        match self {
            Self::Docker => docker::piece(line),
            Self::Cri => cri::piece(line),
        }
    }
}

impl Stream {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Out),
            b"stderr" => Some(Self::Err),
            _ => None,
        }
    }
}

/// Returns whether the text has only characters of times, so that it cannot be personal.
fn is_time(text: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b':' | b'.' | b'+' | b'-');
    (20..=40).contains(&text.len())
        && text[..4].iter().all(u8::is_ascii_digit)
        && text.iter().all(plain)
}
