//! The pipeline for records: what has a key, headers and an offset beside its value, is sent one by
//! one, and is acknowledged later.
//!
//! | file | does |
//! | --- | --- |
//! | `block` | records as they came, their values as the lines of a chunk |
//! | `hops` | how often a record was forwarded |
//! | `value` | what is judged of a value: a line, or several |
//! | `judged` | what became of each |
//! | `original` | a record as it came, to be sealed |
//! | `names` | the headers of a dead letter |
//! | `origin` | where a record stood at first that is replayed |
//! | `batch` | what travels: a block, and what became of it |
//! | `memory` | what a block, and what becomes of it, need in memory |
//! | `intake` | takes blocks from the source |
//! | `letter` | what a dead letter says of what was sent |
//! | `delivery` | sink, dead letter, acknowledgement, accounting |
//!
//! Nothing is acknowledged to the source before the sink has acknowledged all that came before it.

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

/// What is sent of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The record's.
    pub offset: i64,
    /// Which line of its value, where that has a dead letter of its own.
    pub line: Option<u32>,
}

/// Who keeps how far records are delivered.
pub trait Offsets: Send {
    /// Takes note; what is said of a partition later is further.
    fn acknowledge(&mut self, reached: &[Reached]);
    /// Whether what was read of a place is still wanted; if not, it is read again, here or elsewhere.
    fn holds(&self, id: u64) -> bool {
        let _ = id;
        true
    }
    /// Something of this place could not be sent, for a fault of the topic that it was for: nothing of
    /// it is wanted any more.
    fn unsent(&mut self, id: u64, why: &io::Error) {
        let _ = (id, why);
    }
    /// These are durable, although not everything of their place that came before them is: where that is
    /// read again, they are not to be sent again.
    fn sent(&mut self, id: u64, pieces: &[Piece]) {
        let _ = (id, pieces);
    }
    /// Whether anything of this place is durable that is read again.
    fn has_sent(&self, id: u64) -> bool {
        let _ = id;
        false
    }
    /// Whether that is.
    fn was_sent(&self, id: u64, piece: Piece) -> bool {
        let _ = (id, piece);
        false
    }
    /// What was handed out and is not acknowledged is not wanted any more: it is read again.
    fn take_back(&mut self) {}
    /// Nothing more will be acknowledged: nobody is to wait for it, and the source ends.
    fn over(&mut self) {}
    /// Keeps what was acknowledged; nothing more will be.
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
    /// The topic that it came from.
    pub topic: &'a str,
    /// The route that it took, where there are any.
    pub route: Option<&'a str>,
    /// The partition of it.
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
    /// The transaction does not hold any more.
    Undone,
    /// It is its topic's fault: those for others may go.
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

/// What became of a record that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is durable; in a transaction, once that is committed.
    Durable,
    /// It is the record's own fault, or, in a transaction, of one that was sent with it; outside of
    /// transactions, with what was sent.
    Refused(Reason, Option<Back>),
    /// The transaction does not hold any more, for none of its records' sake.
    Undone,
}

/// Where records go.
pub trait RecordSink: Send {
    /// Takes a record, and waits while there is no room for it.
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal>;
    /// Adds what became of records that were sent: each is told once. What must be sent again was sent
    /// with these timestamps.
    ///
    /// # Errors
    /// Nothing more can be sent.
    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Told)>,
        timestamps: &dyn Fn(Ticket) -> Option<i64>,
    ) -> io::Result<()>;
    /// Adds which of those that were sent did not arrive, for a fault of their topic's. They are told
    /// here, and nowhere else.
    fn unsent(&mut self, unsent: &mut Vec<(Ticket, io::Error)>) {
        let _ = unsent;
    }
    /// Waits until there is a report, at most `wait`.
    fn wait(&mut self, wait: Duration);
    /// Where what is sent holds from commit to commit.
    fn transactions(&mut self) -> Option<&mut dyn Transactions> {
        None
    }
}

/// What stands for a value that is not kept: the same for the same, and of no use to anybody else.
pub type Digest = Arc<dyn Fn(&[u8]) -> String + Send + Sync>;

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
    /// What tells values apart that no dead letter can hold.
    pub digest: Option<Digest>,
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

/// What a run needs, however it delivers.
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
