//! A worker's thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender},
    },
};

use super::{batch::Batch, delivery::Ledger, ports::Worker};

/// Judges batches until there are no more.
pub(super) fn run(
    mut worker: impl Worker,
    work: &Mutex<Receiver<Batch>>,
    done: &SyncSender<Batch>,
    ledger: &Ledger,
) {
    loop {
        // The guard goes at once: a worker that judges holds back nobody.
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut batch) = next else { return };
        judge(&mut worker, &mut batch);
        ledger.judged(batch.output.tally.read);
        if done.send(batch).is_err() {
            return;
        }
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
