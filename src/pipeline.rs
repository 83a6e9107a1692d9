//! The pipeline: a crew of threads, each of which reads, judges and delivers, and a fixed pool of
//! batches.
//!
//! ```text
//! inputs ─▶ read ─▶ judge ─▶ deliver in order ─▶ sink, dead letter
//! ▲  one at a time     │ one at a time
//! └─── free batches ───┘
//! ```
//!
//! Every batch of the pool is in one place at a time, so their number bounds the memory. A slow
//! sink slows the source down, because no batch is free to read into.
//!
//! | file | does |
//! | --- | --- |
//! | [`ports`] | the traits of sources, workers and sinks |
//! | `crew` | the threads |
//! | `batch` | the unit of work: a chunk, its position, and its result |
//! | `cutter` | cuts bytes into whole lines: partial lines, long lines, the byte order mark |
//! | `reader` | reads one input after another through the cutter, and flushes when idle |
//! | [`growing`] | the traits of inputs that grow |
//! | `tails` | reads inputs that grow, side by side, through the cutter |
//! | `acknowledge` | which positions are delivered, and when they are acknowledged |
//! | `order` | restores the order of the input |
//! | `flight` | what is being judged |
//! | `ledger` | the state of a run |
//! | [`records`] | the same pipeline for records instead of lines |
//! | `delivery` | sink, dead letter, accounting |
//! | `taken` | a batch of which a sink took a part before it failed |
//! | [`budget`] | the memory formula |
//! | [`report`] | the result of a run |

mod acknowledge;
mod batch;
pub mod budget;
mod crew;
mod cutter;
mod delivery;
mod flight;
mod frames;
pub mod growing;
mod ledger;
mod order;
pub mod outcome;
pub mod ports;
mod reader;
pub mod reason;
pub mod records;
pub mod report;
mod stays;
mod tails;
mod taken;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Re-exported for implementations of [`RejectSink`], so that they need not depend on the engine.
pub use crate::engine::{KeyBlock, Payload};
pub use budget::{Budget, Sizes};
pub use growing::{
    Caution, Checkpoint, Delivered, Growing, Position, Reached, Ready, Suspect, Suspects, Turn,
};
pub use outcome::{Output, Reject, Tally};
pub use ports::{
    Framing, Input, Letter, MOST_WAITING, Observer, Outlets, Place, Read, RejectSink, Sink, Source,
    Worker,
};
pub use reason::{EngineReason, Reason};
pub use report::{End, Failure, Report, RouteTotals, Spot, Stall, Unfinished, Violations};
pub use stays::{Stay, Stays};

use crate::{metrics::Meters, shutdown::Shutdown};
use acknowledge::Acknowledgements;
use batch::Batch;
use crew::{Crew, Deliver, Intake, Load};
use cutter::Cutter;
use delivery::Delivery;
use ledger::Ledger;
use reader::Reader;
use tails::Tails;

/// How long a sink may make no progress after a stop before the run ends without it.
const STUCK_AFTER: Duration = Duration::from_secs(2);
/// How often a run checks whether a shutdown was requested.
const WATCH_EVERY: Duration = Duration::from_millis(250);

/// A pipeline, ready to run once.
pub struct Pipeline {
    /// The number and the size of batches.
    pub budget: Budget,
    /// What is read.
    pub inputs: Inputs,
    /// Finds the ends of records, if they can span lines.
    pub framing: Option<Arc<dyn Framing>>,
    /// Where everything is written.
    pub outlets: Outlets,
    /// Is notified of events immediately.
    pub observer: Arc<dyn Observer>,
    /// The metrics.
    pub meters: Arc<Meters>,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// What a pipeline reads.
pub enum Inputs {
    /// One after another, each to its end.
    InTurn(Vec<Input>),
    /// Side by side, as long as they grow.
    Growing {
        /// The inputs.
        growing: Box<dyn Growing>,
        /// Stores their positions.
        checkpoint: Box<dyn Checkpoint>,
        /// How long delivered data may wait for its acknowledgement.
        every: Duration,
    },
}

impl Pipeline {
    /// Reads all inputs with `workers`, one thread each, and delivers in the order of the inputs.
    ///
    /// Returns when everything is delivered, or when a shutdown abandoned the sink: the delivering
    /// thread is then still blocked, and the caller must end the process.
    pub fn run<W: Worker + 'static>(self, workers: Vec<W>) -> Report {
        let Self { budget, inputs, framing, outlets, observer, meters, shutdown } = self;
        meters.has_chunks(budget.batches);
        let suspects = match &inputs {
            Inputs::Growing { checkpoint, .. } => checkpoint.suspects(),
            Inputs::InTurn(_) => None,
        };
        let ledger = Arc::new(Ledger::of(suspects));
        let cutter = Cutter::new(budget.sizes, framing);
        let watcher = observer.clone();
        let (intake, acknowledgements): (Box<dyn Intake<Batch>>, _) = match inputs {
            Inputs::InTurn(inputs) => {
                let (observer, shutdown) = (observer.clone(), shutdown.clone());
                (Box::new(Reader::new(cutter, inputs, observer, shutdown, ledger.clone())), None)
            }
            Inputs::Growing { growing, checkpoint, every } => {
                let (observer, ledger) = (observer.clone(), ledger.clone());
                let tails = Tails::new(cutter, growing, every, observer, ledger);
                (Box::new(tails), Some(Acknowledgements::new(checkpoint, every)))
            }
        };
        let (stop, account) = (shutdown.clone(), ledger.clone());
        let delivery =
            Delivery::new(outlets, acknowledgements, observer, stop, account, meters.clone());
        let batches = (0..budget.batches).map(|_| Batch::new(&budget.sizes)).collect();
        let pool = (batches, budget.long);
        let crew = Crew::new(intake, delivery, pool, ledger.clone(), meters);
        match muster(crew, workers, &shutdown, &ledger, &*watcher) {
            Ok(delivery) => delivery.close(),
            Err(end) => ledger.report(end),
        }
    }
}

