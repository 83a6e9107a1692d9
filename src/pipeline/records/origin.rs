//! Where a record stood at first that is replayed from its dead letter.

use std::sync::Arc;

/// Where a record stood at first, and what is known of its letter. The topic decides where it goes, and
/// a letter that it gets again names this place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The topic that it was read from,
    pub topic: Arc<str>,
    /// the partition,
    pub partition: i32,
    /// and the offset.
    pub offset: i64,
    /// Which line of the value it is, from 1, where it is one alone.
    pub line: Option<u32>,
    /// How often it was a dead letter again.
    pub attempts: u32,
    /// It is as it came, and not what a letter held of it.
    pub is_whole: bool,
}
