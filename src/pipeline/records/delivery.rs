//! Delivery of records: to the sink or the dead letter; what the sink acknowledged is counted, and
//! acknowledged to the source, in the order in which it was read.
//!
//! | file | does |
//! | --- | --- |
//! | `outbox` | what is on its way |
//! | `letters` | dead letters of what is not forwarded |
//! | `at_least_once` | acknowledges what is durable, batch by batch |
//! | `exactly_once` | commits batches and how far they reach together, or takes all of it back |
//! | `returned` | what is given back unsettled, to be read again |
//! | `suspects` | records for whose sake a transaction was taken back |

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

/// How long to wait for a report before looking whether somebody wants the end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What delivers records.
pub(super) trait RecordDelivery: Deliver<RecordBatch> {
    /// Waits for what is on its way.
    fn close(self) -> Report;
}

/// What every delivery has at hand.
pub(super) struct Desk {
    pub(super) offsets: Box<dyn Offsets>,
    pub(super) shutdown: Shutdown,
    pub(super) ledger: Arc<Ledger>,
    pub(super) meters: Arc<Meters>,
}

impl Desk {
    /// Whether nobody waits any more for what last moved then.
    fn stuck(&self, moved: Instant) -> bool {
        self.shutdown.abandons(moved, STUCK_AFTER)
    }
}
