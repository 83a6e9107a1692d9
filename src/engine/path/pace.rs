//! When states are tried: where keys come in ever new orders, not on every event.

/// Whether the next event is walked by states or by nodes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Events to walk by nodes before states are tried again.
    by_nodes: u32,
    /// Rises when states do not fit, falls when they do.
    misses: u32,
    /// Misses since the states were last forgotten.
    missed: u32,
}

impl Pace {
    /// Whether states are tried on the next event.
    #[inline(always)]
    pub(crate) fn tries_states(&mut self) -> bool {
        if self.by_nodes == 0 {
            return true;
        }
        self.by_nodes -= 1;
        false
    }

    /// States did fit.
    #[inline(always)]
    pub(crate) fn fitted(&mut self) {
        self.misses = self.misses.saturating_sub(1);
    }

    /// States did not fit. Where that is so again and again, they are not tried for a while. Whether
    /// all states are to be forgotten, for the stream may have changed since they filled up.
    #[cold]
    pub(crate) fn missed(&mut self) -> bool {
        self.misses += 16;
        if self.misses > 128 {
            self.misses = 112;
            self.by_nodes = 500;
        }
        self.missed += 1;
        if self.missed > 1000 {
            self.missed = 0;
            self.by_nodes = 0;
            return true;
        }
        false
    }
}
