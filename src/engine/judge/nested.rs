//! Scratch space for JSON inside a string or a text line: each object or array in it is walked as an
//! event is, and obeys the rules by path, as a continuation of the string's own path and as if it were
//! the event.

use crate::engine::chunk::{HEAD, TAIL};
use crate::engine::decode::{Decoder as _, Json, OffsetMap};
use crate::engine::index::{Index, Simd};
use crate::engine::memory;
use crate::engine::path::{Paths, Rules};
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Held, Line, Stop, Walk};

/// How often JSON may be in a string of other JSON.
const DEPTHS: usize = 4;
/// The longest text that is looked through inside JSON inside a string: its memory is kept by each
/// worker.
pub(super) const INNER: usize = 32 << 10;

/// Scratch space for JSON inside strings.
pub(super) struct Nested {
    pub(super) paths: Box<Paths>,
    /// The row that a value begins with.
    row: Vec<u64>,
    /// By depth; absent while at work.
    depths: Vec<Option<Box<Depth>>>,
}

/// Scratch space for the JSON in one text.
pub(super) struct Depth {
    pub(super) walk: Walk,
    pub(super) index: Index,
    pub(super) text: Vec<u8>,
}

/// Paths of which nothing is learnt yet.
pub(super) fn paths(r: &Ruleset, max_depth: usize) -> Box<Paths> {
    // The schema and the routes speak of the event, not of what its strings hold.
    let rules = Rules { contract: None, asked: [].into(), ..r.rules.clone() };
    Box::new(Paths::new(rules, max_depth))
}

impl Nested {
    pub(super) fn new(r: &Ruleset, max_depth: usize) -> Self {
        let depth = || Depth {
            walk: Walk::new(max_depth, Held::default()),
            index: Index::default(),
            text: Vec::new(),
        };
        Self {
            paths: paths(r, max_depth),
            row: Vec::new(),
            depths: (0..DEPTHS).map(|_| Some(Box::new(depth()))).collect(),
        }
    }

    /// The bytes of memory that grow with an event.
    pub(super) fn memory(&self) -> usize {
        self.depths.iter().flatten().map(|depth| depth.memory()).sum()
    }

    /// Gives that memory back.
    #[cold]
    pub(super) fn give_back(&mut self) {
        for Depth { walk, index, text } in self.depths.iter_mut().flatten().map(|d| &mut **d) {
            walk.give_back();
            (*index, *text) = Default::default();
        }
    }

    /// Takes the place for the JSON in a text that is in `depth` values; `None`: there is none so deep.
    /// [`put_back`](Self::put_back) returns it.
    pub(super) fn take(&mut self, depth: usize) -> Option<Box<Depth>> {
        self.depths.get_mut(depth)?.take()
    }

    pub(super) fn put_back(&mut self, depth: usize, own: Box<Depth>) {
        if let Some(place) = self.depths.get_mut(depth) {
            *place = Some(own);
        }
    }

    /// The row of the next value is `row`, and that of an event, too.
    pub(super) fn begin_at(&mut self, r: &Ruleset, row: &[u64]) {
        self.row.clear();
        self.row.extend_from_slice(&r.precedence.inside);
        self.row.iter_mut().zip(row).for_each(|(all, more)| *all |= more);
        self.paths.begin_at(&self.row);
    }
}

impl Depth {
    fn memory(&self) -> usize {
        self.walk.memory() + self.index.memory() + memory::of(&self.text)
    }

    /// Takes `text`, which has a margin before it.
    pub(super) fn take(&mut self, simd: Simd, r: &Ruleset, text: &[u8]) {
        self.text.clear();
        self.text.resize(HEAD, b'\n');
        // Every byte keeps its place, and any text can be decoded.
        let _ = Json.decode(&text[HEAD..], &mut self.text, &mut OffsetMap::default());
        self.text.resize(text.len() + TAIL, b'\n');
        self.index.scan(simd, &self.text, HEAD, text.len(), &r.catalog.gates, false);
    }

    /// Walks the value that begins at `start`: where it ends, and which of the marks is its first.
    pub(super) fn walk(
        &mut self,
        paths: &mut Paths,
        start: usize,
        end: usize,
    ) -> Result<(usize, usize), Stop> {
        let quotes = self.index.quotes();
        let quote = quotes.partition_point(|&at| (at as usize) < start);
        let mark = self.index.marks.partition_point(|m| m.at() < start);
        let (quotes, marks) = (&quotes[quote..], &self.index.marks[mark..]);
        let line = Line { buf: &self.text, start, end, quotes, marks };
        Ok((self.walk.embedded(&line, paths)?, mark))
    }
}
