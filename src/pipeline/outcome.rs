//! The outcomes of lines and records: the result of the engine, and what the layers around it
//! decided.

use std::{mem::take, ops::AddAssign, sync::Arc};

use super::{
    reason::Reason,
    stays::{Stay, Stays},
};
use crate::engine::{
    self, KeyBlock, RouteCounts, RouteInfo, Run,
    outcome::{add, zeroed},
};

/// The number of rejects whose memory is kept from batch to batch.
const MOST_REJECTS: usize = 4096;

/// A line or a record that was not forwarded.
pub type Reject = engine::Reject<Reason>;

// The engine's rejects are converted in place: see `Output::judge`.
const _: () = assert!(size_of::<Reject>() == size_of::<engine::Reject>());

impl From<engine::Reject> for Reject {
    fn from(reject: engine::Reject) -> Self {
        reject.map(Reason::Judged)
    }
}

/// The counts of one batch, or of several.
///
/// Each line or record that was read has exactly one of these outcomes: `read == clean + redacted +
/// wrapped + blank + tombstones + joined + Σ stay + Σ rejected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Lines and records read.
    pub read: u64,
    /// Events forwarded byte for byte.
    pub clean: u64,
    /// Events forwarded with edits.
    pub redacted: u64,
    /// Text lines forwarded as `{"message":"…"}`.
    pub wrapped: u64,
    /// Empty lines, skipped.
    pub blank: u64,
    /// Records without a value, forwarded.
    pub tombstones: u64,
    /// Pieces of a line that a container runtime split, except for the first one, which is counted
    /// for all of them.
    pub joined: u64,
    /// Dead letters that were read again and not replayed, by [`Stays::index`].
    pub stay: Stay,
    /// Lines and records not forwarded, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Redactions by detector, in the order of [`Plan::detectors`](engine::Plan::detectors).
    pub redactions: Vec<u64>,
    /// Findings that rules only count, in the same order.
    pub observed: Vec<u64>,
    /// How often each entry of the allow-list and each rule applied, in the order of
    /// [`Plan::policy`](engine::Plan::policy).
    pub hits: Vec<u64>,
    /// Lines in which bytes before the event were removed: a byte order mark, NUL or a record
    /// separator. They are also counted as redacted, unless they are rejected.
    pub prefixes: u64,
    /// Bytes of input that were judged, including line ends.
    pub bytes_in: u64,
    /// Bytes forwarded.
    pub bytes_out: u64,
    /// Counts by route, in the order of [`Output::routes`], without the default route. Routes
    /// belong to a plan, and a run may have several plans, so a run counts by name.
    pub routes: Vec<RouteCounts>,
}

// Arrays of this length do not implement `Default`.
impl Default for Tally {
    fn default() -> Self {
        Self {
            read: 0,
            clean: 0,
            redacted: 0,
            wrapped: 0,
            blank: 0,
            tombstones: 0,
            joined: 0,
            stay: [0; Stays::ALL.len()],
            rejected: [0; Reason::ALL.len()],
            redactions: Vec::new(),
            observed: Vec::new(),
            hits: Vec::new(),
            prefixes: 0,
            bytes_in: 0,
            bytes_out: 0,
            routes: Vec::new(),
        }
    }
}

impl Tally {
    /// Counts lines or records of this route that are not forwarded.
    pub fn reject(&mut self, route: u16, reason: Reason, lines: u64) {
        self.rejected[reason.index()] += lines;
        match (self.of_route(route), reason) {
            (Some(counts), Reason::Judged(reason)) => counts.reject(reason, lines),
            (Some(counts), _) => counts.rejected += lines,
            (None, _) => {}
        }
    }

    /// Reverts a [`reject`](Self::reject).
    pub fn take_back(&mut self, route: u16, reason: Reason, lines: u64) {
        self.rejected[reason.index()] -= lines;
        match (self.of_route(route), reason) {
            (Some(counts), Reason::Judged(reason)) => counts.take_back(reason, lines),
            (Some(counts), _) => counts.rejected -= lines,
            (None, _) => {}
        }
    }

    /// The counts of a route; `None` for the default route.
    pub fn of_route(&mut self, route: u16) -> Option<&mut RouteCounts> {
        self.routes.get_mut(usize::from(route).checked_sub(1)?)
    }

    /// All lines and records that were not forwarded.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Those of them that a rule drops on purpose.
    pub fn intentional(&self) -> u64 {
        let all = Reason::ALL.iter().filter(|reason| reason.is_intentional());
        all.map(|reason| self.rejected[reason.index()]).sum()
    }

    /// All dead letters that are not replayed.
    pub fn stay_total(&self) -> u64 {
        self.stay.iter().sum()
    }

    /// Lines and records forwarded.
    pub fn forwarded(&self) -> u64 {
        self.clean + self.redacted + self.wrapped + self.tombstones
    }

    /// Adds the findings and decisions in the lines of `judged`, but not the lines.
    pub fn add_findings(&mut self, judged: &engine::Tally) {
        add(&mut self.redactions, &judged.redactions);
        add(&mut self.observed, &judged.observed);
        add(&mut self.hits, &judged.hits);
        self.routes.resize_with(judged.routes.len().max(self.routes.len()), RouteCounts::default);
        for (all, more) in self.routes.iter_mut().zip(&judged.routes) {
            add(&mut all.redactions, &more.redactions);
        }
    }

    /// `read` minus every outcome; 0 unless the program has a bug.
    pub fn unaccounted(&self) -> i64 {
        self.read as i64
            - (self.forwarded()
                + self.blank
                + self.joined
                + self.stay_total()
                + self.rejected_total()) as i64
    }

