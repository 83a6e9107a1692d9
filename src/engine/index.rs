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
/// The most places that a block adds to a list, with what is written behind the last one.
const ROOM: usize = 256;
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
    /// The first and the last control character (no newline, no `\r\n`) of each block that has any;
    /// all of them where a line ends in the block.
    pub(crate) controls: Vec<u32>,
    /// The first and the last byte ≥ 0x80 of each block that has any; all where a line ends in it.
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
            let found =
                if h & SELDOM != 0 { gate::seldom(buf, at) } else { Some(gate::often(buf, at)) };
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

    /// Room for the places of one more block and more.
    #[inline(always)]
    fn make_room(&mut self) {
        let short = |list: &[u32], len: usize| list.len() < len + 2 * ROOM;
        if short(&self.quotes, self.quote_count) || short(&self.hits, self.hit_count) {
            self.grow();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        for (list, len) in [(&mut self.quotes, self.quote_count), (&mut self.hits, self.hit_count)]
        {
            if list.len() < len + 2 * ROOM {
                list.resize((len + 4 * ROOM).next_power_of_two(), 0);
            }
        }
    }

    /// Everything of a block that most blocks lack.
    #[inline(never)]
    fn push_few(&mut self, buf: &[u8], few: &Few) {
        let mut newline = few.newline;
        while newline != 0 {
            let k = newline.trailing_zeros();
            let quotes = few.before + (few.quote & ((1u64 << k) - 1)).count_ones();
            self.lines.push(LineEnd { at: few.base + k, quotes });
            newline &= newline - 1;
        }
        if few.low | few.high != 0 {
            self.push_rare(buf, few.low, few.high, few.newline != 0, few.base);
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

/// What few blocks have, and what it takes to say where.
struct Few {
    base: u32,
    /// Quotes before the block.
    before: u32,
    quote: u64,
    newline: u64,
    /// Control characters but for newlines.
    low: u64,
    high: u64,
}

struct Scan<'a> {
    index: &'a mut Index,
    buf: &'a [u8],
    start: usize,
    end: usize,
    gates: &'a Gates,
    text: bool,
}

/// Where the scan is.
struct At {
    pos: usize,
    /// The byte before is an unpaired backslash.
    carry: bool,
    /// The escaped bytes of the block before.
    escaped: u64,
}

impl Index {
    /// Scans blocks up to one that has something of the few, up to `end`, or up to the end of the
    /// room for places. No call stands in this loop: one would have the literals' tables spilled
    /// to the stack, and fetched from there for each block.
    #[inline(always)]
    fn blocks<L: Level>(
        &mut self,
        level: L,
        buf: &[u8],
        at: &mut At,
        end: usize,
        literals: Option<&Fingerprint>,
        text: bool,
    ) -> Option<Few> {
        let tables = literals.map(|f| level.tables(f));
        let (quotes, hits) = (&mut self.quotes[..], &mut self.hits[..]);
        let (mut quote_count, mut hit_count) = (self.quote_count, self.hit_count);
        let At { mut pos, mut carry, mut escaped } = *at;
        let mut found = None;
        while pos < end && quote_count + ROOM <= quotes.len() && hit_count + ROOM <= hits.len() {
            let from = pos - BACK;
            let base = from as u32;
            let m = level.masks(block(buf, from));
            let backslash = m.backslash & NEW;
            // The escaped bytes: of the bytes that the previous block has seen too, its word.
            escaped >>= STRIDE;
            if backslash != 0 || carry {
                escaped |= gate::escaped(backslash >> BACK, &mut carry) << BACK;
            }
            let quote = m.quote & !escaped & NEW;
            let mut literals = 0;
            if let Some(t) = tables {
                // A sign begins a token whatever stands before it; the exact table tells.
                let boundary = (!m.alnum | escaped) << 1 | !m.alnum;
                literals = level.starts(t, window(buf, from)) & boundary & NEW;
            }
            let (often, seldom) = gate::hits(&m, text, escaped);
            let before = quote_count as u32;
            quote_count = push(level, quotes, quote_count, base, quote);
            hit_count = push(level, hits, hit_count, base, often & NEW);
            let mut seldom = seldom & NEW;
            if backslash != 0 {
                seldom |= gate::first_between(backslash, quote);
            }
            if seldom | literals != 0 {
                hit_count = push(level, hits, hit_count, base | SELDOM, seldom);
                hit_count = push(level, hits, hit_count, base | LITERAL, literals);
            }
            pos += STRIDE;
            let few = Few {
                base,
                before,
                quote,
                newline: m.newline & NEW,
                low: m.rare & !m.newline & !m.high & NEW,
                high: m.high & NEW,
            };
            if few.newline | few.low | few.high != 0 {
                found = Some(few);
                break;
            }
        }
        *at = At { pos, carry, escaped };
        (self.quote_count, self.hit_count) = (quote_count, hit_count);
        found
    }
}

impl Task for Scan<'_> {
    #[inline(always)]
    fn run<L: Level>(self, level: L) {
        let Scan { index, buf, start, end, gates, text } = self;
        let literals = gates.literals.as_ref();
        let mut at = At { pos: start, carry: false, escaped: 0 };
        while at.pos < end {
            index.make_room();
            if let Some(few) = index.blocks(level, buf, &mut at, end, literals, text) {
                index.push_few(buf, &few);
            }
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
    fn push_rare(&mut self, buf: &[u8], mut low: u64, high: u64, lines: bool, base: u32) {
        let mut control = 0u64;
        while low != 0 {
            let at = (base + low.trailing_zeros()) as usize;
            if !(buf[at] == b'\r' && buf[at + 1] == b'\n') {
                control |= low & low.wrapping_neg();
            }
            low &= low - 1;
        }
        for (mut mask, list) in [(control, &mut self.controls), (high, &mut self.highs)] {
            // Where lines end in the block, the first and the last are not every line's.
            while lines && mask != 0 {
                list.push(base + mask.trailing_zeros());
                mask &= mask - 1;
            }
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
