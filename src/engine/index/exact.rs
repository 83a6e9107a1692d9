//! The exact table: which shapes agree with the bytes around an anchor.
//!
//! `[12 positions][256 bytes] → 256-bit set of shapes`; rows are ANDed. The cost does not depend on
//! the number of shapes (a further table for every 256).

use super::Mark;

/// Bytes that a window spans.
pub(crate) const WINDOW: usize = 12;

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(crate) struct ByteSet(pub(crate) [u64; 4]);

impl ByteSet {
    pub(crate) const ANY: Self = Self([!0; 4]);
    pub(crate) const NONE: Self = Self([0; 4]);

    pub(crate) fn of(f: impl Fn(u8) -> bool) -> Self {
        let mut s = Self::NONE;
        for b in 0..=255 {
            if f(b) {
                s.insert(b);
            }
        }
        s
    }
    pub(crate) fn insert(&mut self, b: u8) {
        self.0[usize::from(b >> 6)] |= 1 << (b & 63);
    }
    #[inline]
    pub(crate) fn has(&self, b: u8) -> bool {
        self.0[usize::from(b >> 6)] >> (b & 63) & 1 != 0
    }
    pub(crate) fn is_subset(&self, o: &Self) -> bool {
        self.0.iter().zip(o.0).all(|(a, b)| a & !b == 0)
    }
    pub(crate) fn union(&self, o: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | o.0[i]))
    }
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|w| w.count_ones()).sum()
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=255u8).filter(|&b| self.has(b))
    }
}

/// A shape: the bytes that may stand at each place of the window, and the id to report.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) window: [ByteSet; WINDOW],
    pub(crate) id: u16,
}

/// The rows of one gate.
#[derive(Default)]
pub(crate) struct Exact {
    look_back: usize,
    /// The places that tell most shapes apart.
    telling: [usize; 4],
    /// Up to 64 rows: one word for each place and byte.
    narrow: Option<Table<1>>,
    /// More: four words, and a further table for every 256 rows.
    wide: Vec<Table<4>>,
}

/// For each place and byte, the set of rows that admit it.
struct Table<const W: usize> {
    sets: Vec<[u64; W]>,
    ids: Vec<u16>,
}

impl Exact {
    pub(crate) fn new(look_back: usize, rows: &[Row]) -> Self {
        let telling = telling(rows);
        if rows.len() <= 64 {
            let narrow = (!rows.is_empty()).then(|| Table::new(rows));
            return Self { look_back, telling, narrow, wide: vec![] };
        }
        Self { look_back, telling, narrow: None, wide: rows.chunks(256).map(Table::new).collect() }
    }

    /// Reports every shape that agrees with the bytes around `anchor`.
    #[inline(always)]
    pub(crate) fn find(&self, buf: &[u8], anchor: usize, out: &mut Vec<Mark>) {
        let from = anchor.wrapping_sub(self.look_back);
        let Some(window) = buf.get(from..).and_then(|b| b.first_chunk::<WINDOW>()) else { return };
        if let Some(t) = &self.narrow {
            t.find(window, &self.telling, |id| out.push(Mark::new(anchor, id)));
        }
        for t in &self.wide {
            t.find(window, &self.telling, |id| out.push(Mark::new(anchor, id)));
        }
    }
}

/// The four places whose sets are smallest on average: nearly every hit ends there.
fn telling(rows: &[Row]) -> [usize; 4] {
    let mut places: Vec<usize> = (0..WINDOW).collect();
    places.sort_by_key(|&p| rows.iter().map(|r| r.window[p].len()).sum::<u32>());
    std::array::from_fn(|i| places[i])
}

impl<const W: usize> Table<W> {
    fn new(rows: &[Row]) -> Self {
        let mut sets = vec![[0u64; W]; WINDOW * 256];
        for (i, row) in rows.iter().enumerate() {
            for (place, set) in row.window.iter().enumerate() {
                for b in set.iter() {
                    sets[place * 256 + usize::from(b)][i / 64] |= 1 << (i % 64);
                }
            }
        }
        Self { sets, ids: rows.iter().map(|r| r.id).collect() }
    }

    #[inline(always)]
    fn find(&self, window: &[u8; WINDOW], telling: &[usize; 4], mut found: impl FnMut(u16)) {
        let Some(sets) = self.sets.first_chunk::<{ WINDOW * 256 }>() else { return };
        let row = |place: usize| &sets[place * 256 + usize::from(window[place])];
        let [a, b, c, d] = *telling;
        if a.max(b).max(c).max(d) >= WINDOW {
            return;
        }
        // Two by two: one AND of all four has the compiler gather them into a vector, which costs
        // more than the loads.
        let mut set = and(*row(a), row(b));
        if set == [0; W] {
            return;
        }
        set = and(and(set, row(c)), row(d));
        if set == [0; W] {
            return;
        }
        for place in 0..WINDOW {
            set = and(set, row(place));
        }
        for (i, &word) in set.iter().enumerate() {
            let mut w = word;
            while w != 0 {
                found(self.ids[i * 64 + w.trailing_zeros() as usize]);
                w &= w - 1;
            }
        }
    }
}

#[inline(always)]
fn and<const W: usize>(mut a: [u64; W], b: &[u64; W]) -> [u64; W] {
    for (a, b) in a.iter_mut().zip(b) {
        *a &= b;
    }
    a
}
