//! What is applied to an event: the enabled detectors of the catalog, the policy, the rules by key
//! and path, and the schema.

use std::sync::Arc;

use super::detect::{Catalog, Pack, PlanError, Verdict, pack};
use super::path::contract::Contract;
use super::path::words::Fields;
use super::path::{Rules, flag};
use super::policy::{Known, Policy, Precedence};
use super::redact::Action;
use super::schema::Schema;

/// What is applied to the events of one kind.
pub(crate) struct Ruleset {
    pub(crate) catalog: Arc<Catalog>,
    /// What decides besides the detectors themselves.
    pub(crate) precedence: Precedence,
    /// The enabled rules by key: each with the names of its fields, the highest priority first.
    pub(crate) by_key: Vec<(u16, Arc<Fields>)>,
    /// The enabled detectors for which every text is searched.
    pub(crate) searched: Vec<u16>,
    /// What decides about keys and paths.
    pub(crate) rules: Rules,
}

impl Ruleset {
    /// A ruleset that enables every detector of `catalog`; `origins` are its detectors as pack and
    /// place in it.
    ///
    /// # Errors
    /// A policy that cannot be.
    pub(crate) fn compile(
        catalog: Arc<Catalog>,
        policy: &Policy,
        schema: Option<Arc<Schema>>,
        packs: &[Pack],
        origins: &[(usize, usize)],
    ) -> Result<Self, PlanError> {
        let mut all: Vec<_> =
            origins.iter().map(|&(p, d)| known(&packs[p], &packs[p].detectors[d])).collect();
        all.extend(catalog.list[catalog.declared..].iter().map(|d| Known::rule(&d.id)));
        let precedence = Precedence::new(policy, &all)
            .map_err(|r| PlanError::new(format!("{}: {}", r.label, r.what)))?;
        let (by_key, searched) = (catalog.by_key.clone(), catalog.searched.clone());
        let rules = Rules {
            contract: schema.map(|s| s as Arc<dyn Contract>),
            secrets: by_key.iter().map(|(_, fields)| Arc::clone(fields)).collect(),
            globs: precedence.globs.clone(),
            search: if searched.is_empty() { 0 } else { flag::SEARCH },
        };
        Ok(Self { catalog, precedence, by_key, searched, rules })
    }

    /// What decides about candidates.
    #[inline(always)]
    pub(crate) fn verdict(&self) -> Verdict<'_> {
        Verdict { catalog: &self.catalog, precedence: &self.precedence }
    }
}

/// A detector of `pack`, as the policy sees it.
fn known<'a>(pack: &'a Pack, detector: &'a pack::Detector) -> Known<'a> {
    Known {
        pack: &pack.pack,
        id: &detector.id,
        category: &detector.category,
        truncates: detector.action == Action::Truncate,
    }
}
