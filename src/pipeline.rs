//! The pipeline: one reader, N workers, one ordered writer, and a fixed pool of batches.
//!
//! ```text
//!  inputs ─▶ reader ─▶ work ─▶ workers ─▶ done ─▶ writer ─▶ sink, dead letter
//!              ▲                                    │
//!              └────────────── free batches ────────┘
//! ```
//!
//! Every batch of the pool is in one place at a time, so memory is bounded by their number and
//! a slow sink slows the reader: there is no free batch to read into. A channel has room for the
//! whole pool, so no send ever blocks.
//!
//! | file | does |
//! | --- | --- |
//! | [`ports`] | what the pipeline asks of sources, workers, sinks |
//! | `batch` | what travels: a chunk, where it came from, what became of it |
//! | `cutter` | bytes into whole lines: the partial line, the line that is too long, the BOM |
//! | `reader` | one input after another through the cutter; the idle flush |
//! | `order` | the input's order back |
//! | `delivery` | sink, dead letter, accounting |
//! | [`budget`] | the memory formula |
//! | [`report`] | what a run came to |

mod batch;
pub mod budget;
mod cutter;
mod delivery;
mod order;
pub mod ports;
mod reader;
pub mod report;
mod worker;

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// What a [`RejectSink`] is handed, so that sinks need not know the engine.
pub use crate::engine::{Payload, Reason, Reject};
pub use budget::{Budget, Sizes};
pub use ports::{Input, Observer, Outlets, Place, Read, RejectSink, Sink, Source, Worker};
pub use report::{End, Failure, Report};

use crate::shutdown::{Phase, Shutdown};
use batch::Batch;
use delivery::{Delivery, Ledger};
use reader::Reader;

/// How long a sink may stand still after a stop before the run ends without it.
const STUCK_AFTER: Duration = Duration::from_secs(2);
/// How often a run looks whether a shutdown was asked for.
const WATCH_EVERY: Duration = Duration::from_millis(250);

/// A pipeline, ready to run once.
pub struct Pipeline {
    /// How many batches there are, and how big.
    pub budget: Budget,
    /// Read one after another.
    pub inputs: Vec<Input>,
    /// Where everything goes.
    pub outlets: Outlets,
    /// Who hears at once what happens.
    pub observer: Arc<dyn Observer>,
    /// When to stop.
    pub shutdown: Shutdown,
}

impl Pipeline {
    /// Reads all inputs through `workers` and delivers in the inputs' order.
    ///
    /// Returns when all is delivered, or when a shutdown gave the sink up: the writer's thread
    /// is then left where it hangs, and the caller is expected to end the process.
    pub fn run<W: Worker + 'static>(self, workers: Vec<W>) -> Report {
        let Self { budget, inputs, outlets, observer, shutdown } = self;
        let names: Arc<[String]> = inputs.iter().map(|i| i.name.clone()).collect();
        let ledger = Arc::new(Ledger::default());

        let (free, free_rx) = sync_channel(budget.batches);
        let (work, work_rx) = sync_channel(budget.batches);
        let (done, done_rx) = sync_channel(budget.batches);
        let (end, end_rx) = sync_channel(1);
        for _ in 0..budget.batches {
            // Cannot fail: the receiver is right here, and the channel holds the whole pool.
            let _ = free.send(Batch::new(&budget.sizes));
        }

        let reader = Reader::new(budget.sizes, free_rx, work, shutdown.clone(), ledger.clone());
        let reader_observer = observer.clone();
        let mut threads = vec![spawn("reader", move || reader.run(inputs, &*reader_observer))];
        let work_rx = Arc::new(Mutex::new(work_rx));
        for w in workers {
            let (work, done, ledger) = (work_rx.clone(), done.clone(), ledger.clone());
            threads.push(spawn("worker", move || worker::run(w, &work, &done, &ledger)));
        }
        drop((work_rx, done));
        let delivery = Delivery::new(outlets, names, observer, shutdown.clone(), ledger.clone());
        threads.push(spawn("writer", move || {
            let finished = delivery.run(&done_rx, &free);
            // Nobody listens any more when the run gave up on this very thread.
            let _ = end.send(finished);
        }));
        if let Some(report) = spawn_failure(&threads, &shutdown) {
            return report;
        }
        match wait(&end_rx, &shutdown, &ledger) {
            Some(finished) => finished.close(&ledger),
            None => ledger.report(End::Stuck),
        }
    }
}

type Spawned = std::io::Result<thread::JoinHandle<()>>;

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Spawned {
    thread::Builder::new().name(name.into()).spawn(body)
}

/// The report of a run that got no threads; the system's limits, so nothing that a retry mends.
fn spawn_failure(threads: &[Spawned], shutdown: &Shutdown) -> Option<Report> {
    let error = threads.iter().find_map(|t| t.as_ref().err())?;
    shutdown.stop();
    let error = std::io::Error::new(error.kind(), error.to_string());
    Some(Report { end: End::Failed(Failure::Threads(error)), ..Report::default() })
}

/// Waits for the writer; `None` when a stopped pipeline makes no progress any more.
fn wait<T>(end: &Receiver<T>, shutdown: &Shutdown, ledger: &Ledger) -> Option<T> {
    let mut last = (0, Instant::now());
    loop {
        match end.recv_timeout(WATCH_EVERY) {
            Ok(finished) => return Some(finished),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let writes = ledger.writes();
        if writes != last.0 {
            last = (writes, Instant::now());
        }
        match shutdown.phase() {
            Phase::GivenUp => return None,
            Phase::Stopped { since } if last.1.max(since).elapsed() >= STUCK_AFTER => return None,
            _ => {}
        }
    }
}
