//! The crew: threads that each read, judge and deliver.
//!
//! Only one reads at a time, and only one delivers. A batch stays on the thread that filled it
//! until it is delivered, so what was read is judged while the processor still has it at hand,
//! and a crew of one is a plain loop. A batch that is judged before its turn is left in the
//! queue, for whoever delivers the one before it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::panicking,
    time::Instant,
};

use super::{
    batch::Batch,
    delivery::{Delivery, Ledger},
    order::Order,
    ports::Worker,
};
use crate::metrics::Meters;

/// What fills batches.
pub(super) trait Intake: Send {
    /// Fills `batch` with the next lines; `false` when there are no more.
    fn read(&mut self, batch: &mut Batch) -> bool;
}

/// What the threads of a crew share.
pub(super) struct Crew {
    intake: Mutex<Box<dyn Intake>>,
    queue: Mutex<Queue>,
    /// Held by whoever delivers: [`Queue::delivering`] lets no second one ask.
    delivery: Mutex<Delivery>,
    pool: Pool,
    ledger: Arc<Ledger>,
    meters: Arc<Meters>,
}

struct Queue {
    order: Order,
    delivering: bool,
}

impl Crew {
    pub(super) fn new(
        intake: Box<dyn Intake>,
        delivery: Delivery,
        batches: Vec<Batch>,
        ledger: Arc<Ledger>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            intake: Mutex::new(intake),
            queue: Mutex::new(Queue { order: Order::new(), delivering: false }),
            delivery: Mutex::new(delivery),
            pool: Pool { free: Mutex::new(Some(batches)), returned: Condvar::new() },
            ledger,
            meters,
        }
    }

    /// One thread's work, until there is nothing more to read.
    pub(super) fn run(&self, mut worker: impl Worker) {
        let _alarm = Alarm(&self.pool);
        while let Some(mut batch) = self.pool.take() {
            self.meters.took();
            if !self.read(&mut batch) {
                self.give(batch);
                break;
            }
            let read = Instant::now();
            if !batch.chunk.data().is_empty() {
                judge(&mut worker, &mut batch);
                self.meters.judge.observe(read.elapsed());
            }
            self.ledger.judged(batch.output.tally.read);
            self.deliver(batch);
            self.meters.worked(read.elapsed());
        }
    }

    fn read(&self, batch: &mut Batch) -> bool {
        let begun = Instant::now();
        let mut intake = lock(&self.intake);
        let more = intake.read(batch);
        if more && !batch.chunk.data().is_empty() {
            self.meters.began(batch.seq);
            self.meters.read.observe(begun.elapsed());
        }
        more
    }

    fn give(&self, batch: Batch) {
        self.pool.give(batch);
        self.meters.gave();
    }

    /// Delivers `batch`, and all behind it that wait; or leaves it to another's turn.
    fn deliver(&self, batch: Batch) {
        let mut queue = lock(&self.queue);
        queue.order.push(batch);
        if queue.delivering {
            return;
        }
        queue.delivering = true;
        while let Some(batch) = queue.order.pop() {
            drop(queue);
            let begun = Instant::now();
            lock(&self.delivery).deliver(&batch);
            self.meters.deliver.observe(begun.elapsed());
            self.give(batch);
            queue = lock(&self.queue);
        }
        queue.delivering = false;
    }

    /// What delivers, once all threads have ended.
    pub(super) fn into_delivery(self) -> Delivery {
        self.delivery.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A panic fails the batch, which ends the run in order: no line is lost without a count.
fn judge(worker: &mut impl Worker, batch: &mut Batch) {
    let (chunk, output) = (&batch.chunk, &mut batch.output);
    let judged = catch_unwind(AssertUnwindSafe(|| worker.process(chunk, output)));
    if judged.is_err() {
        batch.failed = true;
        batch.output.clear();
        batch.output.tally.read = memchr::memchr_iter(b'\n', batch.chunk.data()).count() as u64;
    }
}

/// The batches that nobody uses; the last one returned goes first, for it is still in the cache.
struct Pool {
    /// `None` once the pool is closed.
    free: Mutex<Option<Vec<Batch>>>,
    returned: Condvar,
}

impl Pool {
    /// Waits for a batch; `None` when the pool was closed.
    fn take(&self) -> Option<Batch> {
        let mut free = lock(&self.free);
        loop {
            if let Some(batch) = free.as_mut()?.pop() {
                return Some(batch);
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, batch: Batch) {
        if let Some(free) = &mut *lock(&self.free) {
            free.push(batch);
        }
        self.returned.notify_one();
    }

    fn close(&self) {
        *lock(&self.free) = None;
        self.returned.notify_all();
    }
}

/// Lets the others go when a thread panics, who would wait for its batch for ever.
struct Alarm<'a>(&'a Pool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if panicking() {
            self.0.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
