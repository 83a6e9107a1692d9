//! The memory of one engine: what it keeps between chunks, and the most that it can need.
//!
//! Scratch space grows with the largest chunk, and with whatever its events are full of: quotes,
//! candidates, findings. It is given back when it is more than [`KEPT`], before a long chunk, and every
//! [`GIVEN_BACK_AFTER`] chunks, so that a single event does not leave its mark for ever.

/// Scratch space of more than this is given back after each chunk.
const KEPT: usize = 4 << 20;
/// Before a chunk of more than [`LONG`] bytes, scratch space of more than this is given back.
const KEPT_BEFORE_LONG: usize = 1 << 20;
/// A chunk of this size contains a long event.
const LONG: usize = 384 << 10;
/// After so many chunks all scratch space is given back, and grows to what the next ones need.
const GIVEN_BACK_AFTER: u32 = 1024;

/// What an engine has learnt of paths for one ruleset, twice: JSON inside strings has paths of its own.
pub(super) const PATHS: u64 = 2 << 20;
/// The most scratch space that a byte of a chunk can ask for: places, candidates, decoded texts and
/// their maps, findings, edits; and what is forwarded. `tests/allocations.rs` measures it.
const SCRATCH: u64 = 33;

/// The most memory that an engine takes for a chunk with so much data, with what it forwards of it, but
/// for what rules ask for.
pub(super) fn most_bytes(chunk: usize) -> u64 {
    let kept = if chunk > LONG { KEPT_BEFORE_LONG } else { KEPT };
    PATHS + kept as u64 + SCRATCH * chunk as u64
}

/// A list of so many items is long.
const LONG_LIST: usize = 1 << 12;

/// Decides when scratch space is given back.
#[derive(Default)]
pub(super) struct Keeper {
    chunks: u32,
}

impl Keeper {
    /// Whether to give back what is `held` before a chunk of `len` bytes.
    pub(super) fn gives_back_before(&self, len: usize, held: impl FnOnce() -> usize) -> bool {
        len > LONG && held() > KEPT_BEFORE_LONG
    }

    /// Whether to give back what is `held` after a chunk.
    pub(super) fn gives_back_after(&mut self, held: usize) -> bool {
        self.chunks += 1;
        let gives = held > KEPT || self.chunks >= GIVEN_BACK_AFTER;
        if gives {
            self.chunks = 0;
        }
        gives
    }
}

/// The memory of a list.
pub(super) fn of<T>(list: &Vec<T>) -> usize {
    list.capacity() * size_of::<T>()
}

/// Makes room for exactly as many further items, if they are many.
pub(super) fn reserve<T>(list: &mut Vec<T>, items: usize) {
    if items >= LONG_LIST {
        list.reserve_exact(items);
    }
}

/// Adds an item to a list that grows by half, once it is long: the items of an event come in any number.
#[inline]
pub(super) fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() && list.len() >= LONG_LIST {
        list.reserve_exact(list.len() / 2);
    }
    list.push(item);
}
