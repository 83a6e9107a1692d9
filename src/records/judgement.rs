//! What records are judged by.

use std::sync::{Arc, OnceLock};

use super::pseudonym::Pseudonyms;
use crate::engine::{Plan, Way};

/// What records are judged by, shared by all workers.
pub struct Judgement {
    pub(super) plan: Arc<Plan>,
    pub(super) inside: OnceLock<Arc<Plan>>,
    pub(super) pseudonyms: Option<Pseudonyms>,
    pub(super) hops: u32,
    /// Which way the records of a topic go.
    pub(super) way: Option<WayOf>,
}

/// Says which way the records of a topic go.
pub type WayOf = Arc<dyn Fn(&str) -> Way + Send + Sync>;

impl Judgement {
    /// By `plan`, whose rejects must carry bodies. A record goes on that was forwarded less than `hops`
    /// times; where that is 0, nobody counts.
    ///
    /// # Panics
    /// If they do not.
    pub fn new(plan: Arc<Plan>, pseudonyms: Option<Pseudonyms>, hops: u32) -> Self {
        assert!(plan.settings().bodies, "every reject is told of records");
        Self { plan, inside: OnceLock::new(), pseudonyms, hops, way: None }
    }

    /// Where routes are only for some topics: which way the records of each go.
    pub fn with_ways(self, way: WayOf) -> Self {
        Self { way: Some(way), ..self }
    }
}
