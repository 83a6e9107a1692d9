//! The routes of a plan that the records of a block take.

use std::sync::Arc;

use super::judgement::WayOf;
use crate::{
    engine::{Plan, Run, Way},
    pipeline::records::{Block, Value},
};

/// The most topics whose way is remembered.
const MOST: usize = 1024;

/// The ways of a block's records.
pub(super) struct Ways {
    plan: Arc<Plan>,
    way: Option<WayOf>,
    /// By topic.
    known: Vec<(Arc<str>, Way)>,
    /// By source of the block.
    sources: Vec<Way>,
    /// By record: an index into `taken`. Without routes, all records have the first.
    records: Vec<u16>,
    taken: Vec<Taken>,
}

struct Taken {
    route: u16,
    ruleset: Option<u16>,
    /// The way of the lines that go with a record.
    with: Way,
}

impl Ways {
    pub(super) fn new(plan: &Arc<Plan>, way: Option<WayOf>) -> Self {
        let mut ways = Self {
            plan: plan.clone(),
            way,
            known: Vec::new(),
            sources: vec![plan.way(|_| false)],
            records: Vec::new(),
            taken: Vec::new(),
        };
        ways.taken(0, None);
        ways
    }

    /// Finds the ways of the block's sources.
    pub(super) fn of(&mut self, block: &Block) -> &[Way] {
        if let Some(way) = self.way.as_ref().filter(|_| self.plan.has_routes()) {
            self.sources.clear();
            for topic in block.sources() {
                let known = self.known.iter().position(|(known, _)| known == topic);
                let at = known.unwrap_or_else(|| {
                    if self.known.len() >= MOST {
                        self.known.clear();
                    }
                    self.known.push((topic.clone(), way(topic)));
                    self.known.len() - 1
                });
                self.sources.push(self.known[at].1.clone());
            }
        }
        &self.sources
    }

    /// Notes what the lines of the block took.
    pub(super) fn take(&mut self, block: &Block, runs: &[Run]) {
        if !self.plan.has_routes() {
            return;
        }
        self.records.clear();
        self.taken.clear();
        let (mut line, mut run) = (0, 0);
        for record in block.records() {
            let lines = match &record.value {
                Value::Line { .. } => 1,
                Value::Lines { count, .. } => *count,
                _ => 0,
            };
            while runs.get(run + 1).is_some_and(|next| next.first <= line) {
                run += 1;
            }
            // A value without lines has no fields.
            let (route, ruleset) = match runs.get(run).filter(|_| lines > 0) {
                Some(run) => (run.route, run.ruleset),
                None => {
                    let way = self.sources.get(usize::from(record.source));
                    let route = way.map_or(0, Way::plain);
                    (route, Some(self.plan.ruleset_of(route)))
                }
            };
            line += lines;
            let at = self.taken(route, ruleset);
            self.records.push(at);
        }
    }

    fn taken(&mut self, route: u16, ruleset: Option<u16>) -> u16 {
        let known = self.taken.iter().position(|t| (t.route, t.ruleset) == (route, ruleset));
        known.unwrap_or_else(|| {
            let with = self.plan.way_with(route, ruleset);
            self.taken.push(Taken { route, ruleset, with });
            self.taken.len() - 1
        }) as u16
    }

    /// The ways of the lines that go with records, and, by record, which of them it has.
    pub(super) fn all_with(&self) -> impl Iterator<Item = &Way> {
        self.taken.iter().map(|taken| &taken.with)
    }

    pub(super) fn number(&self, record: usize) -> u16 {
        self.records.get(record).copied().unwrap_or_default()
    }

    fn of_record(&self, record: usize) -> &Taken {
        &self.taken[usize::from(self.number(record))]
    }

    /// The route of a record.
    pub(super) fn route(&self, record: usize) -> u16 {
        self.of_record(record).route
    }

    /// The way of the lines that go with a record.
    pub(super) fn with(&self, record: usize) -> &Way {
        &self.of_record(record).with
    }

    /// Returns whether nothing that goes with the record can be shown, because no ruleset is strict
    /// enough for it.
    pub(super) fn is_unclear(&self, record: usize) -> bool {
        self.plan.has_routes() && self.of_record(record).ruleset.is_none()
    }
}
