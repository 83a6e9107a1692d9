//! What travels through the pipeline.

use super::{RecordWorker, block::Block, judged::Judged};
use crate::pipeline::{
    crew::{Load, survives},
    flight::{Flight, Load as Flying},
    ledger::Ledger,
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

    fn judge(&mut self, worker: &mut W, ledger: &Ledger) {
        let (block, judged) = (&self.block, &mut self.judged);
        let count = block.records().len() as u64;
        let topic = block.places().first().map_or_else(|| "".into(), |place| place.topic.clone());
        ledger.takes_off(Flight::new(self.seq, Flying::Records { count, topic }));
        let survived = survives(|| worker.process(block, judged));
        let lines = if survived { judged.output.tally.read } else { count };
        ledger.lands(self.seq, lines, survived);
        if !survived {
            self.failed = Some(Failure::Worker);
            self.judged.clear();
        }
    }
}
