//! What records are judged by.

use std::sync::{Arc, OnceLock};

use super::pseudonym::Pseudonyms;
use crate::engine::{Plan, Way};

/// What records are judged by. All workers share it.
pub struct Judgement {
    pub(super) plan: Arc<Plan>,
    pub(super) inside: OnceLock<Arc<Plan>>,
    pub(super) pseudonyms: Option<Pseudonyms>,
    pub(super) hops: u32,
    /// Returns the way of a topic's records.
    pub(super) way: Option<WayOf>,
}

/// Returns the way of a topic's records.
pub type WayOf = Arc<dyn Fn(&str) -> Way + Send + Sync>;

impl Judgement {
    /// Judges by `plan`, whose rejects must have bodies. A record is forwarded at most `hops` times;
    /// with 0, the number is not limited.
    ///
    /// # Panics
    /// The rejects have no bodies.
    pub fn new(plan: Arc<Plan>, pseudonyms: Option<Pseudonyms>, hops: u32) -> Self {
        assert!(plan.settings().bodies, "every reject is told of records");
        Self { plan, inside: OnceLock::new(), pseudonyms, hops, way: None }
    }

    /// Sets the way of each topic's records, if routes are only for some topics.
    pub fn with_ways(self, way: WayOf) -> Self {
        Self { way: Some(way), ..self }
    }
}
