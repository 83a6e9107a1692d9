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
    pub(crate) fn intersect(&self, o: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & o.0[i]))
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
pub(crate) struct Exact {
    look_back: usize,
    tables: Vec<Table>,
}

struct Table {
    sets: Vec<[u64; 4]>,
    ids: Vec<u16>,
}

impl Exact {
    pub(crate) fn new(look_back: usize, rows: &[Row]) -> Self {
        let tables = rows.chunks(256).map(Table::new).collect();
        Self { look_back, tables }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Reports every shape that agrees with the bytes around `anchor`.
    #[inline(always)]
    pub(crate) fn find(&self, buf: &[u8], anchor: usize, out: &mut Vec<Mark>) {
        if anchor < self.look_back {
            return;
        }
        let from = anchor - self.look_back;
        let Some(window) = buf.get(from..from + WINDOW) else { return };
        for t in &self.tables {
            t.find(window, |id| out.push(Mark::new(anchor, id)));
        }
    }
}

impl Table {
    fn new(rows: &[Row]) -> Self {
        let mut sets = vec![[0u64; 4]; WINDOW * 256];
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
    fn find(&self, window: &[u8], mut found: impl FnMut(u16)) {
        let row = |place: usize| &self.sets[place * 256 + usize::from(window[place])];
        // Four places that tell most shapes apart come first; nearly every hit ends here.
        let mut set = and(and(*row(2), row(3)), &and(*row(4), row(5)));
        set = and(set, row(9));
        if set == [0; 4] {
            return;
        }
        for place in [0, 1, 6, 7, 8, 10, 11] {
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
fn and(a: [u64; 4], b: &[u64; 4]) -> [u64; 4] {
    std::array::from_fn(|i| a[i] & b[i])
}
