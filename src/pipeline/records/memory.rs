//! The memory of blocks and their results, for the memory formula.

use super::{
    block::{MOST_LINES, MOST_RECORDS},
    judged::Verdict,
    value::ValueFraming,
};
use crate::pipeline::{Reject, Sizes};

/// The memory of a record of a block while it is judged: its position, its key, its headers, its
/// lines, and their results.
const RECORD: usize = 512;

/// Returns the data of a block that is not long: the target size, and one more record.
pub fn usual_block(sizes: &Sizes) -> usize {
    sizes.usual()
}

/// Returns the data of a block with the longest record.
pub fn most_block(sizes: &Sizes) -> usize {
    sizes.chunk_bytes + sizes.max_event_bytes
}

/// Returns the memory of a block with this much data: values, and keys and headers next to them. Lists
/// grow by doubling, but not for a long record. That may also be there as it arrived, compressed.
pub fn block_bytes(sizes: &Sizes, data: usize) -> u64 {
    let (long, usual) = (data.saturating_sub(usual_block(sizes)), data.min(usual_block(sizes)));
    (2 * Sizes::memory(usual) + 2 * long + MOST_RECORDS * RECORD) as u64
}

/// Returns the memory of the result of a block with this much data, without the output of a long record.
pub fn judged_bytes(sizes: &Sizes, data: usize, framing: ValueFraming) -> u64 {
    let usual = usual_block(sizes);
    let lines = match framing {
        ValueFraming::Event => MOST_RECORDS,
        _ if data > usual => MOST_RECORDS + MOST_LINES,
        _ => 2 * MOST_RECORDS,
    };
    let told = lines.next_power_of_two() * size_of::<Reject>();
    // A line is forwarded or becomes a body, and neither keeps more than two chunks from another block.
    let output = (2 * sizes.growth + 3) * Sizes::memory(usual);
    (output + told + MOST_RECORDS * size_of::<Verdict>()) as u64
}
