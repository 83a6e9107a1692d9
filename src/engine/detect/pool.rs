//! The memory of one worker for the states of all patterns: one pool, whatever the number of
//! detectors.
//!
//! Whether the states that an event needs fit depends on the event alone, not on what the events
//! before it left here. The first pass may take the memory of patterns that the event has not used. If
//! that is not enough, the event is judged once more with an empty pool ([`Pool::begin_alone`]). Then
//! everything that is built, and everything that is discarded, is a function of the event.

use super::budget::{Budget, EVICTED};
use super::pattern::{Memory, STATES};

/// The most memory of the pool, by the count of `regex_automata`. What the allocator holds for it is at
/// most twice as much: tables grow by doubling.
const MOST: usize = 2 << 20;
/// Above this, the memory of a pattern is discarded. One search adds at most the states of one pattern.
const LIMIT: usize = MOST - STATES;

/// The most memory that the pool takes from the allocator.
pub(crate) const POOL_BYTES: u64 = 2 * MOST as u64;

/// What a worker keeps of each pattern.
#[derive(Default)]
pub(crate) struct Pool {
    /// By detector.
    slots: Vec<Slot>,
    /// The memory of all slots.
    held: usize,
    /// Counts searches.
    clock: u64,
    /// The clock when the event began: what was used later is needed.
    began: u64,
    /// The pool was emptied for this event, which may discard what it has used itself.
    alone: bool,
    /// The states that the event needs do not fit.
    pub(crate) full: bool,
}

#[derive(Default)]
struct Slot {
    memory: Memory,
    /// Its size when it was counted last.
    held: usize,
    /// The clock of its last search.
    used: u64,
}

impl Pool {
    /// Begins an event, or a further look at it.
    pub(crate) fn begin(&mut self) {
        self.began = self.clock;
    }

    /// Begins the event again, with an empty pool.
    #[cold]
    pub(crate) fn begin_alone(&mut self) {
        self.slots.fill_with(Slot::default);
        (self.held, self.began) = (0, self.clock);
        (self.alone, self.full) = (true, false);
    }

    /// Ends the event that was judged with a pool that was empty.
    #[cold]
    pub(crate) fn end_alone(&mut self) {
        (self.alone, self.full) = (false, false);
    }

    /// What is kept for `detector`, one of `count`.
    #[inline]
    pub(super) fn of(&mut self, detector: u16, count: usize) -> &mut Memory {
        if self.slots.len() < count {
            self.slots.resize_with(count, Slot::default);
        }
        self.clock += 1;
        let slot = &mut self.slots[usize::from(detector)];
        slot.used = self.clock;
        &mut slot.memory
    }

    /// Counts what a search of `detector` has built.
    #[inline]
    pub(super) fn count(&mut self, detector: u16, budget: &mut Budget) {
        let slot = &mut self.slots[usize::from(detector)];
        let size = slot.memory.size();
        if size != slot.held {
            self.held = self.held + size - slot.held;
            slot.held = size;
            if self.held > LIMIT {
                self.make_room(detector, budget);
            }
        }
    }

    /// Discards the memory of the patterns that were used least recently, but for that of `detector`.
    #[cold]
    fn make_room(&mut self, detector: u16, budget: &mut Budget) {
        while self.held > LIMIT {
            let (alone, began) = (self.alone, self.began);
            let others = self.slots.iter_mut().enumerate().filter(|(id, slot)| {
                *id != usize::from(detector) && slot.held > 0 && (alone || slot.used <= began)
            });
            let Some((_, oldest)) = others.min_by_key(|(_, slot)| slot.used) else {
                self.full = true;
                return;
            };
            self.held -= oldest.held;
            if alone {
                // It may have to be built again, which the event pays for.
                budget.spend(oldest.held / EVICTED);
            }
            *oldest = Slot::default();
        }
    }

    /// The memory of all patterns, by the count of `regex_automata`.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests;
