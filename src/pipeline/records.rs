//! The pipeline for records: what has a key, headers and an offset beside its value, is sent one by
//! one, and is acknowledged later.
//!
//! | file | does |
//! | --- | --- |
//! | `block` | records as they came, their values as the lines of a chunk |
//! | `judged` | what became of each |
//! | `original` | a record as it came, to be sealed |
//! | `batch` | what travels: a block, and what became of it |
//! | `intake` | takes blocks from the source |
//! | `delivery` | sink, dead letter, acknowledgement, accounting |
//!
//! Nothing is acknowledged to the source before the sink has acknowledged all that came before it.

mod batch;
mod block;
mod delivery;
mod intake;
mod judged;
mod original;

use std::{io, sync::Arc, time::Duration};

pub use block::{Block, Breaks, Header, Incoming, Place, Record, Value};
pub use judged::{Fate, How, Judged, Key, Verdict};

use super::{Budget, Observer, Report, crew::Crew, ledger::Ledger, muster};
use crate::{engine::Reason, metrics::Meters, seal::Seal, shutdown::Shutdown};
use batch::RecordBatch;
use delivery::RecordDelivery;
use intake::RecordIntake;

/// What a [`RecordSource`] came to.
#[derive(Debug)]
pub enum Next {
    /// The block is another one, with records.
    Filled,
    /// Nothing within the wait.
    Idle,
    /// Nothing more will come.
    End,
    /// The source is broken.
    Failed(io::Error),
}

/// Where records come from.
pub trait RecordSource: Send {
    /// Puts a filled block in the place of `block`, waiting for one at most `wait`.
    fn next(&mut self, wait: Duration, block: &mut Block) -> Next;
}

/// Everything of a partition before this offset is durable where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The [`Place`]'s.
    pub id: u64,
    /// The first that is not.
    pub offset: i64,
}

/// Who keeps how far records are delivered.
pub trait Offsets: Send {
    /// Takes note; what is said of a partition later is further.
    fn acknowledge(&mut self, reached: &[Reached]);
    /// Nothing more will be acknowledged.
    ///
    /// # Errors
    /// What was acknowledged could not be kept: it will be read again.
    fn finish(&mut self) -> io::Result<()>;
}

/// What judges a block.
pub trait RecordWorker: Send {
    /// Judges every record; `out` is empty.
    fn process(&mut self, block: &Block, out: &mut Judged);
}

/// Which record a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Its batch.
    pub batch: u64,
    /// Its place there.
    pub record: u32,
}

/// A record for a sink.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// For the dead letter.
    pub dead: bool,
    /// The partition that it came from.
    pub partition: i32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; a tombstone has none.
    pub value: Option<&'a [u8]>,
    /// In milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Names and values.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// Why a sink does not take a record.
#[derive(Debug)]
pub enum Refusal {
    /// It is the record's fault: others may go.
    Record(Reason),
    /// Nothing more can be sent.
    Sink(io::Error),
}

/// Where records go.
pub trait RecordSink: Send {
    /// Takes a record, and waits while there is no room for it.
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal>;
    /// Adds what became of records that were sent: each is told once. It is durable, or refused for
    /// this reason. What must be sent again was sent with these timestamps.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Option<Reason>)>,
        timestamps: &dyn Fn(Ticket) -> Option<i64>,
    ) -> io::Result<()>;
    /// Waits until there is a report, at most `wait`.
    fn wait(&mut self, wait: Duration);
}

/// A pipeline for records, ready to run once.
pub struct RecordPipeline {
    /// How many batches there are.
    pub budget: Budget,
    /// What is read.
    pub source: Box<dyn RecordSource>,
    /// Who keeps how far it is delivered.
    pub offsets: Box<dyn Offsets>,
    /// Where everything goes.
    pub sink: Box<dyn RecordSink>,
    /// Which rejects go to the dead letter; the others are dropped.
    pub keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    /// Whom the originals of dead letters are sealed to.
    pub seal: Option<Seal>,
    /// Who hears at once what happens.
    pub observer: Arc<dyn Observer>,
    /// What is measured.
    pub meters: Arc<Meters>,
    /// When to stop.
    pub shutdown: Shutdown,
}

impl RecordPipeline {
    /// Reads until the source ends, through `workers`, one thread each.
    pub fn run<W: RecordWorker + 'static>(self, workers: Vec<W>) -> Report {
        let Self { budget, source, offsets, sink, keeps, seal, observer, meters, shutdown } = self;
        meters.has_chunks(budget.batches);
        let ledger = Arc::new(Ledger::default());
        let intake = Box::new(RecordIntake::new(source, ledger.clone()));
        let (watcher, stop, account) = (observer.clone(), shutdown.clone(), ledger.clone());
        let mut delivery =
            RecordDelivery::new(sink, offsets, keeps, observer, stop, account, meters.clone());
        delivery.seal = seal;
        let batches = (0..budget.batches).map(|_| RecordBatch::default()).collect();
        let crew = Crew::new(intake, delivery, batches, ledger.clone(), meters);
        match muster(crew, workers, &shutdown, &ledger, &*watcher) {
            Ok(delivery) => delivery.close(),
            Err(end) => ledger.report(end),
        }
    }
}
