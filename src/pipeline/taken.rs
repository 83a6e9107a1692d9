//! A batch of which a sink took a part before it failed: determines which of its lines count as
//! forwarded.
//!
//! The output of each line is only known by judging it again. This is done once per run, at its
//! end.

use super::{
    batch::Batch,
    crew::survives,
    ledger::Ledger,
    outcome::{Output, Tally},
    ports::Worker,
};
use crate::engine::Chunk;

/// How much was taken of a batch's output.
pub(super) enum Taken {
    /// This many bytes.
    Bytes(usize),
    /// For each line, in order, whether it was taken. Lines after these were not.
    Lines(Vec<bool>),
}

impl Batch {
    /// Judges its lines again, and keeps the counts of those whose output was taken. If the output
    /// differs, nothing is counted, because the result is unknown.
    pub(super) fn judge_taken<W: Worker>(
        &mut self,
        worker: &mut W,
        taken: &Taken,
        ledger: &Ledger,
    ) {
        match taken {
            Taken::Bytes(bytes) => self.judge_beginning(worker, *bytes, ledger),
            Taken::Lines(lines) => self.judge_lines(worker, lines, ledger),
        }
    }

    fn judge_beginning<W: Worker>(&mut self, worker: &mut W, taken: usize, ledger: &Ledger) {
        let whole = memchr::memrchr(b'\n', &self.output.clean[..taken]).map_or(0, |at| at + 1);
        let wanted = self.output.clean[..whole].to_vec();
        let ends: Vec<usize> =
            memchr::memchr_iter(b'\n', self.chunk.data()).map(|at| at + 1).collect();
        let (mut fewest, mut most) = (0, ends.len());
        while whole > 0 && fewest < most {
            let middle = (fewest + most) / 2;
            self.judge_first(worker, ends[middle]);
            // This counts as progress of the run.
            ledger.wrote();
            match self.output.clean.len() < whole {
                true => fewest = middle + 1,
                false => most = middle,
            }
        }
        match ends.get(fewest).filter(|_| whole > 0) {
            Some(end) => self.judge_first(worker, *end),
            None => self.output.clear(),
        }
        if self.output.clean != wanted {
            self.output.clear();
        }
    }

    /// Judges the first `bytes` of its data, which are whole lines.
    fn judge_first<W: Worker>(&mut self, worker: &mut W, bytes: usize) {
        let mut first = Chunk::from_bytes(&self.chunk.data()[..bytes]);
        let (before, behind) = self.chunk.note();
        first.set_note(before, behind);
        first.continue_key_block(self.chunk.key_block());
        let output = &mut self.output;
        output.clear();
        if !survives(|| worker.process(&first, output)) {
            self.output.clear();
        }
        (self.end, self.source_bytes) = (self.offset + bytes as u64, bytes as u64);
    }

    /// Judges each line alone to determine its output. Lines that are not forwarded do not depend
    /// on the sink, and stay counted.
    fn judge_lines<W: Worker>(&mut self, worker: &mut W, taken: &[bool], ledger: &Ledger) {
        let (mut tally, mut clean) = (Tally::default(), Vec::new());
        let (mut output, mut at, mut missing) = (Output::default(), 0, 0);
        output.key_block = self.chunk.key_block();
        for line in self.chunk.data().split_inclusive(|&byte| byte == b'\n') {
            let mut chunk = Chunk::from_bytes(line);
            chunk.continue_key_block(output.key_block);
            output.clear();
            if !survives(|| worker.process(&chunk, &mut output)) {
                return self.output.clear();
            }
            ledger.wrote();
            clean.extend_from_slice(&output.clean);
            let lines = memchr::memchr_iter(b'\n', &output.clean).count();
            if (at..at + lines).all(|line| taken.get(line) == Some(&true)) {
                tally += &output.tally;
            } else {
                missing += line.len() as u64;
            }
            at += lines;
        }
        if clean != self.output.clean {
            return self.output.clear();
        }
        self.output.tally = tally;
        self.source_bytes = self.source_bytes.saturating_sub(missing);
    }
}
