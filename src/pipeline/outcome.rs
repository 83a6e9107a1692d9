//! What became of lines and records: what the engine made of them, and what the layers around it
//! concluded.

use std::{mem::take, ops::AddAssign, sync::Arc};

use super::{
    reason::Reason,
    stays::{Stay, Stays},
};
use crate::engine::{
    self, KeyBlock,
    outcome::{add, zeroed},
};

/// A line or a record that was not forwarded.
pub type Reject = engine::Reject<Reason>;

// Those of the engine become these where they are: see `Output::judge`.
const _: () = assert!(size_of::<Reject>() == size_of::<engine::Reject>());

impl From<engine::Reject> for Reject {
    fn from(reject: engine::Reject) -> Self {
        reject.map(Reason::Judged)
    }
}

/// Counts of one batch, or of many added up.
///
/// Each line or record that was read ends in exactly one of the outcomes: `read == clean + redacted +
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
    /// Pieces of a line that a container runtime cut, after the first one, which is counted for all.
    pub joined: u64,
    /// Dead letters that are read again and not replayed, by [`Stays::index`].
    pub stay: Stay,
    /// Lines and records not forwarded, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Redactions by detector, in the order of [`Plan::detectors`](engine::Plan::detectors).
    pub redactions: Vec<u64>,
    /// What rules only count, in the same order.
    pub observed: Vec<u64>,
    /// How often each entry of the allow-list and each rule decided, in the order of
    /// [`Plan::policy`](engine::Plan::policy).
    pub hits: Vec<u64>,
    /// Lines of which bytes before their event were removed: a byte order mark, NUL or a record
    /// separator. They are counted as redacted, too, unless they are rejected.
    pub prefixes: u64,
    /// Bytes of input judged, line ends included.
    pub bytes_in: u64,
    /// Bytes forwarded.
    pub bytes_out: u64,
}

// No array as long as that of reasons has a default of its own.
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
        }
    }
}

impl Tally {
    /// All lines and records that were not forwarded.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Of these, lines that a rule drops on purpose.
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

    /// Adds what the engine found and decided in the lines of `judged`, and not the lines.
    pub fn add_findings(&mut self, judged: &engine::Tally) {
        add(&mut self.redactions, &judged.redactions);
        add(&mut self.observed, &judged.observed);
        add(&mut self.hits, &judged.hits);
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
        *self = Self { redactions, observed, hits, ..Self::default() };
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
            redactions: _,
            observed: _,
            hits: _,
            prefixes,
            bytes_in,
            bytes_out,
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
        self.add_findings(judged);
    }
}

/// What a worker made of a batch. Reused from batch to batch.
#[derive(Debug, Default)]
pub struct Output {
    /// What may be forwarded: whole lines.
    pub clean: Vec<u8>,
    /// What was not forwarded, in the order of the input. Without bodies only the first of each
    /// reason; the tally counts all.
    pub rejects: Vec<Reject>,
    /// The bodies that `rejects` point into.
    pub bodies: Vec<u8>,
    /// The schema that lines were judged by, by name.
    pub schema: Option<Arc<str>>,
    /// The counts.
    pub tally: Tally,
    /// The private key that is open after the last line.
    pub key_block: KeyBlock,
    /// Memory for the counts of the engine.
    judged: engine::Tally,
}

impl Output {
    /// Has the engine judge into the memory of this output, and takes over what it made.
    pub fn judge<T>(&mut self, judge: impl FnOnce(&mut engine::Output) -> T) -> T {
        let mut judged = engine::Output {
            clean: take(&mut self.clean),
            rejects: match self.rejects.is_empty() {
                true => emptied(take(&mut self.rejects)),
                false => Vec::new(),
            },
            bodies: take(&mut self.bodies),
            schema: None,
            key_block: self.key_block,
            tally: take(&mut self.judged),
        };
        let result = judge(&mut judged);
        let engine::Output { clean, rejects, bodies, schema, key_block, tally } = judged;
        (self.clean, self.bodies, self.schema) = (clean, bodies, schema);
        self.key_block = key_block;
        let rejects = rejects.into_iter().map(Reject::from);
        match self.rejects.is_empty() {
            // Where they are: the memory of one list is enough.
            true => self.rejects = rejects.collect(),
            false => self.rejects.extend(rejects),
        }
        self.tally += &tally;
        self.judged = tally;
        self.judged.clear();
        result
    }

    /// Forgets the last batch, keeps the memory.
    pub fn clear(&mut self) {
        self.clean.clear();
        self.rejects.clear();
        self.bodies.clear();
        self.schema = None;
        self.key_block = KeyBlock::default();
        self.tally.clear();
    }
}

/// An empty list in the memory of `all`, whose items are as large.
fn emptied<A, B>(mut all: Vec<A>) -> Vec<B> {
    all.clear();
    all.into_iter().filter_map(|_| None).collect()
}
