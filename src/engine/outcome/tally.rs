//! The counts of lines, which must add up.

use super::{Reason, RouteCounts, add, zeroed};

/// Counts of one chunk, or of many added up.
///
/// Each line that was read ends in exactly one of the outcomes: `read == clean + redacted + wrapped +
/// blank + Σ rejected`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Lines read.
    pub read: u64,
    /// Events forwarded byte for byte.
    pub clean: u64,
    /// Events forwarded with edits.
    pub redacted: u64,
    /// Text lines forwarded as `{"message":"…"}`.
    pub wrapped: u64,
    /// Empty lines, skipped.
    pub blank: u64,
    /// Lines not forwarded, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Redactions by detector, in the order of [`Plan::detectors`](crate::engine::Plan::detectors).
    pub redactions: Vec<u64>,
    /// What rules only count, in the same order.
    pub observed: Vec<u64>,
    /// How often each entry of the allow-list and each rule decided, in the order of
    /// [`Plan::policy`](crate::engine::Plan::policy).
    pub hits: Vec<u64>,
    /// Lines of which bytes before their event were removed: a byte order mark, NUL or a record
    /// separator. They are counted as redacted, too, unless they are rejected.
    pub prefixes: u64,
    /// Bytes of input judged, line ends included.
    pub bytes_in: u64,
    /// Bytes forwarded.
    pub bytes_out: u64,
    /// What took each route, but for the default's: what no route has took that.
    pub routes: Vec<RouteCounts>,
}

impl Tally {
    /// The counts of a route; nothing for the default.
    #[inline(always)]
    pub(crate) fn of_route(&mut self, route: u16) -> Option<&mut RouteCounts> {
        self.routes.get_mut(usize::from(route).checked_sub(1)?)
    }

    /// Counts what was redacted in lines of this route, by detector.
    pub(crate) fn count_redactions(&mut self, route: u16, detectors: &[u16]) {
        let all = self.redactions.len();
        let Some(counts) = self.of_route(route) else { return };
        counts.redactions.resize(all, 0);
        detectors.iter().for_each(|d| counts.redactions[usize::from(*d)] += 1);
    }

    /// Counts a line of this route that is not forwarded.
    pub(crate) fn reject(&mut self, route: u16, reason: Reason) {
        self.rejected[reason.index()] += 1;
        if let Some(counts) = self.of_route(route) {
            counts.reject(reason, 1);
        }
    }

    /// All lines that were not forwarded.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Lines forwarded.
    pub fn forwarded(&self) -> u64 {
        self.clean + self.redacted + self.wrapped
    }

    /// Takes over what was counted: observations and hits.
    pub(crate) fn observe(&mut self, observations: &mut [u64], hits: &mut [u64]) {
        add(&mut self.observed, observations);
        add(&mut self.hits, hits);
        observations.fill(0);
        hits.fill(0);
    }

    /// Sets every count to 0, and keeps the memory.
    pub fn clear(&mut self) {
        let redactions = zeroed(&mut self.redactions);
        let (observed, hits) = (zeroed(&mut self.observed), zeroed(&mut self.hits));
        self.routes.iter_mut().for_each(RouteCounts::clear);
        let routes = std::mem::take(&mut self.routes);
        *self = Self { redactions, observed, hits, routes, ..Self::default() };
    }

    /// `read` minus every outcome; 0 unless the program has a bug.
    pub fn unaccounted(&self) -> i64 {
        self.read as i64 - (self.forwarded() + self.blank + self.rejected_total()) as i64
    }
}
