//! The unit of work of the pipeline.

use super::{RecordWorker, block::Block, judged::Judged};
use crate::pipeline::{
    crew::{Load, survives},
    flight::{Flight, Load as Flying},
    ledger::Ledger,
    report::Failure,
};

/// A block, and its result. Batches come from a fixed pool.
pub(super) struct RecordBatch {
    pub(super) seq: u64,
    pub(super) block: Block,
    pub(super) judged: Judged,
    /// The source or the worker failed.
    pub(super) failed: Option<Failure>,
    /// The usual amount of data in a block, in bytes.
    usual: usize,
}

impl RecordBatch {
    pub(super) fn new(usual: usize) -> Self {
        let (block, judged) = (Block::default(), Judged::default());
        Self { seq: 0, block, judged, failed: None, usual }
    }

    /// Prepares for another block.
    pub(super) fn recycle(&mut self) {
        if self.block.is_long(self.usual) {
            self.shrink_to_nothing();
        }
        self.block.clear();
        self.judged.recycle(self.usual);
        self.failed = None;
    }

    fn shrink_to_nothing(&mut self) {
        (self.block, self.judged) = Default::default();
    }
}

impl<W: RecordWorker> Load<W> for RecordBatch {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn is_empty(&self) -> bool {
        self.block.records().is_empty()
    }

    fn is_long(&self) -> bool {
        self.block.is_long(self.usual)
    }

    fn shrink(&mut self) {
        self.shrink_to_nothing();
    }

    fn judge(&mut self, worker: &mut W, ledger: &Ledger) {
        let (block, judged) = (&self.block, &mut self.judged);
        let count = block.records().len() as u64;
        let topic = block.places().first().map_or_else(|| "".into(), |place| place.topic.clone());
        ledger.takes_off(Flight::new(self.seq, Flying::Records { count, topic }));
        judged.output.make_room(self.usual.max(block.chunk().data().len()));
        let survived = survives(|| worker.process(block, judged));
        let lines = if survived { judged.output.tally.read } else { count };
        ledger.lands(self.seq, lines, survived);
        if !survived {
            self.failed = Some(Failure::Worker);
            self.judged.clear();
        }
    }
}
