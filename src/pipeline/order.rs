//! Restores the order of the input, because workers have different speeds.

/// Batches that came before their turn.
pub(super) struct Order<B> {
    next: u64,
    waiting: Vec<(u64, B)>,
}

impl<B> Order<B> {
    pub(super) fn new() -> Self {
        Self { next: 0, waiting: Vec::new() }
    }

    /// Keeps a batch until it is the turn of `seq`.
    pub(super) fn push(&mut self, seq: u64, batch: B) {
        self.waiting.push((seq, batch));
    }

    /// Returns the batch whose turn it is, if it has come. The pool is small, so a scan is enough.
    pub(super) fn pop(&mut self) -> Option<B> {
        let at = self.waiting.iter().position(|(seq, _)| *seq == self.next)?;
        self.next += 1;
        Some(self.waiting.swap_remove(at).1)
    }
}
