//! A batch of which a sink took a part before it failed: which of its lines count as forwarded.
//!
//! How many lines came to so much output is known by judging: it is done once in a run, at its end.

use super::{
    batch::Batch,
    crew::survives,
    ledger::Ledger,
    outcome::{Output, Tally},
    ports::Worker,
};
use crate::engine::Chunk;

/// What was taken of a batch's output.
pub(super) enum Taken {
    /// So many bytes.
    Bytes(usize),
    /// These of its lines, in their order; those behind them were not.
    Lines(Vec<bool>),
}

impl Batch {
    /// Has its lines judged again, and leaves the account of those whose output was taken. Where that
    /// does not come to the same output, nobody knows, and nothing counts.
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
            // The run has not come to a stand.
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

    /// Has the first `bytes` of its data judged, which are whole lines.
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

    /// What a line comes to is known by judging it alone. What is not forwarded has nothing to do with
    /// the sink, and stays in the account.
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
