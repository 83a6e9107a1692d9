//! Metrics of blocks.

use crate::{kafka::MemberStatus, pipeline::records::Block};

/// Records the end offset and the oldest timestamp of each partition in a block that is handed to
/// the pipeline.
pub(super) fn handed(member_status: &MemberStatus, block: &Block) {
    let mut oldest: Vec<Option<i64>> = vec![None; block.places().len()];
    for record in block.records() {
        let known = &mut oldest[record.place];
        *known = match (*known, record.timestamp) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }
    for (reached, oldest) in block.reaches().iter().zip(oldest) {
        member_status.handed(reached.id, reached.offset, oldest);
    }
}

/// Returns the first offset of each partition in a block.
pub(super) fn firsts(block: &Block) -> Vec<i64> {
    let mut firsts = vec![i64::MAX; block.places().len()];
    for record in block.records() {
        firsts[record.place] = firsts[record.place].min(record.offset);
    }
    firsts
}
