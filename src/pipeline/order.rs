//! The input's order back, after workers of different speed.

use super::batch::Batch;

/// Batches that came before their turn.
pub(super) struct Order {
    next: u64,
    waiting: Vec<Batch>,
}

impl Order {
    pub(super) fn new() -> Self {
        Self { next: 0, waiting: Vec::new() }
    }

    /// Keeps a batch until its turn.
    pub(super) fn push(&mut self, batch: Batch) {
        self.waiting.push(batch);
    }

    /// The batch whose turn it is, if it has come. The pool is small: a scan is enough.
    pub(super) fn pop(&mut self) -> Option<Batch> {
        let at = self.waiting.iter().position(|b| b.seq == self.next)?;
        self.next += 1;
        Some(self.waiting.swap_remove(at))
    }
}
