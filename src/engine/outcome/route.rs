//! What became of the lines of one route.

use std::sync::Arc;

use super::{Reason, add};

/// Counts of the lines that took one route.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RouteCounts {
    /// Lines and records forwarded.
    pub forwarded: u64,
    /// Lines and records not forwarded.
    pub rejected: u64,
    /// Those of them that a schema refused, by reason: those that occurred.
    pub violations: Vec<(Reason, u64)>,
    /// Redactions by detector, as in [`Tally::redactions`](super::Tally::redactions); empty where there is none.
    pub redactions: Vec<u64>,
}

impl RouteCounts {
    /// Counts so many lines that are not forwarded.
    pub fn reject(&mut self, reason: Reason, lines: u64) {
        self.rejected += lines;
        if reason.is_violation() {
            *self.violation(reason) += lines;
        }
    }

    /// Takes back what [`reject`](Self::reject) counted.
    pub fn take_back(&mut self, reason: Reason, lines: u64) {
        self.rejected -= lines;
        if reason.is_violation() {
            *self.violation(reason) -= lines;
        }
    }

    /// The lines that a schema refused for this reason.
    pub fn violations_of(&self, reason: Reason) -> u64 {
        self.violations.iter().filter(|(known, _)| *known == reason).map(|(_, count)| count).sum()
    }

    fn violation(&mut self, reason: Reason) -> &mut u64 {
        let at = self.violations.iter().position(|(known, _)| *known == reason);
        let at = at.unwrap_or_else(|| {
            self.violations.push((reason, 0));
            self.violations.len() - 1
        });
        &mut self.violations[at].1
    }

    /// Adds those of another batch.
    pub fn add(&mut self, more: &Self) {
        self.forwarded += more.forwarded;
        self.rejected += more.rejected;
        for &(reason, count) in &more.violations {
            *self.violation(reason) += count;
        }
        if !more.redactions.is_empty() {
            add(&mut self.redactions, &more.redactions);
        }
    }

    /// Sets every count to 0, and keeps the memory.
    pub fn clear(&mut self) {
        (self.forwarded, self.rejected) = (0, 0);
        self.violations.clear();
        self.redactions.fill(0);
    }
}

/// Lines one after another that took the same route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first of them, as [`Reject::line`](super::Reject::line) counts.
    pub first: u32,
    /// The route.
    pub route: u16,
    /// What they were judged by; none where no ruleset is strict enough.
    pub ruleset: Option<u16>,
}

/// What [`Output::routes`](super::Output::routes) says of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The name of its schema.
    pub schema: Option<Arc<str>>,
}
