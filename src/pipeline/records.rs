//! The pipeline for records. A record has a key, headers and an offset in addition to its value, is
//! sent by itself, and is acknowledged later.
//!
//! | file | does |
//! | --- | --- |
//! | `block` | records as they arrived, with their values as the lines of a chunk |
//! | `hops` | how many times a record was forwarded |
//! | `value` | what is judged of a value: one line, or several |
//! | `judged` | the result for each record |
//! | `original` | the original record, for its sealed copy |
//! | `names` | the headers of a dead letter |
//! | `origin` | the first position of a replayed record |
//! | `batch` | the unit of work: a block, and its result |
//! | `memory` | the memory of a block and its result |
//! | `intake` | takes blocks from the source |
//! | `letter` | the content of a dead letter |
//! | `delivery` | sink, dead letter, acknowledgements, accounting |
//!
//! The source gets no acknowledgement before the sink has acknowledged everything that came
//! earlier.

mod batch;
mod block;
mod delivery;
mod hops;
mod intake;
mod judged;
mod letter;
mod memory;
pub mod names;
mod origin;
mod original;
mod transactions;
mod value;

use std::{io, sync::Arc, time::Duration};

pub use block::{Block, Header, Incoming, Place, Record};
pub use hops::HOP;
pub use judged::{Body, Counts, Fate, How, Judged, Key, Lines, Verdict};
pub use memory::{block_bytes, judged_bytes, most_block, usual_block};
pub use origin::Origin;
pub use transactions::{Transactions, Undone};
pub use value::{Breaks, Codec, Value, ValueFraming, prefix};

use super::{Budget, Observer, Reason, Report, crew::Crew, ledger::Ledger, muster};
use crate::{metrics::Meters, seal::Seal, shutdown::Shutdown};
use batch::RecordBatch;
use delivery::{AtLeastOnce, Desk, ExactlyOnce, Outbox, RecordDelivery};
use intake::RecordIntake;

/// The result of [`RecordSource::next`].
#[derive(Debug)]
pub enum Next {
    /// The block was replaced by one with records.
    Filled,
    /// Nothing came within the wait.
    Idle,
    /// There are no more records.
    End,
    /// The source failed.
    Failed(io::Error),
}

/// A source of records.
pub trait RecordSource: Send {
    /// Replaces `block` by a filled one, and waits for it at most `wait`.
    fn next(&mut self, wait: Duration, block: &mut Block) -> Next;
}

/// Everything of a partition before this offset is durable at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The id of the [`Place`].
    pub id: u64,
    /// The first offset that is not delivered.
    pub offset: i64,
}

/// What is sent for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The record's offset.
    pub offset: i64,
    /// The line of its value, if that line has a dead letter of its own.
    pub line: Option<u32>,
}

/// Stores how far records are delivered.
pub trait Offsets: Send {
    /// Notes delivered offsets. Later ones for a partition are higher.
    fn acknowledge(&mut self, reached: &[Reached]);
    /// Returns whether records of a place are still needed. If not, they are read again, here or
    /// elsewhere.
    fn holds(&self, id: u64) -> bool {
        let _ = id;
        true
    }
    /// A record of this place could not be sent because of an error of its destination topic, so
    /// nothing of the place is needed any more.
    fn unsent(&mut self, id: u64, why: &io::Error) {
        let _ = (id, why);
    }
    /// These are durable, although not everything before them is. When they are read again, they
    /// must not be sent again.
    fn sent(&mut self, id: u64, pieces: &[Piece]) {
        let _ = (id, pieces);
    }
    /// Returns whether something of this place is durable that is read again.
    fn has_sent(&self, id: u64) -> bool {
        let _ = id;
        false
    }
    /// Returns whether this piece was sent.
    fn was_sent(&self, id: u64, piece: Piece) -> bool {
        let _ = (id, piece);
        false
    }
    /// Records that were handed out and are not acknowledged are read again.
    fn take_back(&mut self) {}
    /// There will be no more acknowledgements: nothing waits for them, and the source ends.
    fn over(&mut self) {}
    /// Stores the acknowledged offsets. There will be no more.
    ///
    /// # Errors
    /// They could not be stored, so records are read again.
    fn finish(&mut self) -> io::Result<()>;
}

/// Judges blocks.
pub trait RecordWorker: Send {
    /// Judges every record; `out` is empty.
    fn process(&mut self, block: &Block, out: &mut Judged);
}

/// Identifies the record that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The number of the batch.
    pub batch: u64,
    /// The index of the record in it.
    pub record: u32,
}