/// Runs a crew to its end. Returns the delivery, or how the crew ended if the delivery is blocked.
fn muster<B, D, W>(
    crew: Crew<B, D>,
    workers: Vec<W>,
    shutdown: &Shutdown,
    ledger: &Ledger,
    observer: &dyn Observer,
) -> Result<D, End>
where
    B: Load<W> + 'static,
    D: Deliver<B> + 'static,
    W: Send + 'static,
{
    let crew = Arc::new(crew);
    let (ended, ends) = sync_channel(workers.len());
    let threads: Vec<Spawned> = workers
        .into_iter()
        .map(|worker| {
            let (crew, ended) = (crew.clone(), ended.clone());
            spawn("worker", move || {
                crew.run(worker);
                // Nothing else may hold the crew when its end is reported.
                drop(crew);
                // Nobody receives this if the run was abandoned.
                let _ = ended.send(());
            })
        })
        .collect();
    drop(ended);
    if let Some(end) = spawn_failure(&threads, shutdown) {
        return Err(end);
    }
    let ended = wait(&ends, threads.len(), shutdown, ledger, observer);
    match (ended, Arc::try_unwrap(crew)) {
        (Ended::All, Ok(crew)) => Ok(crew.into_delivery()),
        (Ended::Panicked, _) => Err(End::Failed(Failure::Worker)),
        (_, crew) => {
            let stall = ledger.stall();
            if let Err(crew) = crew {
                crew.give_up();
            }
            let unfinished = ledger.unfinished(shutdown, Some(stall.clone()));
            Err(unfinished.unwrap_or(match stall {
                Stall::Output => End::Stuck,
                stall => End::Stalled(stall),
            }))
        }
    }
}

/// How a crew ended.
enum Ended {
    All,
    Panicked,
    GivenUp,
}

type Spawned = std::io::Result<thread::JoinHandle<()>>;

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Spawned {
    thread::Builder::new().name(name.into()).spawn(body)
}

/// The end of a run that got no threads. System limits cause this, so a retry does not help.
fn spawn_failure(threads: &[Spawned], shutdown: &Shutdown) -> Option<End> {
    let error = threads.iter().find_map(|t| t.as_ref().err())?;
    shutdown.stop();
    let error = std::io::Error::new(error.kind(), error.to_string());
    Some(End::Failed(Failure::Threads(error)))
}

/// Waits for all threads, or until a stopped pipeline makes no more progress.
fn wait(
    ends: &Receiver<()>,
    threads: usize,
    shutdown: &Shutdown,
    ledger: &Ledger,
    observer: &dyn Observer,
) -> Ended {
    let (mut left, mut last) = (threads, (0, Instant::now()));
    while left > 0 {
        match ends.recv_timeout(WATCH_EVERY) {
            Ok(()) => {
                left -= 1;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ended::Panicked,
            Err(RecvTimeoutError::Timeout) => observer.progress(&ledger.report(End::Complete)),
        }
        ledger.watch();
        let writes = ledger.writes();
        if writes != last.0 {
            last = (writes, Instant::now());
        }
        if shutdown.abandons(last.1, STUCK_AFTER) {
            return Ended::GivenUp;
        }
    }
    Ended::All
}
