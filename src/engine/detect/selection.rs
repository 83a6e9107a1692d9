//! Which detectors are in force, and why a plan cannot be compiled.

use super::pack::{self, Pack};

/// Which detectors are in force: ids, categories or pack names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// If not empty, only these.
    pub only: Vec<String>,
    /// Not these.
    pub without: Vec<String>,
    /// If not empty, only detectors of these packs.
    pub packs: Vec<String>,
}

/// A plan that cannot be compiled: what, where, and the fix.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct PlanError {
    /// A whole sentence.
    pub what: String,
}

impl PlanError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl Selection {
    pub(crate) fn takes(&self, pack: &Pack, d: &pack::Detector) -> bool {
        let named =
            |l: &[String]| l.iter().any(|n| *n == d.id || *n == d.category || *n == pack.pack);
        (self.packs.is_empty() || self.packs.contains(&pack.pack))
            && (self.only.is_empty() || named(&self.only))
            && !named(&self.without)
    }

    /// A name that no detector, category or pack has.
    pub(super) fn check(&self, packs: &[Pack]) -> Result<(), PlanError> {
        let known = |n: &String| {
            packs
                .iter()
                .any(|p| p.pack == *n || p.detectors.iter().any(|d| d.id == *n || d.category == *n))
        };
        match self.only.iter().chain(&self.without).chain(&self.packs).find(|n| !known(n)) {
            None => Ok(()),
            Some(n) => {
                Err(PlanError::new(format!("no detector, category or pack is called `{n}`")))
            }
        }
    }
}
