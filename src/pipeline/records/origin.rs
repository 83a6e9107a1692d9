//! The first position of a record that is replayed from its dead letter.

use std::sync::Arc;

/// The first position of a record, and what is known from its letter. The topic decides where the
/// record is sent, and a new letter of it has this position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic that it was read from.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The number of a line of the value, from 1, if it is that line alone.
    pub line: Option<u32>,
    /// How many times it became a dead letter again.
    pub attempts: u32,
    /// It is the complete original, and not just what the letter contains.
    pub is_whole: bool,
}
