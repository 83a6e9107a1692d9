//! The index: one pass over a buffer's bytes that finds quotes, lines, rare bytes, and the
//! candidates of every shape. It knows nothing of JSON's meaning or of detectors.
//!
//! Blocks of 64 bytes overlap by 8 (stride 56), so that a gate may look 8 bytes back and no mask
//! needs a carry. [`gate`] turns a block's byte classes into hits, [`exact`] turns hits into
//! candidates, [`fingerprint`] finds literals; [`simd`] holds the three instruction sets.

pub(crate) mod exact;
pub(crate) mod fingerprint;
pub(crate) mod gate;
pub(crate) mod simd;

use exact::Exact;
use fingerprint::Fingerprint;
pub(crate) use gate::Gate;
pub(crate) use simd::Simd;
use simd::{Level, Task};

/// Bytes of each block that the previous block has seen too.
const BACK: usize = 8;
/// New bytes in each block.
const STRIDE: usize = 64 - BACK;
/// The bits of a block's masks that are new.
const NEW: u64 = !0 << BACK;
/// Flags a hit of the fingerprint.
const LITERAL: u32 = 1 << 31;
/// Flags a hit of the gates that seldom open.
const SELDOM: u32 = 1 << 30;

/// A mark that is no candidate: a backslash stands here.
pub(crate) const ESCAPE: u16 = u16::MAX;
/// A mark that is no candidate: a percent sign stands here.
pub(crate) const PERCENT: u16 = u16::MAX - 1;
/// The first id that shapes may not have.
pub(crate) const MAX_IDS: u16 = u16::MAX - 1;

/// The tables that hits are looked up in, one for each gate.
pub(crate) struct Gates {
    pub(crate) exact: [Exact; Gate::COUNT],
    pub(crate) literals: Option<Fingerprint>,
}

/// A place that the walk must report: a candidate, a backslash or a percent sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

impl Mark {
    pub(crate) fn new(at: usize, id: u16) -> Self {
        Self((at as u64) << 16 | u64::from(id))
    }
    pub(crate) fn at(self) -> usize {
        (self.0 >> 16) as usize
    }
    pub(crate) fn id(self) -> u16 {
        self.0 as u16
    }
}

/// The end of a line, and how many quotes stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineEnd {
    pub(crate) at: u32,
    pub(crate) quotes: u32,
}

/// What the scan found. Reused from buffer to buffer.
#[derive(Default)]
pub(crate) struct Index {
    quotes: Vec<u32>,
    quote_count: usize,
    /// Every newline.
    pub(crate) lines: Vec<LineEnd>,
    /// Sorted by place.
    pub(crate) marks: Vec<Mark>,
    /// The first and the last control character (no newline, no `\r\n`) of each block that has any.
    pub(crate) controls: Vec<u32>,
    /// The first and the last byte ≥ 0x80 of each block that has any.
    pub(crate) highs: Vec<u32>,
    hits: Vec<u32>,
    hit_count: usize,
}

impl Index {
    /// The places of unescaped quotes.
    pub(crate) fn quotes(&self) -> &[u32] {
        &self.quotes[..self.quote_count]
    }

    /// The gates that opened, for `explain`: place (as the gate reports it) and gate.
    pub(crate) fn hits<'a>(&'a self, buf: &'a [u8]) -> impl Iterator<Item = (usize, Gate)> + 'a {
        self.hits[..self.hit_count].iter().filter_map(|&h| {
            let at = (h & !(LITERAL | SELDOM)) as usize;
            if h & LITERAL != 0 {
                return Some((at, Gate::Literal));
            }
            let found = if h & SELDOM != 0 {
                gate::seldom(buf, at)
            } else {
                Some(gate::often(buf, at))
            };
            found.map(|(gate, anchor)| (anchor, gate))
        })
    }

    /// Scans `buf[start..end]`. `start >= 8` bytes must stand before it and 128 behind it; what
    /// stands there must be newlines, or whatever the text is surrounded by.
    ///
    /// `text`: the buffer is decoded text, in which a quote is a byte like any other; else raw
    /// JSON, in which a quote before a colon ends a key.
    pub(crate) fn scan(
        &mut self,
        simd: Simd,
        buf: &[u8],
        start: usize,
        end: usize,
        gates: &Gates,
        text: bool,
    ) {
        assert!(start >= BACK && buf.len() >= end + 128 && buf.len() < SELDOM as usize);
        self.lines.clear();
        self.marks.clear();
        self.controls.clear();
        self.highs.clear();
        self.quote_count = 0;
        self.hit_count = 0;
        simd.run(Scan { index: self, buf, start, end, gates, text });
    }

    #[inline(always)]
    fn push_quotes<L: Level>(&mut self, level: L, base: u32, q: u64) {
        if self.quotes.len() < self.quote_count + 80 {
            self.quotes.resize(self.quotes.len() * 2 + 1024, 0);
        }
        self.quote_count = push(level, &mut self.quotes, self.quote_count, base, q);
    }

    #[inline(always)]
    fn push_hits<L: Level>(&mut self, level: L, base: u32, often: u64, seldom: u64, literals: u64) {
        if self.hits.len() < self.hit_count + 208 {
            self.hits.resize(self.hits.len() * 2 + 1024, 0);
        }
        self.hit_count = push(level, &mut self.hits, self.hit_count, base, often);
        if seldom | literals != 0 {
            self.push_seldom(base, seldom, SELDOM);
            self.push_seldom(base, literals, LITERAL);
        }
    }

