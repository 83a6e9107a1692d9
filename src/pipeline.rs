//! The pipeline: a crew of threads, each of which reads, judges and delivers; and a fixed pool of
//! batches.
//!
//! ```text
//!  inputs ─▶ read ─▶ judge ─▶ deliver in order ─▶ sink, dead letter
//!             ▲  one at a time     │ one at a time
//!             └─── free batches ───┘
//! ```
//!
//! Every batch of the pool is in one place at a time, so memory is bounded by their number and
//! a slow sink slows the source: there is no free batch to read into.
//!
//! | file | does |
//! | --- | --- |
//! | [`ports`] | what the pipeline asks of sources, workers, sinks |
//! | `crew` | the threads |
//! | `batch` | what travels: a chunk, where it came from, what became of it |
//! | `cutter` | bytes into whole lines: the partial line, the line that is too long, the BOM |
//! | `reader` | one input after another through the cutter; the idle flush |
//! | [`growing`] | what the pipeline asks of inputs that grow |
//! | `tails` | inputs that grow, side by side, through the cutter |
//! | `acknowledge` | which positions are delivered, and when they are told |
//! | `order` | the input's order back |
//! | `flight` | what is being judged |
//! | `ledger` | what is known of a run while it runs |
//! | [`records`] | the same pipeline for records in place of lines |
//! | `delivery` | sink, dead letter, accounting |
//! | `taken` | a batch of which a sink took a part before it failed |
//! | [`budget`] | the memory formula |
//! | [`report`] | what a run came to |

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

/// What a [`RejectSink`] is handed, so that sinks need not know the engine.
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

/// How long a sink may stand still after a stop before the run ends without it.
const STUCK_AFTER: Duration = Duration::from_secs(2);
/// How often a run looks whether a shutdown was asked for.
const WATCH_EVERY: Duration = Duration::from_millis(250);

/// A pipeline, ready to run once.
pub struct Pipeline {
    /// How many batches there are, and how big.
    pub budget: Budget,
    /// What is read.
    pub inputs: Inputs,
    /// Where records end, if they can span lines.
    pub framing: Option<Arc<dyn Framing>>,
    /// Where everything goes.
    pub outlets: Outlets,
    /// Who hears at once what happens.
    pub observer: Arc<dyn Observer>,
    /// What is measured.
    pub meters: Arc<Meters>,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// What a pipeline reads.
pub enum Inputs {
    /// One after another, each to its end.
    InTurn(Vec<Input>),
    /// Side by side, for as long as they grow.
    Growing {
        /// The inputs.
        growing: Box<dyn Growing>,
        /// Who keeps their positions.
        checkpoint: Box<dyn Checkpoint>,
        /// How long what was delivered may wait for its acknowledgement.
        every: Duration,
    },
}

impl Pipeline {
    /// Reads all inputs through `workers`, one thread each, and delivers in the inputs' order.
    ///
    /// Returns when all is delivered, or when a shutdown gave the sink up: the thread that delivers
    /// is then left where it hangs, and the caller is expected to end the process.
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

/// Has a crew work to its end; what delivered, or how it ended where that is not to be had.
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
                // The crew must be nobody else's when its end is told.
                drop(crew);
                // Nobody listens any more when the run gave up.
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

/// The end of a run that got no threads; the system's limits, so nothing that a retry mends.
fn spawn_failure(threads: &[Spawned], shutdown: &Shutdown) -> Option<End> {
    let error = threads.iter().find_map(|t| t.as_ref().err())?;
    shutdown.stop();
    let error = std::io::Error::new(error.kind(), error.to_string());
    Some(End::Failed(Failure::Threads(error)))
}

/// Waits for all threads, or until a stopped pipeline makes no progress any more.
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
