//! A decoded text, with the way back to the one that it came from.

use crate::engine::chunk::{HEAD, TAIL};
use crate::engine::decode::OffsetMap;
use crate::engine::detect::{Finding, FindingSet};
use crate::engine::index::Index;
use crate::engine::memory;

/// One decoded text.
#[derive(Default)]
pub(super) struct Level {
    /// With the margins that the index wants.
    pub(super) text: Vec<u8>,
    pub(super) map: OffsetMap,
    pub(super) index: Index,
    pub(super) findings: FindingSet,
    /// The objects and arrays in the text.
    pub(super) values: Vec<(u32, u32)>,
    /// Where JSON begins that breaks off.
    pub(super) broken: Option<usize>,
}

impl Level {
    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        let Self { text, map, index, findings, values, .. } = self;
        memory::of(text) + map.memory() + index.memory() + findings.memory() + memory::of(values)
    }

    /// Empties the text but for its margin.
    pub(super) fn open(&mut self) {
        self.text.clear();
        self.text.resize(HEAD, b'\n');
        self.map.clear();
        self.findings.clear();
    }

    /// Ends the text with its margin; returns where it ends.
    pub(super) fn close(&mut self) -> usize {
        let end = self.text.len();
        self.text.resize(end + TAIL, b'\n');
        end
    }

    /// A finding of this text, as a place of the text that it was decoded from, whose string begins
    /// at `start`.
    pub(super) fn map_back(&self, f: &Finding, start: usize) -> Finding {
        let (s, e) = self.back((f.start, f.end), start);
        let with = f.with.mapped(|range| self.back(range, start));
        Finding { matched: self.back(f.matched, start), start: s, end: e, with, ..*f }
    }

    /// Moves the findings to `out`, each as what `place` makes of it.
    #[inline]
    pub(super) fn hand_over(
        &mut self,
        out: &mut FindingSet,
        place: impl Fn(&Self, &Finding) -> Finding,
    ) {
        let mut found = std::mem::take(&mut self.findings.list);
        found.iter_mut().for_each(|f| *f = place(self, f));
        self.findings.list = out.take(found);
    }

    pub(super) fn back(&self, (from, to): (usize, usize), start: usize) -> (usize, usize) {
        let r = self.map.source(from - HEAD..to - HEAD);
        (r.start + start, r.end + start)
    }
}
