//! The index: one pass over a buffer's bytes that finds quotes, lines, rare bytes, and the
//! candidates of every shape. It knows nothing of JSON's meaning or of detectors.
//!
//! Blocks of 64 bytes overlap by 8 (stride 56), so that a gate may look 8 bytes back and no mask
//! needs a carry. [`gate`] turns a block's byte classes into hits, `resolve` turns hits into
//! candidates by the tables of [`exact`], [`fingerprint`] finds literals; [`simd`] holds the three
//! instruction sets.

mod block;
pub(crate) mod exact;
pub(crate) mod fingerprint;
pub(crate) mod gate;
mod mark;
mod places;
mod resolve;
pub(crate) mod simd;

use block::{block, each, line_end, window};
use exact::Exact;
use fingerprint::Fingerprint;
pub(crate) use gate::Gate;
use gate::Rare;
pub(crate) use mark::{ESCAPE, LineEnd, Mark, SIGNS};
use places::{Places, push};
use resolve::Sieved;
pub(crate) use simd::Simd;
use simd::{Level, Task};

/// Bytes of each block that the previous block has seen too.
const BACK: usize = 8;
/// New bytes in each block.
const STRIDE: usize = 64 - BACK;
/// The bits of a block's masks that are new.
const NEW: u64 = !0 << BACK;
/// The tables that hits are looked up in, one for each gate.
pub(crate) struct Gates {
    pub(crate) exact: [Exact; Gate::COUNT],
    pub(crate) literals: Option<Fingerprint>,
    /// All ones where one of the literals may stand behind a letter or digit, too.
    pub(crate) loose: u64,
}

/// What the scan found. Reused from buffer to buffer.
#[derive(Default)]
pub(crate) struct Index {
    quotes: Places,
    lines: Places<LineEnd>,
    /// Sorted by place.
    pub(crate) marks: Vec<Mark>,
    /// The first and the last control character (no newline, no `\r\n`) of each block that has any;
    /// all of them where a line ends in the block.
    pub(crate) controls: Vec<u32>,
    highs: Places,
    /// Hits of the gates that open often, of the others, and of the fingerprint.
    often: Places,
    seldom: Places,
    literals: Places,
    sieved: Sieved,
}

impl Index {
    /// The places of unescaped quotes.
    pub(crate) fn quotes(&self) -> &[u32] {
        self.quotes.as_slice()
    }

    /// Every newline.
    pub(crate) fn lines(&self) -> &[LineEnd] {
        self.lines.as_slice()
    }

    /// The first and the last byte ≥ 0x80 of each block that has any; all where a line ends in it.
    pub(crate) fn highs(&self) -> &[u32] {
        self.highs.as_slice()
    }

    /// The bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        let Self { quotes, lines, marks, controls, highs, often, seldom, literals, sieved } = self;
        let places = [quotes, highs, often, seldom, literals].map(Places::memory);
        let lists = lines.memory()
            + marks.capacity() * size_of::<Mark>()
            + controls.capacity() * size_of::<u32>();
        places.into_iter().sum::<usize>() + lists + sieved.memory()
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
        assert!(start >= BACK && buf.len() >= end + 128 && buf.len() < u32::MAX as usize);
        self.marks.clear();
        self.controls.clear();
        self.lines.clear();
        self.lists().into_iter().for_each(Places::clear);
        let scan = Scan { index: self, buf, start, end, gates };
        match text {
            true => simd.run(Text(scan)),
            false => simd.run(scan),
        }
    }

    fn lists(&mut self) -> [&mut Places; 5] {
        let Self { quotes, often, seldom, literals, highs, .. } = self;
        [quotes, often, seldom, literals, highs]
    }

    /// Everything of a block that most blocks lack.
    #[inline(never)]
    fn push_few(&mut self, buf: &[u8], few: &Few) {
        let mut newline = few.newline;
        while newline != 0 {
            self.lines.push(line_end(few.base, few.before, few.quote, newline));
            newline &= newline - 1;
        }
        if few.low | few.high != 0 {
            self.push_rare(buf, few.low, few.high, few.newline != 0, few.base);
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
}

/// The scan of decoded text.
struct Text<'a>(Scan<'a>);

