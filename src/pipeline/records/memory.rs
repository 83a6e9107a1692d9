//! The memory of blocks, and of what becomes of them, in the memory formula.

use super::{
    block::{MOST_LINES, MOST_RECORDS},
    judged::Verdict,
};
use crate::pipeline::{Reject, Sizes};

/// What is known of a record of a block while it is judged: where it stands, its key, its headers, its
/// lines.
const RECORD: usize = 384;

/// The data of a block that is not long: what it aims at, and one more record.
pub fn usual_block(sizes: &Sizes) -> usize {
    sizes.usual()
}

/// The data of a block that holds the longest record, as it came and decompressed.
pub fn most_block(sizes: &Sizes) -> usize {
    sizes.chunk_bytes + 2 * sizes.max_event_bytes
}

/// A block with so much data: its values, and beside them keys and headers; lists grow by doubling.
pub fn block_bytes(data: usize, long: bool) -> u64 {
    let slack = if long { 0 } else { data };
    (Sizes::memory(data + slack) + MOST_RECORDS * RECORD) as u64
}

/// What becomes of a block with so much data.
pub fn judged_bytes(sizes: &Sizes, data: usize, long: bool) -> u64 {
    let lines = if long { MOST_RECORDS + MOST_LINES } else { 2 * MOST_RECORDS };
    let told = lines.next_power_of_two() * size_of::<Reject>();
    let verdicts = MOST_RECORDS * size_of::<Verdict>();
    sizes.output_bytes(data, true) + (told + verdicts) as u64
}
