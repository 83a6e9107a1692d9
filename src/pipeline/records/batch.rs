//! What travels through the pipeline.

use super::{RecordWorker, block::Block, judged::Judged};
use crate::pipeline::{
    crew::{Load, survives},
    report::Failure,
};

/// A block, and what became of it. One of a fixed pool.
#[derive(Default)]
pub(super) struct RecordBatch {
    pub(super) seq: u64,
    pub(super) block: Block,
    pub(super) judged: Judged,
    /// The source, or the worker, could not finish it.
    pub(super) failed: Option<Failure>,
}

impl RecordBatch {
    pub(super) fn recycle(&mut self) {
        self.block.clear();
        self.judged.clear();
        self.failed = None;
    }
}

impl<W: RecordWorker> Load<W> for RecordBatch {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn is_empty(&self) -> bool {
        self.block.records().is_empty()
    }

    fn judge(&mut self, worker: &mut W) -> u64 {
        let (block, judged) = (&self.block, &mut self.judged);
        let empty = block.records().is_empty();
        if !empty && !survives(|| worker.process(block, judged)) {
            self.failed = Some(Failure::Worker);
            self.judged.clear();
            return self.block.records().len() as u64;
        }
        self.judged.output.tally.read
    }
}
