//! Takes blocks from the source, and lets the delivery work while none comes.

use std::{sync::Arc, time::Duration};

use super::{Next, RecordSource, batch::RecordBatch};
use crate::pipeline::{crew::Intake, ledger::Ledger, report::Failure};

/// How long to wait for a block while records are in flight, and while none are.
const OWING: Duration = Duration::from_millis(10);
const IDLE: Duration = Duration::from_millis(250);
/// After this many waits, the delivery is called in any case: every 5 s.
const ASKED_AFTER: u32 = 20;

pub(super) struct RecordIntake {
    source: Box<dyn RecordSource>,
    ledger: Arc<Ledger>,
    seq: u64,
    /// Waits without a block.
    waits: u32,
    ended: bool,
}

impl RecordIntake {
    pub(super) fn new(source: Box<dyn RecordSource>, ledger: Arc<Ledger>) -> Self {
        Self { source, ledger, seq: 0, waits: 0, ended: false }
    }
}

impl Intake<RecordBatch> for RecordIntake {
    fn read(&mut self, batch: &mut RecordBatch) -> bool {
        while !self.ended {
            batch.recycle();
            let owes = self.ledger.owes();
            match self.source.next(if owes { OWING } else { IDLE }, &mut batch.block) {
                Next::Filled => {}
                Next::Idle if owes => {}
                Next::Idle => {
                    self.waits += 1;
                    if !self.waits.is_multiple_of(ASKED_AFTER) {
                        continue;
                    }
                    self.waits = 0;
                }
                Next::End => break,
                Next::Failed(error) => {
                    batch.failed = Some(Failure::Source(error));
                    self.ended = true;
                }
            }
            batch.seq = self.seq;
            self.seq += 1;
            return true;
        }
        false
    }
}