    /// Sets every count to 0, and keeps the memory.
    fn clear(&mut self) {
        let redactions = zeroed(&mut self.redactions);
        let (observed, hits) = (zeroed(&mut self.observed), zeroed(&mut self.hits));
        let mut routes = take(&mut self.routes);
        routes.iter_mut().for_each(RouteCounts::clear);
        *self = Self { redactions, observed, hits, routes, ..Self::default() };
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, o: &Tally) {
        self.read += o.read;
        self.clean += o.clean;
        self.redacted += o.redacted;
        self.wrapped += o.wrapped;
        self.blank += o.blank;
        self.tombstones += o.tombstones;
        self.joined += o.joined;
        self.prefixes += o.prefixes;
        self.bytes_in += o.bytes_in;
        self.bytes_out += o.bytes_out;
        let counts = self.rejected.iter_mut().zip(&o.rejected);
        counts.chain(self.stay.iter_mut().zip(&o.stay)).for_each(|(a, b)| *a += b);
        add(&mut self.redactions, &o.redactions);
        add(&mut self.observed, &o.observed);
        add(&mut self.hits, &o.hits);
    }
}

impl AddAssign<&engine::Tally> for Tally {
    fn add_assign(&mut self, judged: &engine::Tally) {
        // Every field is named, so that none is forgotten.
        let engine::Tally {
            read,
            clean,
            redacted,
            wrapped,
            blank,
            rejected,
            redactions,
            observed,
            hits,
            prefixes,
            bytes_in,
            bytes_out,
            routes,
        } = judged;
        self.read += read;
        self.clean += clean;
        self.redacted += redacted;
        self.wrapped += wrapped;
        self.blank += blank;
        self.prefixes += prefixes;
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
        self.rejected.iter_mut().zip(rejected).for_each(|(a, b)| *a += b);
        add(&mut self.redactions, redactions);
        add(&mut self.observed, observed);
        add(&mut self.hits, hits);
        self.routes.resize_with(routes.len().max(self.routes.len()), RouteCounts::default);
        self.routes.iter_mut().zip(routes).for_each(|(all, more)| all.add(more));
    }
}

/// The result of a worker for a batch. It is reused from batch to batch.
#[derive(Debug, Default)]
pub struct Output {
    /// What may be forwarded: whole lines.
    pub clean: Vec<u8>,
    /// What was not forwarded, in the order of the input. If bodies are not kept, it has only the
    /// first of each reason; the tally counts all.
    pub rejects: Vec<Reject>,
    /// The bodies that `rejects` refer to.
    pub bodies: Vec<u8>,
    /// The routes of the plan that the lines were judged by, with the default route first.
    pub routes: Arc<[RouteInfo]>,
    /// Runs, like those of the engine.
    pub runs: Vec<Run>,
    /// The counts.
    pub tally: Tally,
    /// The private key that is open after the last line.
    pub key_block: KeyBlock,
    /// Memory for the counts of the engine.
    judged: engine::Tally,
}

impl Output {
    /// Lets the engine judge into the memory of this output, and takes over the result.
    pub fn judge<T>(&mut self, judge: impl FnOnce(&mut engine::Output) -> T) -> T {
        let mut judged = engine::Output {
            clean: take(&mut self.clean),
            rejects: match self.rejects.is_empty() {
                true => emptied(take(&mut self.rejects)),
                false => Vec::new(),
            },
            bodies: take(&mut self.bodies),
            routes: Arc::default(),
            runs: take(&mut self.runs),
            key_block: self.key_block,
            tally: take(&mut self.judged),
        };
        let result = judge(&mut judged);
        let engine::Output { clean, rejects, bodies, routes, runs, key_block, tally } = judged;
        (self.clean, self.bodies, self.routes, self.runs) = (clean, bodies, routes, runs);
        self.key_block = key_block;
        let rejects = rejects.into_iter().map(Reject::from);
        match self.rejects.is_empty() {
            // Converted in place, so that the memory of one list is enough.
            true => self.rejects = rejects.collect(),
            false => self.rejects.extend(rejects),
        }
        self.tally += &tally;
        self.judged = tally;
        self.judged.clear();
        result
    }

    /// The name of this route's schema.
    pub fn schema_of(&self, route: u16) -> Option<&str> {
        self.routes.get(usize::from(route))?.schema.as_deref()
    }

    /// The name of this route, if there are any besides the default.
    pub fn route(&self, route: u16) -> Option<&str> {
        let info = self.routes.get(usize::from(route)).filter(|_| self.routes.len() > 1)?;
        Some(&info.name)
    }

    /// Reserves memory for the lines of a chunk with `data` bytes. If they grow beyond it, it doubles.
    pub fn make_room(&mut self, data: usize) {
        self.clean.reserve_exact(data);
    }

    /// Forgets the last batch, and keeps as much memory as two chunks with `usual` bytes need.
    pub fn recycle(&mut self, usual: usize) {
        for text in [&mut self.clean, &mut self.bodies] {
            if text.capacity() > 2 * usual {
                *text = Vec::new();
            }
        }
        if self.rejects.capacity() > MOST_REJECTS {
            self.rejects = Vec::new();
        }
        self.clear();
    }

    /// Forgets the last batch, and keeps the memory.
    pub fn clear(&mut self) {
        self.clean.clear();
        self.rejects.clear();
        self.bodies.clear();
        self.routes = Arc::default();
        self.runs.clear();
        self.key_block = KeyBlock::default();
        self.tally.clear();
    }
}

/// Returns an empty list that uses the memory of `all`. Its items have the same size.
fn emptied<A, B>(mut all: Vec<A>) -> Vec<B> {
    all.clear();
    all.into_iter().filter_map(|_| None).collect()
}
