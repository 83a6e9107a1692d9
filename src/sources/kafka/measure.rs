//! What is measured of blocks.

use crate::{kafka::Vitals, pipeline::records::Block};

/// A block is handed on: up to where, and how old the oldest record is, partition by partition.
pub(super) fn handed(vitals: &Vitals, block: &Block) {
    let mut oldest: Vec<Option<i64>> = vec![None; block.places().len()];
    for record in block.records() {
        let known = &mut oldest[record.place];
        *known = match (*known, record.timestamp) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
    }
    for (reached, oldest) in block.reaches().iter().zip(oldest) {
        vitals.handed(reached.id, reached.offset, oldest);
    }
}

/// The first offset of each partition in a block.
pub(super) fn firsts(block: &Block) -> Vec<i64> {
    let mut firsts = vec![i64::MAX; block.places().len()];
    for record in block.records() {
        firsts[record.place] = firsts[record.place].min(record.offset);
    }
    firsts
}
