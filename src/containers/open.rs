//! Unwraps the lines of a chunk: their texts are joined to another chunk.

use std::{mem, ops::Range};

use super::{Piece, Stream, Wrapper, docker, frame::State};
use crate::{
    engine::Chunk,
    pipeline::{EngineReason, MOST_WAITING, Reason},
};

/// A line of the chunk.
pub(super) struct Line {
    /// From 0, in the chunk.
    pub(super) number: usize,
    pub(super) range: Range<usize>,
    /// The record that it is a part of.
    pub(super) record: usize,
    pub(super) piece: Option<Piece>,
    /// The line of the inner chunk that is its wrapper without the text.
    pub(super) outer: Option<usize>,
}

/// What is judged as one line.
pub(super) struct Record {
    /// Its first line.
    pub(super) first: usize,
    pub(super) verdict: Verdict,
    /// Whether the last part ended the application's line.
    pub(super) whole: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// It belongs to a line that was given up in an earlier chunk.
    Lost,
    Refused(Reason),
    /// It is judged as this line of the inner chunk.
    Inner(usize),
}

/// A block of a chunk ends after this many bytes or lines, which bounds the memory.
const BLOCK_BYTES: usize = 64 << 10;
const BLOCK_LINES: usize = 2048;

/// The unwrapped lines of a block.
pub(super) struct Opened {
    wrapper: Wrapper,
    /// Whether lines without a wrapper are judged unchanged.
    bare: bool,
    most: usize,
    state: State,
    /// The texts.
    pub(super) inner: Chunk,
    /// Where the next line begins, and its number in the chunk.
    start: usize,
    number: usize,
    /// The same for the line after the last one after which no part waited.
    settled: (usize, usize),
    /// Lines of the inner chunk.
    inner_lines: usize,
    /// By stream: a record whose last part has not come, and its text so far.
    waiting: [Option<(usize, Vec<u8>)>; 2],
    /// The lines that are not blank.
    pub(super) lines: Vec<Line>,
    pub(super) records: Vec<Record>,
    /// The number in the whole chunk so far.
    pub(super) blank: u64,
}

impl Opened {
    pub(super) fn new(
        wrapper: Wrapper,
        bare: bool,
        most: usize,
        state: State,
        inner: Chunk,
    ) -> Self {
        let (lines, records, waiting) = (Vec::new(), Vec::new(), [None, None]);
        Self {
            wrapper,
            bare,
            most,
            state,
            inner,
            start: 0,
            number: 0,
            settled: (0, 0),
            inner_lines: 0,
            waiting,
            lines,
            records,
            blank: 0,
        }
    }

    /// Unwraps the next block of lines, and finishes the inner chunk. Returns `false` if there are
    /// no more lines. `ended` is the state after the chunk.
    pub(super) fn open(&mut self, chunk: &Chunk, ended: State) -> bool {
        self.inner.clear();
        self.inner_lines = 0;
        self.lines.clear();
        self.records.clear();
        let (data, block) = (chunk.data(), (self.start, self.number));
        while let Some(length) = memchr::memchr(b'\n', &data[self.start..]) {
            let end = self.start + length;
            let (start, number) = self.settled;
            if end - start > self.most || self.number - number >= MOST_WAITING {
                self.give_up();
                self.settled = (self.start, self.number);
            }
            self.line(self.number, data, self.start..end);
            (self.start, self.number) = (end + 1, self.number + 1);
            if self.waiting.iter().all(Option::is_none) {
                self.settled = (self.start, self.number);
                if self.start - block.0 >= BLOCK_BYTES || self.number - block.1 >= BLOCK_LINES {
                    break;
                }
            }
        }
        for stream in [Stream::Out, Stream::Err] {
            match self.waiting[stream as usize].take() {
                Some((record, _)) if ended.lost(stream) => {
                    self.records[record].verdict = Verdict::Refused(EngineReason::Oversize.into());
                }
                Some((record, text)) => self.close(record, text),
                None => {}
            }
        }
        self.inner.seal();
        self.start > block.0
    }

    /// What waits is longer than any line may be. The cutter decides the same at the same line.
    fn give_up(&mut self) {
        for (record, _) in mem::take(&mut self.waiting).into_iter().flatten() {
            self.records[record].verdict = Verdict::Refused(EngineReason::Oversize.into());
        }
        self.state = self.state.given_up();
    }

    fn line(&mut self, number: usize, data: &[u8], range: Range<usize>) {
        let line = &data[range.clone()];
        if line.trim_ascii().is_empty() {
            self.blank += 1;
            return;
        }
        let long = line.len() > self.most;
        let piece = if long { None } else { self.wrapper.piece(line) };
        let Some(piece) = piece else {
            let verdict = match self.bare {
                _ if line.strip_suffix(b"\r").unwrap_or(line).len() > self.most => {
                    Verdict::Refused(EngineReason::Oversize.into())
                }
                true => Verdict::Inner(self.push(&[line])),
                false => Verdict::Refused(Reason::NoWrapper),
            };
            let record = self.record(number, verdict, true);
            self.lines.push(Line { number, range, record, piece: None, outer: None });
            return;
        };
        let outer = (!piece.bare).then(|| self.push(&[&line[..piece.start], &line[piece.end..]]));
        let (stream, more) = (piece.stream, piece.more);
        let lost = self.state.lost(stream);
        self.state = self.state.behind(&piece);
        let (record, mut text) = match self.waiting[stream as usize].take() {
            Some(waiting) => waiting,
            // The result is known when its last part is there.
            None => (self.record(number, Verdict::Lost, false), Vec::new()),
        };
        let raw = &line[piece.start..piece.end];
        match self.wrapper {
            Wrapper::Cri => text.extend_from_slice(raw),
            Wrapper::Docker => match docker::unescape(raw) {
                Some(part) => text.extend_from_slice(part.as_bytes()),
                None => self.records[record].verdict = Verdict::Refused(Reason::NoWrapper),
            },
        }
        self.lines.push(Line { number, range, record, piece: Some(piece), outer });
        match (lost, more) {
            (true, _) => self.records[record].verdict = Verdict::Lost,
            (false, true) => self.waiting[stream as usize] = Some((record, text)),
            (false, false) => {
                self.records[record].whole = true;
                self.close(record, text);
            }
        }
    }

    fn record(&mut self, first: usize, verdict: Verdict, whole: bool) -> usize {
        self.records.push(Record { first, verdict, whole });
        self.records.len() - 1
    }

    /// Adds a line to the inner chunk, and returns its index.
    fn push(&mut self, parts: &[&[u8]]) -> usize {
        for part in parts {
            self.inner.extend(part);
        }
        self.inner.extend(b"\n");
        self.inner_lines += 1;
        self.inner_lines - 1
    }

    /// Adds the text of a record to the inner chunk, if it is one line.
    fn close(&mut self, record: usize, mut text: Vec<u8>) {
        if matches!(self.records[record].verdict, Verdict::Refused(_)) {
            return;
        }
        if self.wrapper == Wrapper::Docker {
            text.pop_if(|last| *last == b'\n');
        }
        self.records[record].verdict = match text.contains(&b'\n') {
            true => Verdict::Refused(Reason::NoWrapper),
            false => Verdict::Inner(self.push(&[&text])),
        };
    }
}