    #[inline(never)]
    fn push_seldom(&mut self, base: u32, mut m: u64, flag: u32) {
        while m != 0 {
            self.hits[self.hit_count] = base.wrapping_add(m.trailing_zeros()) | flag;
            self.hit_count += 1;
            m &= m - 1;
        }
    }

    /// Looks every hit up in its gate's table.
    #[inline(always)]
    fn resolve(&mut self, buf: &[u8], end: usize, gates: &Gates) {
        let marks = &mut self.marks;
        for &h in &self.hits[..self.hit_count] {
            if h & (LITERAL | SELDOM) != 0 {
                seldom(buf, h, gates, marks);
                continue;
            }
            let at = h as usize;
            let (gate, anchor) = gate::often(buf, at);
            gates.exact[gate as usize].find(buf, anchor, marks);
        }
        marks.sort_unstable();
        marks.dedup();
        while marks.last().is_some_and(|m| m.at() >= end) {
            marks.pop();
        }
    }
}

/// Writes `base` plus the place of each bit of `m` at `list[at..]`, in which 80 places are free;
/// returns where the next one goes. Sixteen at a time: hardly a branch depends on the data.
#[inline(always)]
fn push<L: Level>(level: L, list: &mut [u32], at: usize, base: u32, mut m: u64) -> usize {
    let n = m.count_ones() as usize;
    let mut from = at;
    loop {
        if let Some(out) = list[from..].first_chunk_mut() {
            level.places(m, base, out);
        }
        from += 16;
        if from >= at + n {
            return at + n;
        }
        for _ in 0..16 {
            m &= m.wrapping_sub(1);
        }
    }
}

/// Looks up a hit of the gates that seldom open.
#[inline(never)]
fn seldom(buf: &[u8], hit: u32, gates: &Gates, marks: &mut Vec<Mark>) {
    let at = (hit & !(LITERAL | SELDOM)) as usize;
    if hit & LITERAL != 0 {
        return gates.exact[Gate::Literal as usize].find(buf, at, marks);
    }
    match buf[at] {
        b'\\' => marks.push(Mark::new(at, ESCAPE)),
        b'%' => marks.push(Mark::new(at, PERCENT)),
        _ => {
            if let Some((gate, anchor)) = gate::seldom(buf, at) {
                gates.exact[gate as usize].find(buf, anchor, marks);
            }
        }
    }
}

struct Scan<'a> {
    index: &'a mut Index,
    buf: &'a [u8],
    start: usize,
    end: usize,
    gates: &'a Gates,
    text: bool,
}

impl Task for Scan<'_> {
    #[inline(always)]
    fn run<L: Level>(self, level: L) {
        let Scan { index, buf, start, end, gates, text } = self;
        let tables = gates.literals.as_ref().map(|f| level.tables(f));
        // Whether the byte before the block's new part is an unpaired backslash.
        let mut carry = false;
        let mut pos = start;
        while pos < end {
            let block = block(buf, pos - BACK);
            let m = level.masks(block);
            let base = (pos - BACK) as u32;

            let backslash = m.backslash & NEW;
            let mut quote = m.quote & NEW;
            if backslash != 0 || carry {
                quote &= !gate::escaped(backslash >> BACK, &mut carry).wrapping_shl(BACK as u32);
            }
            let mut nl = m.newline & NEW;
            while nl != 0 {
                let k = nl.trailing_zeros();
                let before = (quote & ((1u64 << k) - 1)).count_ones();
                index
                    .lines
                    .push(LineEnd { at: base + k, quotes: index.quote_count as u32 + before });
                nl &= nl - 1;
            }
            let rare = m.rare & !m.newline & NEW;
            if rare != 0 {
                index.push_rare(buf, rare & !m.high, m.high & NEW, base);
            }
            index.push_quotes(level, base, quote);

            let (often, mut seldom) = gate::hits(&m, text);
            seldom &= NEW;
            if backslash != 0 {
                seldom |= gate::first_between(backslash, quote);
            }
            let mut literals = 0;
            if let Some(t) = &tables {
                literals = level.starts(t, window(buf, pos - BACK)) & (!m.alnum << 1) & NEW;
            }
            index.push_hits(level, base, often & NEW, seldom, literals);
            pos += STRIDE;
        }
        while index.lines.last().is_some_and(|l| l.at as usize >= end) {
            index.lines.pop();
        }
        while index.quote_count > 0 && index.quotes[index.quote_count - 1] as usize >= end {
            index.quote_count -= 1;
        }
        index.resolve(buf, end, gates);
    }
}

impl Index {
    fn push_rare(&mut self, buf: &[u8], mut low: u64, high: u64, base: u32) {
        let mut control = 0u64;
        while low != 0 {
            let at = (base + low.trailing_zeros()) as usize;
            if !(buf[at] == b'\r' && buf[at + 1] == b'\n') {
                control |= low & low.wrapping_neg();
            }
            low &= low - 1;
        }
        for (mask, list) in [(control, &mut self.controls), (high, &mut self.highs)] {
            if mask != 0 {
                list.push(base + mask.trailing_zeros());
                list.push(base + 63 - mask.leading_zeros());
            }
        }
    }
}

#[inline(always)]
fn block(buf: &[u8], at: usize) -> &[u8; 64] {
    // The scan's assertion keeps 128 bytes behind the last block.
    buf[at..at + 64].try_into().expect("64 bytes")
}

#[inline(always)]
fn window(buf: &[u8], at: usize) -> &[u8; 72] {
    buf[at..at + 72].try_into().expect("72 bytes")
}
