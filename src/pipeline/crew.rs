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

use super::{batch::Batch, ledger::Ledger, order::Order, ports::Worker};
use crate::metrics::Meters;

/// What fills batches.
pub(super) trait Intake<B>: Send {
    /// Fills `batch` with what comes next; `false` when there is no more.
    fn read(&mut self, batch: &mut B) -> bool;
}

/// A batch, as a crew handles it.
pub(super) trait Load<W>: Send {
    /// Its place in the order of everything read.
    fn seq(&self) -> u64;
    /// Whether there is nothing in it to be judged.
    fn is_empty(&self) -> bool;
    /// Has it judged; how many lines or records it stands for. A worker that panics fails the batch.
    fn judge(&mut self, worker: &mut W) -> u64;
}

/// What takes batches in their order.
pub(super) trait Deliver<B>: Send {
    /// Takes the next one.
    fn deliver(&mut self, batch: &mut B);
}

/// What the threads of a crew share.
pub(super) struct Crew<B, D> {
    intake: Mutex<Box<dyn Intake<B>>>,
    queue: Mutex<Queue<B>>,
    /// Held by whoever delivers: [`Queue::delivering`] lets no second one ask.
    delivery: Mutex<D>,
    pool: Pool<B>,
    ledger: Arc<Ledger>,
    meters: Arc<Meters>,
}

struct Queue<B> {
    order: Order<B>,
    delivering: bool,
}

impl<B, D: Deliver<B>> Crew<B, D> {
    pub(super) fn new(
        intake: Box<dyn Intake<B>>,
        delivery: D,
        batches: Vec<B>,
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
    pub(super) fn run<W>(&self, mut worker: W)
    where
        B: Load<W>,
    {
        let _alarm = Alarm(&self.pool);
        while let Some(mut batch) = self.pool.take() {
            self.meters.took();
            if !self.read::<W>(&mut batch) {
                self.give(batch);
                break;
            }
            let read = Instant::now();
            let lines = batch.judge(&mut worker);
            if !batch.is_empty() {
                self.meters.judge.observe(read.elapsed());
            }
            self.ledger.judged(lines);
            self.deliver(batch.seq(), batch);
            self.meters.worked(read.elapsed());
        }
    }

    fn read<W>(&self, batch: &mut B) -> bool
    where
        B: Load<W>,
    {
        let begun = Instant::now();
        let mut intake = lock(&self.intake);
        let more = intake.read(batch);
        if more && !batch.is_empty() {
            self.meters.began(batch.seq());
            self.meters.read.observe(begun.elapsed());
        }
        more
    }

    fn give(&self, batch: B) {
        self.pool.give(batch);
        self.meters.gave();
    }

    /// Delivers `batch`, and all behind it that wait; or leaves it to another's turn.
    fn deliver(&self, seq: u64, batch: B) {
        let mut queue = lock(&self.queue);
        queue.order.push(seq, batch);
        if queue.delivering {
            return;
        }
        queue.delivering = true;
        while let Some(mut batch) = queue.order.pop() {
            drop(queue);
            let begun = Instant::now();
            lock(&self.delivery).deliver(&mut batch);
            self.meters.deliver.observe(begun.elapsed());
            self.give(batch);
            queue = lock(&self.queue);
        }
        queue.delivering = false;
    }

    /// What delivers, once all threads have ended.
    pub(super) fn into_delivery(self) -> D {
        self.delivery.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic of `work` comes to, which ends the run in order: no line is lost without a count.
pub(super) fn survives(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_ok()
}

impl<W: Worker> Load<W> for Batch {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn is_empty(&self) -> bool {
        self.chunk.data().is_empty()
    }

    fn judge(&mut self, worker: &mut W) -> u64 {
        let (chunk, output) = (&self.chunk, &mut self.output);
        if !chunk.data().is_empty() && !survives(|| worker.process(chunk, output)) {
            self.failed = true;
            self.output.clear();
            self.output.tally.read = memchr::memchr_iter(b'\n', self.chunk.data()).count() as u64;
        }
        self.output.tally.read
    }
}

/// The batches that nobody uses; the last one returned goes first, for it is still in the cache.
struct Pool<B> {
    /// `None` once the pool is closed.
    free: Mutex<Option<Vec<B>>>,
    returned: Condvar,
}

impl<B> Pool<B> {
    /// Waits for a batch; `None` when the pool was closed.
    fn take(&self) -> Option<B> {
        let mut free = lock(&self.free);
        loop {
            if let Some(batch) = free.as_mut()?.pop() {
                return Some(batch);
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, batch: B) {
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
struct Alarm<'a, B>(&'a Pool<B>);

impl<B> Drop for Alarm<'_, B> {
    fn drop(&mut self) {
        if panicking() {
            self.0.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