/// Where the scan is.
struct At {
    pos: usize,
    /// The byte before is an unpaired backslash.
    carry: bool,
    /// The escaped bytes of the block before.
    escaped: u64,
}

impl Index {
    /// Scans blocks up to one that has something of the few, or up to `end`, for which there must be
    /// room. No call stands in this loop: one would have the literals' tables spilled
    /// to the stack, and fetched from there for each block.
    #[inline(always)]
    fn blocks<L: Level, const TEXT: bool>(
        &mut self,
        level: L,
        buf: &[u8],
        at: &mut At,
        end: usize,
        (literals, loose): (Option<&Fingerprint>, u64),
    ) -> Option<Few> {
        let tables = literals.map(|f| level.tables(f));
        let (ends, mut e) = self.lines.parts();
        let Self { quotes, often, seldom, literals: heads, highs, .. } = self;
        let [(quotes, mut q), (often, mut o), (seldom, mut s), (heads, mut h), (highs, mut n)] =
            [quotes, often, seldom, heads, highs].map(Places::parts);
        let At { mut pos, mut carry, mut escaped } = *at;
        let mut found = None;
        while pos < end {
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
                let boundary = (!m.alnum | escaped) << 1 | !m.alnum | loose;
                literals = level.starts(t, window(buf, from)) & boundary & NEW;
            }
            let (many, mut few) = gate::hits::<TEXT>(&m, escaped);
            let before = q as u32;
            q = push::<L, 8>(level, quotes, q, base, quote);
            o = push::<L, 4>(level, often, o, base, many & NEW);
            // A plus sign may stand before the block's new bytes.
            if m.sign & (NEW | NEW >> 1) != 0 {
                few |= gate::sign_hits(&level.signs(block(buf, from)), m.digit);
            }
            few &= NEW;
            if backslash != 0 {
                few |= gate::first_between(backslash, quote);
            }
            if few | literals != 0 {
                s = push::<L, 4>(level, seldom, s, base, few);
                h = push::<L, 4>(level, heads, h, base, literals);
            }
            pos += STRIDE;
            if m.rare & NEW != 0 {
                let Rare { newline, high } = level.rare(block(buf, from));
                let (mut newline, high) = (newline & NEW, high & NEW);
                let low = m.rare & NEW & !newline & !high;
                if low != 0 || (high != 0 && newline != 0) {
                    found = Some(Few { base, before, quote, newline, low, high });
                    break;
                }
                while newline != 0 {
                    ends[e] = line_end(base, before, quote, newline);
                    e += 1;
                    newline &= newline - 1;
                }
                if high != 0 {
                    highs[n] = base + high.trailing_zeros();
                    highs[n + 1] = base + 63 - high.leading_zeros();
                    n += 2;
                }
            }
        }
        *at = At { pos, carry, escaped };
        self.lines.set_len(e);
        for (list, len) in self.lists().into_iter().zip([q, o, s, h, n]) {
            list.set_len(len);
        }
        found
    }
}

impl Task for Scan<'_> {
    #[inline(always)]
    fn run<L: Level>(self, level: L) {
        self.of::<L, false>(level);
    }
}

impl Task for Text<'_> {
    #[inline(always)]
    fn run<L: Level>(self, level: L) {
        self.0.of::<L, true>(level);
    }
}

impl Scan<'_> {
    #[inline(always)]
    fn of<L: Level, const TEXT: bool>(self, level: L) {
        let Scan { index, buf, start, end, gates } = self;
        let literals = (gates.literals.as_ref(), gates.loose);
        let mut at = At { pos: start, carry: false, escaped: 0 };
        while at.pos < end {
            let room = index.lists().map(Places::make_room).into_iter().min().unwrap_or(0);
            let room = room.min(index.lines.make_room());
            let upto = end.min(at.pos + room * STRIDE);
            if let Some(few) = index.blocks::<L, TEXT>(level, buf, &mut at, upto, literals) {
                index.push_few(buf, &few);
            }
        }
        index.lines.cut(|line| line.at as usize >= end);
        index.quotes.cut(|&at| at as usize >= end);
        index.resolve(buf, end, gates);
        if TEXT {
            index.resolve_controls(buf, (start, end), gates);
        }
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
        each(control, lines, |at| self.controls.push(base + at));
        each(high, lines, |at| self.highs.push(base + at));
    }
}
