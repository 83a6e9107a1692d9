//! The memory of blocks and their results, for the memory formula.

use super::{
    block::{MOST_LINES, MOST_RECORDS},
    judged::Verdict,
};
use crate::pipeline::{Reject, Sizes};

/// The memory of a record of a block while it is judged: its position, its key, its headers, its
/// lines.
const RECORD: usize = 384;

/// Returns the data of a block that is not long: the target size, and one more record.
pub fn usual_block(sizes: &Sizes) -> usize {
    sizes.usual()
}

/// Returns the data of a block with the longest record, both as it arrived and decompressed.
pub fn most_block(sizes: &Sizes) -> usize {
    sizes.chunk_bytes + 2 * sizes.max_event_bytes
}

/// Returns the memory of a block with this much data: values, and keys and headers next to them.
/// Lists grow by doubling.
pub fn block_bytes(data: usize, long: bool) -> u64 {
    let slack = if long { 0 } else { data };
    (Sizes::memory(data + slack) + MOST_RECORDS * RECORD) as u64
}

/// Returns the memory of the result of a block with this much data.
pub fn judged_bytes(sizes: &Sizes, data: usize, long: bool) -> u64 {
    let lines = if long { MOST_RECORDS + MOST_LINES } else { 2 * MOST_RECORDS };
    let told = lines.next_power_of_two() * size_of::<Reject>();
    let verdicts = MOST_RECORDS * size_of::<Verdict>();
    sizes.output_bytes(data, true) + (told + verdicts) as u64
}
