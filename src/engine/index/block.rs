//! The bytes of a block, and the places of its bits.

use super::mark::LineEnd;

/// Calls `is` with the first and the last bit; with each one where lines end in the block, for
/// the first and the last are not every line's.
pub(super) fn each(mut mask: u64, lines: bool, mut is: impl FnMut(u32)) {
    while lines && mask != 0 {
        is(mask.trailing_zeros());
        mask &= mask - 1;
    }
    if mask != 0 {
        is(mask.trailing_zeros());
        is(63 - mask.leading_zeros());
    }
}

/// The first line end of a block.
#[inline(always)]
pub(super) fn line_end(base: u32, before: u32, quote: u64, newline: u64) -> LineEnd {
    let k = newline.trailing_zeros();
    let quotes = before + (quote & ((1u64 << (k & 63)) - 1)).count_ones();
    LineEnd { at: base + k, quotes }
}

#[inline(always)]
pub(super) fn block(buf: &[u8], at: usize) -> &[u8; 64] {
    // The scan's assertion keeps 128 bytes behind the last block.
    buf[at..at + 64].try_into().expect("64 bytes")
}

#[inline(always)]
pub(super) fn window(buf: &[u8], at: usize) -> &[u8; 72] {
    buf[at..at + 72].try_into().expect("72 bytes")
}
