//! Lists that a scan writes to block by block, places sixteen at a time.

use super::simd::Level;

/// The most that a block adds to a list.
const MOST: usize = 64;
/// What may be written behind the last entry.
const BEHIND: usize = 16;
/// Room is made for so many blocks at least.
const BLOCKS: usize = 16;

/// A list that keeps its memory, with room behind the last entry to write over.
#[derive(Default)]
pub(super) struct Places<T = u32> {
    list: Vec<T>,
    len: usize,
}

impl<T: Copy + Default> Places<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        &self.list[..self.len]
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        self.list.capacity() * size_of::<T>()
    }

    /// Makes room for some blocks; for how many there is room.
    #[inline(always)]
    pub(super) fn make_room(&mut self) -> usize {
        if self.list.len() < self.len + BLOCKS * MOST + BEHIND {
            self.grow();
        }
        (self.list.len() - self.len - BEHIND) / MOST
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let least = self.len + 2 * BLOCKS * MOST + BEHIND;
        self.list.resize(least.next_power_of_two(), T::default());
    }

    pub(super) fn push(&mut self, entry: T) {
        self.make_room();
        self.list[self.len] = entry;
        self.len += 1;
    }

    /// Drops the last entries, as long as they are `beyond` the end.
    pub(super) fn cut(&mut self, beyond: impl Fn(&T) -> bool) {
        while self.as_slice().last().is_some_and(&beyond) {
            self.len -= 1;
        }
    }

    /// For a loop that writes: give the length back with [`set_len`](Self::set_len).
    #[inline(always)]
    pub(super) fn parts(&mut self) -> (&mut [T], usize) {
        (&mut self.list, self.len)
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.list.len());
    }
}

/// Writes `base` plus the place of each bit of `m` at `list[at..]`; returns where the next one
/// goes. Sixteen at a time: hardly a branch depends on the data. `USUAL`: how many there are at
/// most, as a rule.
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
        from += BEHIND;
        if from >= at + n {
            return at + n;
        }
        for _ in 0..BEHIND {
            m &= m.wrapping_sub(1);
        }
    }
}
