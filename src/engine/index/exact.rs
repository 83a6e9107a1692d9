//! The exact table: which shapes agree with the bytes around an anchor.
//!
//! `[12 positions][256 bytes] → 256-bit set of shapes`; rows are ANDed. The cost does not depend on
//! the number of shapes (a further table for every 256).

use super::{Gate, Mark};

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
    /// The bytes from `first` to `last`, and `more`.
    pub(crate) const fn range(first: u8, last: u8, more: &[u8]) -> Self {
        let (mut s, mut b, mut i) = (Self::NONE, first as usize, 0);
        while b <= last as usize {
            s.0[b >> 6] |= 1 << (b & 63);
            b += 1;
        }
        while i < more.len() {
            s.0[(more[i] >> 6) as usize] |= 1 << (more[i] & 63);
            i += 1;
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
    pub(crate) const fn union(&self, o: &Self) -> Self {
        Self([self.0[0] | o.0[0], self.0[1] | o.0[1], self.0[2] | o.0[2], self.0[3] | o.0[3]])
    }
    pub(crate) fn both(&self, o: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & o.0[i]))
    }
    /// All bytes but these.
    pub(crate) const fn not(self) -> Self {
        Self([!self.0[0], !self.0[1], !self.0[2], !self.0[3]])
    }
    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|w| w.count_ones()).sum()
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        let words = self.0.into_iter().zip([0u8, 64, 128, 192]);
        words.flat_map(|(mut word, from)| {
            std::iter::from_fn(move || {
                let bit = u8::try_from(word.trailing_zeros()).ok().filter(|_| word != 0)?;
                word &= word - 1;
                Some(from + bit)
            })
        })
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
    first: FirstLook,
    /// Up to 64 rows: one word for each place and byte.
    narrow: Option<Table<1>>,
    /// More: four words, and a further table for every 256 rows.
    wide: Vec<Table<4>>,
}

/// Ten places, looked at two by two through four bits of each byte: five loads. Many rows share
/// the 64 bits, neighbours in their order.
struct FirstLook {
    /// Before the anchor, or 1 behind where negative.
    from: isize,
    fold: Fold,
    pairs: Box<[[u64; 256]; 5]>,
}

/// Places that the first look sees.
const SEEN: usize = 10;

/// Four bits of a byte: its low half; or, where digits are to be told from anything else, the low
/// half of a digit, and of another byte one of `a`, `b`, `e` and `f`.
#[derive(Clone, Copy)]
struct Fold {
    /// What is added to the low half of a byte that is no digit or one of `:;<=>?`, in each byte.
    other: u64,
}

impl Fold {
    const LETTERS: Self = Self { other: 0 };
    const DIGITS: Self = Self { other: 0x0a0a_0a0a_0a0a_0a0a };

    /// The four bits of each of eight bytes, in the low half of each byte.
    #[inline(always)]
    fn of(self, bytes: u64) -> u64 {
        const LOW: u64 = 0x0f0f_0f0f_0f0f_0f0f;
        let high = bytes >> 4 & LOW ^ 0x0303_0303_0303_0303;
        // 1 in each byte whose high half is not 3.
        let other = (high + LOW) >> 4 & 0x0101_0101_0101_0101;
        bytes & LOW | (other << 1 | other << 3) & self.other
    }
}

/// For each place and byte, the set of rows that admit it.
struct Table<const W: usize> {
    sets: Vec<[u64; W]>,
    ids: Vec<u16>,
}

impl Exact {
    /// The rows of `gate`.
    pub(crate) fn new(gate: Gate, rows: &[Row]) -> Self {
        let look_back = gate.look_back();
        let fold = if gate == Gate::Run { Fold::DIGITS } else { Fold::LETTERS };
        let first = FirstLook::new(look_back, rows, fold);
        if rows.len() <= 64 {
            let narrow = (!rows.is_empty()).then(|| Table::new(rows));
            return Self { look_back, first, narrow, wide: vec![] };
        }
        Self { look_back, first, narrow: None, wide: rows.chunks(256).map(Table::new).collect() }
    }

