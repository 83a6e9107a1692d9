//! Which lines are parts of one: the state of an input's two streams, from line to line.

use super::{Format, Piece, Stream, Wrapper};
use crate::pipeline::Framing;

/// The format is known.
const KNOWN: u16 = 1;
const DOCKER: u16 = 2;
const CRI: u16 = 4;
/// By stream: a part waits for the next one.
const WAITS: [u16; 2] = [8, 16];
/// By stream: the next parts belong to a line that was given up.
const LOST: [u16; 2] = [32, 64];

/// The state of an input after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u16);

impl State {
    pub(super) fn of(bits: u16) -> Self {
        Self(bits)
    }

    /// Returns the format, if lines have one.
    pub(super) fn wrapper(self) -> Option<Wrapper> {
        match self.0 & (DOCKER | CRI) {
            DOCKER => Some(Wrapper::Docker),
            CRI => Some(Wrapper::Cri),
            _ => None,
        }
    }

    /// Returns whether this stream's next part belongs to a line that was given up.
    pub(super) fn lost(self, stream: Stream) -> bool {
        self.0 & LOST[stream as usize] != 0
    }

    /// Returns the state after the waiting parts are given up.
    pub(super) fn given_up(self) -> Self {
        let mut given_up = self.0 & !(WAITS[0] | WAITS[1]);
        for (waits, lost) in WAITS.into_iter().zip(LOST) {
            if self.0 & waits != 0 {
                given_up |= lost;
            }
        }
        Self(given_up)
    }

    pub(super) fn behind(self, piece: &Piece) -> Self {
        let (waits, lost) = (WAITS[piece.stream as usize], LOST[piece.stream as usize]);
        Self(match (piece.more, self.0 & lost != 0) {
            (true, true) => self.0,
            (true, false) => self.0 | waits,
            (false, _) => self.0 & !waits & !lost,
        })
    }
}

/// Tells the pipeline where an input may be split.
#[derive(Debug, Clone, Copy)]
pub struct Frames {
    format: Format,
    max_event_bytes: usize,
}

impl Frames {
    /// For inputs of this format, and lines of at most this length.
    pub fn new(format: Format, max_event_bytes: usize) -> Self {
        Self { format, max_event_bytes }
    }
}

impl Framing for Frames {
    fn start(&self, left: u16) -> u16 {
        let wrapper = match self.format {
            Format::Auto => return left,
            Format::Docker => DOCKER,
            Format::Cri => CRI,
        };
        // A line that was given up in another format does not affect this one.
        if left & wrapper == 0 { KNOWN | wrapper } else { left }
    }

    fn spans(&self, state: u16) -> bool {
        state & KNOWN == 0 || State(state).wrapper().is_some()
    }

    fn behind(&self, state: u16, line: &[u8]) -> u16 {
        // A line that is too long is not a part; the worker decides the same.
        if line.trim_ascii().is_empty() || line.len() > self.max_event_bytes {
            return state;
        }
        let state = match state & KNOWN {
            0 if Wrapper::Docker.piece(line).is_some() => KNOWN | DOCKER,
            0 if Wrapper::Cri.piece(line).is_some() => KNOWN | CRI,
            0 => KNOWN,
            _ => state,
        };
        let piece = State(state).wrapper().and_then(|wrapper| wrapper.piece(line));
        piece.map_or(state, |piece| State(state).behind(&piece).0)
    }

    fn waits(&self, state: u16) -> bool {
        state & (WAITS[0] | WAITS[1]) != 0
    }

    fn given_up(&self, state: u16) -> u16 {
        State(state).given_up().0
    }
}
