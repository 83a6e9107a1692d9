//! The crew: threads that each read, judge and deliver.
//!
//! Only one thread reads at a time, and only one delivers. A batch stays on the thread that filled
//! it until it is delivered, so its data is judged while it is in the processor's cache, and a crew
//! of one is a plain loop. A batch that is judged before its turn is queued, and delivered by the
//! thread that delivers the one before it.

use std::{
    mem::take,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{panicking, sleep},
    time::{Duration, Instant},
};

use super::{
    batch::Batch,
    flight::{Flight, Load as Flying},
    growing::Caution,
    ledger::Ledger,
    order::Order,
    outcome::Reject,
    ports::Worker,
    reason::Reason,
    taken::Taken,
};
use crate::metrics::Meters;

/// How long the delivery may continue before it is abandoned.
const PATIENCE: Duration = Duration::from_millis(500);

/// Fills batches.
pub(super) trait Intake<B>: Send {
    /// Fills `batch` with what comes next. Returns `false` at the end.
    fn read(&mut self, batch: &mut B) -> bool;
}

/// A batch, as a crew handles it.
pub(super) trait Load<W>: Send {
    /// Its number in the order of everything that is read.
    fn seq(&self) -> u64;
    /// Returns whether it contains nothing to judge.
    fn is_empty(&self) -> bool;
    /// Returns whether it is longer than usual. The number of long batches at the same time is limited.
    fn is_long(&self) -> bool;
    /// Frees the memory that only a long batch needs.
    fn shrink(&mut self);
    /// Judges it. `ledger` notes it, and afterwards how many lines or records it contains. If a
    /// worker panics, the batch fails.
    fn judge(&mut self, worker: &mut W, ledger: &Ledger);
    /// Judges it again, with the state that it [continues](Deliver::continues).
    fn judge_again(&mut self, worker: &mut W) {
        let _ = worker;
    }
    /// Judges again those lines whose output is in the first `taken` bytes, and omits the others.
    fn judge_part(&mut self, worker: &mut W, taken: &Taken, ledger: &Ledger) {
        let _ = (worker, taken, ledger);
    }
}

/// Takes batches in their order.
pub(super) trait Deliver<B>: Send {
    /// Gives a batch, the next one, the state at the end of the batch before it in its input.
    /// Returns `true` if it was judged with another state and must be judged again.
    fn continues(&mut self, batch: &mut B) -> bool {
        let _ = batch;
        false
    }
    /// Takes the next one.
    fn deliver(&mut self, batch: &mut B);
    /// Returns how much was taken of the output of a batch that was not delivered. It is called
    /// once.
    fn taken(&mut self) -> Option<Taken> {
        None
    }
    /// Accounts for a batch whose output was written in part: the part that [was
    /// taken](Self::taken).
    fn deliver_part(&mut self, batch: &mut B) {
        let _ = batch;
    }
    /// Ends early: undoes what can be undone.
    fn give_up(&mut self) {}
}