/// A record for a sink.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// Whether it is for the dead letter.
    pub dead: bool,
    /// The topic that it was read from.
    pub topic: &'a str,
    /// The name of the route that it took, if there are any.
    pub route: Option<&'a str>,
    /// The partition that it was read from.
    pub partition: i32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// In milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Names and values.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// Why a sink does not take a record.
#[derive(Debug)]
pub enum Refusal {
    /// An error of the record: others can be sent.
    Record(Reason),
    /// The transaction was aborted.
    Undone,
    /// An error of its topic: records for others can be sent.
    Topic(io::Error),
    /// Nothing more can be sent.
    Sink(io::Error),
}

/// A record as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The result for a record that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is durable; in a transaction, once that is committed.
    Durable,
    /// An error of the record, or, in a transaction, of one that was sent with it. Outside of
    /// transactions, it includes what was sent.
    Refused(Reason, Option<Back>),
    /// The transaction was aborted, but not because of one of its records.
    Undone,
}

/// The destination of records.
pub trait RecordSink: Send {
    /// Takes a record, and waits while there is no space for it.
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal>;
    /// Adds the results for records that were sent, each once. What must be sent again was sent
    /// with these timestamps.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Told)>,
        timestamps: &dyn Fn(Ticket) -> Option<i64>,
    ) -> io::Result<()>;
    /// Adds the records that did not arrive because of an error of their topic. They are reported
    /// only here.
    fn unsent(&mut self, unsent: &mut Vec<(Ticket, io::Error)>) {
        let _ = unsent;
    }
    /// Waits until there is a report, at most `wait`.
    fn wait(&mut self, wait: Duration);
    /// Returns the transactions, if records are sent in transactions.
    fn transactions(&mut self) -> Option<&mut dyn Transactions> {
        None
    }
}

/// Computes the digest of a value that is not kept: the same values have the same digest, and
/// nobody else can use it.
pub type Digest = Arc<dyn Fn(&[u8]) -> String + Send + Sync>;

/// A pipeline for records, ready to run once.
pub struct RecordPipeline {
    /// The number of batches.
    pub budget: Budget,
    /// What is read.
    pub source: Box<dyn RecordSource>,
    /// Stores how far it is delivered.
    pub offsets: Box<dyn Offsets>,
    /// The destination of everything.
    pub sink: Box<dyn RecordSink>,
    /// Returns which rejects go to the dead letter. The others are dropped.
    pub keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    /// The seal for the originals of dead letters.
    pub seal: Option<Seal>,
    /// Distinguishes values that no dead letter can contain.
    pub digest: Option<Digest>,
    /// Is notified of events immediately.
    pub observer: Arc<dyn Observer>,
    /// The metrics.
    pub meters: Arc<Meters>,
    /// When to stop.
    pub shutdown: Shutdown,
}

impl RecordPipeline {
    /// Reads until the source ends, with `workers`, one thread each.
    pub fn run<W: RecordWorker + 'static>(self, workers: Vec<W>) -> Report {
        let Self {
            budget,
            source,
            offsets,
            mut sink,
            keeps,
            seal,
            digest,
            observer,
            meters,
            shutdown,
        } = self;
        meters.has_chunks(budget.batches);
        let ledger = Arc::new(Ledger::default());
        let intake = Box::new(RecordIntake::new(source, ledger.clone()));
        let exactly_once = sink.transactions().is_some();
        let desk = Desk {
            offsets,
            shutdown: shutdown.clone(),
            ledger: ledger.clone(),
            meters: meters.clone(),
        };
        let outbox = Outbox::new(sink, keeps, (seal, digest), observer.clone(), desk);
        let around = Around { budget, ledger, meters, shutdown, observer };
        match exactly_once {
            true => around.run(intake, ExactlyOnce::new(outbox), workers),
            false => around.run(intake, AtLeastOnce::new(outbox), workers),
        }
    }
}

/// What a run needs for every kind of delivery.
struct Around {
    budget: Budget,
    ledger: Arc<Ledger>,
    meters: Arc<Meters>,
    shutdown: Shutdown,
    observer: Arc<dyn Observer>,
}

impl Around {
    fn run<W: RecordWorker + 'static, D: RecordDelivery + 'static>(
        self,
        intake: Box<RecordIntake>,
        delivery: D,
        workers: Vec<W>,
    ) -> Report {
        let Self { budget, ledger, meters, shutdown, observer } = self;
        let usual = usual_block(&budget.sizes);
        let batches = (0..budget.batches).map(|_| RecordBatch::new(usual)).collect();
        let crew = Crew::new(intake, delivery, (batches, budget.long), ledger.clone(), meters);
        match muster(crew, workers, &shutdown, &ledger, &*observer) {
            Ok(delivery) => delivery.close(),
            Err(end) => ledger.report(end),
        }
    }
}