    /// Whether a shape agrees with four bits of each of ten bytes around `anchor`. `false` is certain.
    #[inline(always)]
    pub(crate) fn may_find(&self, buf: &[u8], anchor: usize) -> bool {
        let FirstLook { from, fold, pairs } = &self.first;
        let from = anchor.wrapping_add_signed(*from);
        let Some(window) = buf.get(from..).and_then(|b| b.first_chunk::<16>()) else {
            return false;
        };
        let [first, last] =
            [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|i| window[at + i])));
        let (first, last) = (fold.of(first), fold.of(last));
        // The low half of one byte and that of the next, side by side.
        let pair = |k: usize, word: u64, at: u32| {
            pairs[k][usize::from((word >> at | word >> (at + 4)) as u8)]
        };
        pair(0, first, 0)
            & pair(1, first, 16)
            & pair(2, first, 32)
            & pair(3, first, 48)
            & pair(4, last, 0)
            != 0
    }

    /// Reports every shape that agrees with the bytes around `anchor`.
    #[inline(never)]
    pub(crate) fn find(&self, buf: &[u8], anchor: usize, out: &mut Vec<Mark>) {
        let from = anchor.wrapping_sub(self.look_back);
        let Some(window) = buf.get(from..).and_then(|b| b.first_chunk::<WINDOW>()) else { return };
        let mut behind_escape;
        let mut window = window;
        if self.look_back == 1 && from > 0 && buf[from - 1] == b'\\' {
            // `\n` and its like end a token, whatever letter they have. (Behind an escaped
            // backslash the letter is one: the verdict on the decoded string tells.)
            behind_escape = *window;
            behind_escape[0] = b'\n';
            window = &behind_escape;
        }
        self.look_up(window, anchor, out);
    }

    /// The same, as if what stands between `end` and `anchor` were not there.
    #[cold]
    pub(crate) fn find_beside(&self, buf: &[u8], end: usize, anchor: usize, out: &mut Vec<Mark>) {
        let before = end.checked_sub(self.look_back).and_then(|from| buf.get(from..end));
        let behind = buf.get(anchor..anchor + WINDOW - self.look_back);
        let (Some(before), Some(behind)) = (before, behind) else { return };
        let mut window = [0; WINDOW];
        window[..self.look_back].copy_from_slice(before);
        window[self.look_back..].copy_from_slice(behind);
        self.look_up(&window, anchor, out);
    }

    /// Reports every shape at `anchor`, as if a new line began there. Only for gates that look one
    /// byte back.
    #[cold]
    pub(crate) fn find_first(&self, buf: &[u8], anchor: usize, out: &mut Vec<Mark>) {
        let Some(text) = buf.get(anchor..anchor + WINDOW - 1) else { return };
        let mut window = [b'\n'; WINDOW];
        window[1..].copy_from_slice(text);
        self.look_up(&window, anchor, out);
    }

    #[inline(always)]
    fn look_up(&self, window: &[u8; WINDOW], anchor: usize, out: &mut Vec<Mark>) {
        if let Some(t) = &self.narrow {
            t.find(window, |id| out.push(Mark::new(anchor, id)));
        }
        for t in &self.wide {
            t.find(window, |id| out.push(Mark::new(anchor, id)));
        }
    }
}

impl FirstLook {
    /// The ten places whose sets are smallest. Not the one before the anchor, which an escape may
    /// stand in for.
    fn new(look_back: usize, rows: &[Row], fold: Fold) -> Self {
        let size = |from: usize| -> u32 {
            rows.iter().flat_map(|r| &r.window[from..from + SEEN]).map(ByteSet::len).sum()
        };
        let from = (usize::from(look_back == 1)..=WINDOW - SEEN).min_by_key(|&from| size(from));
        let from = from.unwrap_or(1);
        let mut order: Vec<_> = rows.iter().map(|r| &r.window[from..from + SEEN]).collect();
        order.sort_unstable();
        let folded: [u8; 256] = std::array::from_fn(|b| fold.of(b as u64) as u8 & 15);
        let mut pairs = Box::new([[0; 256]; 5]);
        for (i, row) in order.iter().enumerate() {
            let bit = 1 << (i * 64 / order.len().max(64));
            for (places, pairs) in row.chunks_exact(2).zip(&mut *pairs) {
                let [low, high] = [&places[0], &places[1]]
                    .map(|set| set.iter().fold(0u16, |bits, b| bits | 1 << folded[usize::from(b)]));
                for (high_half, pairs) in pairs.chunks_exact_mut(16).enumerate() {
                    if high >> high_half & 1 != 0 {
                        for (low_half, set) in pairs.iter_mut().enumerate() {
                            *set |= bit * u64::from(low >> low_half & 1);
                        }
                    }
                }
            }
        }
        Self { from: from as isize - look_back as isize, fold, pairs }
    }
}

impl<const W: usize> Table<W> {
    fn new(rows: &[Row]) -> Self {
        let mut sets = vec![[0u64; W]; WINDOW * 256];
        for (place, sets) in sets.chunks_exact_mut(256).enumerate() {
            // Most rows take any byte in most places.
            let mut any = [0u64; W];
            for (i, row) in rows.iter().enumerate() {
                let (word, bit) = (i / 64, 1 << (i % 64));
                match &row.window[place] {
                    &ByteSet::ANY => any[word] |= bit,
                    set => set.iter().for_each(|b| sets[usize::from(b)][word] |= bit),
                }
            }
            for set in sets {
                set.iter_mut().zip(any).for_each(|(word, any)| *word |= any);
            }
        }
        Self { sets, ids: rows.iter().map(|r| r.id).collect() }
    }

    #[inline(always)]
    fn find(&self, window: &[u8; WINDOW], mut found: impl FnMut(u16)) {
        let mut set = [!0; W];
        let Some(sets) = self.sets.first_chunk::<{ WINDOW * 256 }>() else { return };
        // By halves: an exit at each place costs more than the loads.
        for half in [0..WINDOW / 2, WINDOW / 2..WINDOW] {
            for place in half {
                set = and(set, &sets[place * 256 + usize::from(window[place])]);
            }
            if set == [0; W] {
                return;
            }
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
