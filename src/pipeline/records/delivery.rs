//! Delivers records to the sink or the dead letter. Records that the sink acknowledged are counted,
//! and acknowledged to the source in the order in which they were read.
//!
//! | file | does |
//! | --- | --- |
//! | `outbox` | the records in flight |
//! | `letters` | dead letters of records that are not forwarded |
//! | `at_least_once` | acknowledges durable records, batch by batch |
//! | `exactly_once` | commits batches together with their offsets, or aborts the transaction |
//! | `returned` | records that are given back to be read again |
//! | `suspects` | records because of which a transaction was aborted |

mod at_least_once;
mod exactly_once;
mod letters;
mod outbox;
mod returned;
mod suspects;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Offsets, batch::RecordBatch};
use crate::{
    metrics::Meters,
    pipeline::{STUCK_AFTER, crew::Deliver, ledger::Ledger, report::Report},
    shutdown::Shutdown,
};
pub(super) use at_least_once::AtLeastOnce;
pub(super) use exactly_once::ExactlyOnce;
pub(super) use outbox::Outbox;

/// How long to wait for a report before checking for a shutdown.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Delivers records.
pub(super) trait RecordDelivery: Deliver<RecordBatch> {
    /// Waits for the records in flight.
    fn close(self) -> Report;
}

/// What every delivery needs.
pub(super) struct Desk {
    pub(super) offsets: Box<dyn Offsets>,
    pub(super) shutdown: Shutdown,
    pub(super) ledger: Arc<Ledger>,
    pub(super) meters: Arc<Meters>,
}

impl Desk {
    /// Returns whether nobody waits any longer, given when there was progress last.
    fn stuck(&self, moved: Instant) -> bool {
        self.shutdown.abandons(moved, STUCK_AFTER)
    }
}
