//! What judging an event may cost.
//!
//! The unit is the work of one byte that a regex looks at: about a nanosecond. Everything whose
//! amount the input decides is paid for, over all levels of decoding and all rounds of judging. The
//! sums depend on nothing but the event and the plan, so an event has the same outcome in every
//! worker and every chunk. `benches/engine.rs` (group `floods`) compares units with time.

/// Units that each byte of an event adds to its budget. All of them together must take less than 20
/// times as long as it takes to forward a clean byte.
const PER_BYTE: usize = 24;
/// Units that it adds for each detector for which every text is searched: it may be searched as it
/// stands, decoded, and again when it was redacted.
const PER_SEARCH: usize = 4;
/// Units that every event has.
const FIXED: usize = 4 << 10;

/// A candidate: its gate, its place, the steps around its regex.
pub(crate) const CANDIDATE: usize = 16;
/// A candidate that stands inside another match and is not judged.
pub(crate) const SKIPPED: usize = 2;
/// A finding: its action, its place in the event, its edit.
pub(crate) const FINDING: usize = 80;
/// A finding behind a name: that, and what tells the value from prose and from what stands behind it.
pub(crate) const ASSIGNED: usize = 128;
/// A pseudonym, and each byte of the value that it stands for.
pub(crate) const PSEUDONYM: usize = 32;
pub(crate) const HASHED: usize = 2;
/// A name that is split into words and looked up.
pub(crate) const NAME: usize = 128;
/// Bytes of a pattern's states that are discarded while the event is judged, and may have to be built
/// again, for one unit.
pub(crate) const EVICTED: usize = 4;
/// A key above a value that is looked through for words.
pub(crate) const KEY: usize = 64;
/// A byte of an event that is judged again, and a round itself. Placeholders are bytes, too: where
/// there is little else, the event is three times as long, and a further round must still fit.
pub(crate) const AGAIN: usize = 1;
pub(crate) const ROUND: usize = 128;

/// The budget of one event.
#[derive(Default)]
pub(crate) struct Budget {
    spent: usize,
    limit: usize,
}

impl Budget {
    /// The budget of an event of `len` bytes, whose texts so many detectors search.
    pub(crate) fn begin(&mut self, len: usize, searched: usize) {
        (self.spent, self.limit) = (0, limit(len) + PER_SEARCH * searched * len);
    }

    #[inline]
    pub(crate) fn spend(&mut self, units: usize) {
        self.spent = self.spent.saturating_add(units);
    }

    /// What is left.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.limit.saturating_sub(self.spent)
    }

    /// Whether more was spent than the event may cost.
    #[inline]
    pub(crate) fn is_exceeded(&self) -> bool {
        self.spent > self.limit
    }

    pub(crate) fn spent(&self) -> usize {
        self.spent
    }

    /// Takes back what was spent since [`spent`](Self::spent) returned `spent`.
    pub(crate) fn return_to(&mut self, spent: usize) {
        self.spent = spent;
    }
}

/// What an event of `len` bytes may cost.
pub(crate) fn limit(len: usize) -> usize {
    PER_BYTE * len + FIXED
}
