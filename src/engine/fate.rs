//! What became of each line of a chunk, of which every reject was told.

use std::ops::Range;

use super::{Chunk, Output};

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is empty.
    Blank,
    /// Forwarded as this range of [`Output::clean`], without its line end.
    Forwarded(Range<usize>),
    /// Not forwarded, as this one of [`Output::rejects`] says.
    Rejected(usize),
}

impl Fate {
    /// The fates of a chunk's lines, which were judged by a plan whose rejects carry bodies.
    pub fn of_lines(chunk: &Chunk, judged: &Output) -> Vec<Self> {
        let (data, clean) = (chunk.data(), &judged.clean);
        let mut rejects = judged.rejects.iter().enumerate().peekable();
        let (mut fates, mut start, mut from) = (Vec::new(), 0, 0);
        for end in memchr::memchr_iter(b'\n', data) {
            let line = &data[start..end];
            start = end + 1;
            let number = fates.len() as u32;
            if let Some((i, _)) = rejects.next_if(|(_, reject)| reject.line == number) {
                fates.push(Self::Rejected(i));
            } else if line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r')) {
                fates.push(Self::Blank);
            } else {
                let to = memchr::memchr(b'\n', &clean[from..]).map_or(clean.len(), |at| from + at);
                fates.push(Self::Forwarded(from..to));
                from = to + 1;
            }
        }
        fates
    }
}
