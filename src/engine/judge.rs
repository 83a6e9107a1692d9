//! The judge: sites → findings → edits.
//!
//! | part | does |
//! | --- | --- |
//! | [`finder`], [`sites`] | finds: in the sites of a walk, in strings, in what is decoded of them |
//! | [`decode_stack`] | the decoded texts, each a [`level`] with the way back; the JSON in them ([`nested`]) |
//! | [`decider`] | asks the verdict on candidates and, in [`whole`], on whole values |
//! | [`counts`], [`trace`] | count what the policy decided, and note it for `explain` |
//! | [`fit`], [`members`] | make findings fit the JSON that they are in |
//! | [`edit_builder`] | turns findings into edits |

mod counts;
mod decider;
mod decode_stack;
mod edit_builder;
mod finder;
mod fit;
mod key_names;
mod level;
mod members;
mod nested;
mod sites;
pub(crate) mod trace;
mod whole;

use super::detect::{FindingSet, Keys, Place};
use super::index::Simd;
use super::outcome::Reason;
use super::path::Paths;
use super::redact::Edits;
use super::ruleset::Ruleset;
use super::walk::{Line, Stop, Walk};
pub(crate) use counts::PolicyCounts;
use edit_builder::EditBuilder;
use finder::Finder;
use trace::{Recorder, Trace};

/// One worker's judge.
pub(crate) struct Judge {
    finder: Finder,
    findings: FindingSet,
    builder: EditBuilder,
    /// Something of the last event, or text, may be left in what follows.
    used: bool,
}

/// What an explanation wants of the first judgement, kept while an event is judged again.
pub(crate) struct Kept(Option<(Trace, Edits)>);

impl Judge {
    pub(crate) fn new(simd: Simd, r: &Ruleset, max_depth: usize) -> Self {
        Self {
            finder: Finder::new(simd, r, max_depth),
            findings: FindingSet::default(),
            builder: EditBuilder::default(),
            used: false,
        }
    }

    /// Judges the sites that `walk` reported of `line`, and builds the edits.
    pub(crate) fn event(&mut self, r: &Ruleset, line: &Line<'_>, walk: &Walk) -> Result<(), Stop> {
        self.begin(r, line.end - line.start);
        // In most events nothing is reported. What is judged again leaves the detectors of all rounds.
        self.used = self.finder.decider.counts.repeats || !walk.sites.is_empty();
        if walk.sites.is_empty() {
            return Ok(());
        }
        self.finder.strict = r.schema.is_some() || r.precedence.strict;
        self.judged(r, line, |finder, found| {
            let judged = finder.sites(r, line.buf, walk, line.marks, None, 0, found);
            finder.decider.settle(r, line.buf, found);
            judged
        })
    }

    /// Judges `buf[start..end]` as text that stands where the row of globs is `row`, and builds the
    /// edits.
    pub(crate) fn text(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        (start, end): (usize, usize),
        row: &[u64],
    ) -> Result<(), Stop> {
        self.begin(r, end - start);
        self.used = true;
        // A schema refuses text lines anyway.
        self.finder.strict = r.precedence.strict;
        let (line, place) = whole(buf, (start, end), row);
        self.judged(r, &line, |finder, found| finder.text(r, &place, found))
    }

    /// Takes `buf[start..end]` of a text line as a finding of `detector`, and builds the edits.
    #[cold]
    pub(crate) fn whole_text(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        (start, end): (usize, usize),
        row: &[u64],
        detector: u16,
    ) {
        self.begin(r, end - start);
        self.used = true;
        let (line, place) = whole(buf, (start, end), row);
        self.finder.decider.counts.at = start;
        self.finder.decider.by_line(r, detector, &place, &mut self.findings);
        self.build(r, &line);
    }

