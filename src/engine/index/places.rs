//! Places in a buffer, written sixteen at a time.

use super::simd::Level;

/// The most places that a block adds to a list, with what is written behind the last one.
pub(super) const ROOM: usize = 128;

/// A list of places that keeps its memory, and room behind the last place to write over.
#[derive(Default)]
pub(super) struct Places {
    list: Vec<u32>,
    len: usize,
}

impl Places {
    pub(super) fn as_slice(&self) -> &[u32] {
        &self.list[..self.len]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Room for one more block and more.
    #[inline(always)]
    pub(super) fn make_room(&mut self) {
        if self.list.len() < self.len + 2 * ROOM {
            self.grow();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.list.resize((self.len + 4 * ROOM).next_power_of_two(), 0);
    }

    /// Drops the places at `end` and behind; the list must be sorted.
    pub(super) fn cut(&mut self, end: usize) {
        while self.as_slice().last().is_some_and(|&at| at as usize >= end) {
            self.len -= 1;
        }
    }

    /// For a loop that pushes: give the length back with [`set_len`](Self::set_len).
    #[inline(always)]
    pub(super) fn parts(&mut self) -> (&mut [u32], usize) {
        (&mut self.list, self.len)
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.list.len());
    }
}

/// Writes `base` plus the place of each bit of `m` at `list[at..]`, in which 80 places are free;
/// returns where the next one goes. Sixteen at a time: hardly a branch depends on the data.
/// `usual`: how many there are at most, as a rule.
#[inline(always)]
pub(super) fn push<L: Level, const USUAL: usize>(
    level: L,
    list: &mut [u32],
    at: usize,
    base: u32,
    mut m: u64,
) -> usize {
    let n = m.count_ones() as usize;
    let mut from = at;
    loop {
        if let Some(out) = list[from..].first_chunk_mut() {
            level.places::<USUAL>(m, base, out);
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
