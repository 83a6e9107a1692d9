//! The wrappers that container runtimes put around an application's lines: opened, so that the line
//! inside is judged as any other, and closed again.
//!
//! | file | does |
//! | --- | --- |
//! | `docker` | Docker's json-file: `{"log":"…\n","stream":"stdout","time":"…"}` |
//! | `cri` | the Kubernetes CRI's: `time stdout F …` |
//! | `frame` | which lines are pieces of one, across the chunks of an input |
//! | `worker` | a chunk's wrappers: `open`ed, judged, `close`d |
//!
//! A runtime cuts long lines into pieces. They are joined before they are judged, for what stands
//! across a cut would be seen by nobody; a chunk ends where no piece waits for another.

mod close;
mod cri;
mod docker;
mod frame;
mod open;
mod worker;

pub use frame::Frames;
pub use worker::{Judgement, Unwrapper};

/// What the lines of an input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What the input's first line is.
    Auto,
    /// Docker's json-file.
    Docker,
    /// The CRI's.
    Cri,
}

/// Which of an application's streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out = 0,
    Err = 1,
}

/// A runtime's wrapper, as one line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrapper {
    Docker,
    Cri,
}

/// What a wrapper's line says of the application's.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    stream: Stream,
    /// The application's line goes on in the next piece.
    more: bool,
    /// Where in the wrapper's line the text stands, as the wrapper spells it.
    start: usize,
    end: usize,
    /// Nothing else in the wrapper needs to be judged: it is of the runtime's own making.
    bare: bool,
}

impl Wrapper {
    /// Reads a line, without its end; `None` where it is no such wrapper.
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

/// Only what times are written with: nothing of it can be personal.
fn is_time(text: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b':' | b'.' | b'+' | b'-');
    (20..=40).contains(&text.len())
        && text[..4].iter().all(u8::is_ascii_digit)
        && text.iter().all(plain)
}