    /// Begins an event of `len` bytes, or to judge it again.
    #[inline]
    fn begin(&mut self, r: &Ruleset, len: usize) {
        self.finder.decider.begin(r, len);
        if self.used {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.finder.clear();
        self.findings.clear();
        self.builder.clear();
    }

    /// Judges an event with `find`. If the states of its patterns do not fit next to those that other
    /// events left, it is judged again with an empty pool, so that the event alone decides whether they
    /// fit.
    fn judged(
        &mut self,
        r: &Ruleset,
        line: &Line<'_>,
        mut find: impl FnMut(&mut Finder, &mut FindingSet) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let decider = &mut self.finder.decider;
        let (spent, decisions) = (decider.scratch.budget.spent(), decider.recorder.len());
        if decider.scratch.budget.is_exceeded() {
            return Err(Stop { reason: Reason::TooCostly, at: 0 });
        }
        decider.scratch.pool.begin();
        let mut judged = find(&mut self.finder, &mut self.findings);
        let decider = &mut self.finder.decider;
        if decider.scratch.pool.full {
            decider.scratch.pool.begin_alone();
            decider.scratch.budget.return_to(spent);
            decider.counts.take_back();
            decider.recorder.back_to(decisions);
            self.clear();
            judged = find(&mut self.finder, &mut self.findings);
            self.finder.decider.scratch.pool.end_alone();
        }
        self.build(r, line);
        judged
    }

    /// Builds the edits of the findings.
    fn build(&mut self, r: &Ruleset, line: &Line<'_>) {
        self.builder.reserve(self.findings.list.len());
        let pseudonyms = &self.finder.decider.scratch.pseudonyms;
        for f in &self.findings.list {
            self.builder.add(r, f, line, pseudonyms);
        }
        // Many findings need as much memory as all else does until the event is written.
        self.findings.give_back_many();
    }

    /// What is learnt of the paths of JSON inside strings, which depend on the ruleset.
    pub(crate) fn nested_paths(&mut self) -> &mut Box<Paths> {
        &mut self.finder.stack.nested.paths
    }

    /// The same, where nothing is learnt yet.
    pub(crate) fn paths_inside(r: &Ruleset, max_depth: usize) -> Box<Paths> {
        nested::paths(r, max_depth)
    }

    /// The bytes of memory that grow with an event.
    pub(crate) fn memory(&self) -> usize {
        self.finder.memory() + self.findings.memory() + self.builder.memory()
    }

    /// Gives that memory back, with what the last event came to.
    #[cold]
    pub(crate) fn give_back(&mut self) {
        self.clear();
        self.finder.give_back();
        (self.findings, self.builder) = Default::default();
    }

    /// The memory of the states of all patterns.
    #[cfg(test)]
    pub(crate) fn pool_held(&self) -> usize {
        self.finder.decider.scratch.pool.held()
    }

    /// What the last event has cost.
    pub(crate) fn units(&self) -> usize {
        self.finder.decider.scratch.budget.spent()
    }

    /// The last event's edits.
    #[inline]
    pub(crate) fn edits(&self) -> &Edits {
        &self.builder.edits
    }

    /// The detector of each edit, also of the rounds in which the event was judged again.
    pub(crate) fn detectors(&mut self) -> &mut Vec<u16> {
        &mut self.builder.detectors
    }

    /// What the policy decided.
    #[inline]
    pub(crate) fn counts(&mut self) -> &mut PolicyCounts {
        &mut self.finder.decider.counts
    }

    /// The decisions that are noted.
    pub(crate) fn recorder(&mut self) -> &mut Recorder {
        &mut self.finder.decider.recorder
    }

    /// The last event's edits may show something new: see `fixpoint`.
    #[inline]
    pub(crate) fn is_unsettled(&self) -> bool {
        self.finder.decider.unsettled
    }

    /// The last event's edits may break the schema.
    #[inline]
    pub(crate) fn is_unchecked(&self) -> bool {
        self.finder.unchecked
    }

    /// Begins to judge what was judged before: it is not counted again.
    #[cold]
    pub(crate) fn begin_repeats(&mut self) -> Kept {
        self.counts().repeats = true;
        let trace = self.recorder().trace.take();
        Kept(trace.map(|trace| (trace, std::mem::take(&mut self.builder.edits))))
    }

    /// Ends what [`begin_repeats`](Self::begin_repeats) began.
    pub(crate) fn end_repeats(&mut self, Kept(kept): Kept) {
        self.counts().repeats = false;
        if let Some((trace, edits)) = kept {
            self.recorder().trace = Some(trace);
            self.builder.edits = edits;
        }
    }
}

/// `buf[start..end]` as a line and as a place for which the row of globs is `row`.
fn whole<'a>(buf: &'a [u8], (start, end): (usize, usize), row: &'a [u64]) -> (Line<'a>, Place<'a>) {
    let line = Line { buf, start, end, quotes: &[], marks: &[] };
    let keys = Keys { buf, keys: &[], above: None, row };
    (line, Place { text: buf, start, end, number: false, key_of: None, keys })
}