/// The shared state of a crew's threads.
pub(super) struct Crew<B, D> {
    intake: Mutex<Box<dyn Intake<B>>>,
    queue: Mutex<Queue<B>>,
    /// Locked by the thread that delivers. [`Queue::delivering`] ensures that no second thread
    /// tries.
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
        (batches, long): (Vec<B>, usize),
        ledger: Arc<Ledger>,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            intake: Mutex::new(intake),
            queue: Mutex::new(Queue { order: Order::new(), delivering: false }),
            delivery: Mutex::new(delivery),
            pool: Pool::new(batches, long),
            ledger,
            meters,
        }
    }

    /// The work of one thread, until there is nothing left to read.
    pub(super) fn run<W>(&self, mut worker: W)
    where
        B: Load<W>,
    {
        let _alarm = Alarm(&self.pool);
        while let Some(mut batch) = self.pool.take() {
            self.meters.took();
            if !self.read::<W>(&mut batch) {
                self.give::<W>(batch);
                break;
            }
            let read = Instant::now();
            if !batch.is_empty() {
                batch.judge(&mut worker, &self.ledger);
                self.meters.judge.observe(read.elapsed());
            }
            self.deliver(batch.seq(), batch, &mut worker);
            self.meters.worked(read.elapsed());
        }
    }

    fn read<W>(&self, batch: &mut B) -> bool
    where
        B: Load<W>,
    {
        let begun = Instant::now();
        let mut intake = lock(&self.intake);
        // A long batch waits here, where nothing behind it is read: all that it waits for comes
        // before it.
        let more = intake.read(batch) && (!batch.is_long() || self.pool.admit_long());
        if more && !batch.is_empty() {
            self.meters.began(batch.seq());
            self.meters.read.observe(begun.elapsed());
        }
        more
    }

    fn give<W>(&self, mut batch: B)
    where
        B: Load<W>,
    {
        let long = batch.is_long();
        if long {
            batch.shrink();
        }
        self.pool.give(batch, long);
        self.meters.gave();
    }

    /// Delivers `batch`, and all waiting batches after it; or leaves it in the queue until its
    /// turn.
    fn deliver<W>(&self, seq: u64, batch: B, worker: &mut W)
    where
        B: Load<W>,
    {
        let mut queue = lock(&self.queue);
        queue.order.push(seq, batch);
        if queue.delivering {
            return;
        }
        queue.delivering = true;
        while let Some(mut batch) = queue.order.pop() {
            drop(queue);
            let begun = Instant::now();
            self.ledger.delivers(true);
            let mut delivery = lock(&self.delivery);
            if delivery.continues(&mut batch) {
                batch.judge_again(worker);
            }
            delivery.deliver(&mut batch);
            if let Some(taken) = delivery.taken() {
                batch.judge_part(worker, &taken, &self.ledger);
                delivery.deliver_part(&mut batch);
            }
            drop(delivery);
            self.ledger.delivers(false);
            self.meters.deliver.observe(begun.elapsed());
            self.give::<W>(batch);
            queue = lock(&self.queue);
        }
        queue.delivering = false;
    }

    /// Abandons the delivery, unless it is the part that is blocked.
    pub(super) fn give_up(&self) {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(mut delivery) = self.delivery.try_lock() {
                return delivery.give_up();
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Returns the delivery, once all threads have ended.
    pub(super) fn into_delivery(self) -> D {
        self.delivery.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Handles a panic of `work`, so that the run ends in order and every line is counted.
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

    fn is_long(&self) -> bool {
        self.long
    }

    fn shrink(&mut self) {
        self.forget();
    }

    fn judge(&mut self, worker: &mut W, ledger: &Ledger) {
        if self.caution == Caution::Quarantined {
            self.refuse();
            ledger.lands(self.seq, self.output.tally.read, true);
            return;
        }
        self.chunk.set_origin(self.name.clone());
        let chunk = Arc::new(take(&mut self.chunk));
        let (input, bytes) = (self.name.clone(), self.offset..self.end);
        let (number, alone) = (self.input, self.caution == Caution::Alone);
        let load = Flying::Lines { chunk: chunk.clone(), number, input, bytes, alone };
        let mut flight = Flight::new(self.seq, load);
        flight.waits = alone;
        ledger.takes_off(flight);
        let _alone = alone.then(|| ledger.alone());
        ledger.begins(self.seq);
        let output = &mut self.output;
        output.make_room(self.usual.max(chunk.data().len()));
        let survived = survives(|| worker.process(&chunk, output));
        let lines = match survived {
            true => output.tally.read,
            false => memchr::memchr_iter(b'\n', chunk.data()).count() as u64,
        };
        ledger.lands(self.seq, lines, survived);
        if !survived {
            self.failed = true;
            output.clear();
            output.tally.read = lines;
        }
        self.forget_refused_part();
        // Nothing else holds it any more.
        self.chunk = Arc::into_inner(chunk).unwrap_or_default();
    }

    fn judge_again(&mut self, worker: &mut W) {
        let Self { chunk, output, .. } = self;
        let lines = output.tally.read;
        output.clear();
        if !survives(|| worker.process(chunk, output)) {
            self.failed = true;
            self.output.clear();
            self.output.tally.read = lines;
        }
        self.forget_refused_part();
    }

    fn judge_part(&mut self, worker: &mut W, taken: &Taken, ledger: &Ledger) {
        self.judge_taken(worker, taken, ledger);
    }
}

impl Batch {
    /// Forgets that the beginning of a line was refused, because the whole line is not known.
    /// Nothing of it was counted as refused, and nothing was written.
    fn forget_refused_part(&mut self) {
        if self.cut && self.output.tally.rejected_total() > 0 {
            self.output.clear();
        }
    }

    /// Refuses its line, and the lines that belong to it, without judging them.
    fn refuse(&mut self) {
        let mut ends = memchr::memchr_iter(b'\n', self.chunk.data()).map(|at| at as u32);
        let mut reject = Reject::of(Reason::Poison, 0);
        let mut start = ends.next().unwrap_or_default();
        reject.len = start;
        for end in ends {
            reject.joined.push(start + 1..end);
            start = end;
        }
        let tally = &mut self.output.tally;
        tally.joined = reject.joined.len() as u64;
        tally.read = tally.joined + 1;
        tally.bytes_in = self.chunk.data().len() as u64;
        tally.rejected[Reason::Poison.index()] = 1;
        self.output.rejects.push(reject);
    }
}

/// The free batches. The one returned last is used first, because it is still in the cache.
struct Pool<B> {
    /// `None` once the pool is closed.
    free: Mutex<Option<Free<B>>>,
    returned: Condvar,
    long_returned: Condvar,
}

struct Free<B> {
    batches: Vec<B>,
    /// The number of batches that may still become long.
    long: usize,
}

impl<B> Pool<B> {
    fn new(batches: Vec<B>, long: usize) -> Self {
        let free = Mutex::new(Some(Free { batches, long }));
        Self { free, returned: Condvar::new(), long_returned: Condvar::new() }
    }

    /// Waits for a batch. Returns `None` when the pool was closed.
    fn take(&self) -> Option<B> {
        self.wait(&self.returned, |free| free.batches.pop())
    }

    /// Waits until another batch may be long. Returns `false` when the pool was closed.
    fn admit_long(&self) -> bool {
        let admitted = self.wait(&self.long_returned, |free| {
            free.long = free.long.checked_sub(1)?;
            Some(())
        });
        admitted.is_some()
    }

    fn wait<T>(&self, changed: &Condvar, take: impl Fn(&mut Free<B>) -> Option<T>) -> Option<T> {
        let mut free = lock(&self.free);
        loop {
            if let Some(taken) = take(free.as_mut()?) {
                return Some(taken);
            }
            free = changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give(&self, batch: B, long: bool) {
        if let Some(free) = &mut *lock(&self.free) {
            free.batches.push(batch);
            free.long += usize::from(long);
        }
        self.returned.notify_one();
        self.long_returned.notify_one();
    }

    fn close(&self) {
        *lock(&self.free) = None;
        self.returned.notify_all();
        self.long_returned.notify_all();
    }
}

/// Releases the other threads when a thread panics, because they would wait for its batch for ever.
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
