//! What is applied to an event: the enabled detectors of the catalog, the policy, the rules by key
//! and path, and the schema.

mod strictness;

use std::sync::Arc;

use super::detect::{Catalog, Pack, PlanError, Selection, Verdict, pack};
use super::index::{Mark, SIGNS};
use super::path::contract::Contract;
use super::path::words::Fields;
use super::path::{Rules, flag};
use super::policy::{Allowed, Known, Own, Policy, Precedence, Rule};
use super::redact::Action;
use super::schema::Schema;

/// What is applied to the events of one kind.
pub(crate) struct Ruleset {
    pub(crate) catalog: Arc<Catalog>,
    /// What decides besides the detectors themselves.
    pub(crate) precedence: Precedence,
    /// The schema that every event must have.
    pub(crate) schema: Option<Arc<Schema>>,
    /// The schema lists whole objects or arrays: any edit may break it.
    pub(crate) compares: bool,
    /// The enabled rules by key: each with the names of its fields, the highest priority first.
    pub(crate) by_key: Vec<(u16, Arc<Fields>)>,
    /// The enabled detectors for which every text is searched.
    pub(crate) searched: Vec<u16>,
    /// What decides about keys and paths.
    pub(crate) rules: Rules,
    /// The catalog has detectors that are not enabled.
    pub(crate) is_part: bool,
    /// As those of the catalog, of the enabled detectors.
    pub(crate) plain_escapes: bool,
    pub(crate) derived: bool,
    /// By detector, a bit: it is enabled.
    enabled: Vec<u64>,
    /// The rules of its own, and whether the policy drops events.
    own: Vec<Rule>,
    drops: bool,
}

/// What rulesets are compiled from.
pub(crate) struct Parts<'a> {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) policy: &'a Policy,
    pub(crate) packs: &'a [Pack],
    /// The detectors of the catalog, as pack and place in it.
    pub(crate) origins: &'a [(usize, usize)],
    /// The names of fields that routes ask for.
    pub(crate) asked: Arc<[Box<[u8]>]>,
    pub(crate) allowed: Arc<Allowed>,
}

impl<'a> Parts<'a> {
    /// The parts, with the allow-list compiled for all.
    ///
    /// # Errors
    /// An allow-list that cannot be.
    pub(crate) fn new(
        catalog: Catalog,
        policy: &'a Policy,
        packs: &'a [Pack],
        origins: &'a [(usize, usize)],
        asked: Arc<[Box<[u8]>]>,
    ) -> Result<Self, PlanError> {
        let mut parts = Self {
            catalog: Arc::new(catalog),
            policy,
            packs,
            origins,
            asked,
            allowed: Arc::default(),
        };
        let allowed = Allowed::new(&policy.allow, &parts.known(|_| true));
        parts.allowed = Arc::new(allowed.map_err(|r| PlanError::new(r.to_string()))?);
        Ok(parts)
    }

    /// Every detector of the catalog, and the names that rules by path count under.
    fn known(&self, is_enabled: impl Fn(usize) -> bool) -> Vec<Known<'_>> {
        let Self { catalog, packs, origins, .. } = self;
        let detectors = origins
            .iter()
            .enumerate()
            .map(|(at, &(p, d))| known(&packs[p], &packs[p].detectors[d], is_enabled(at)));
        let names = catalog.list[catalog.declared..].iter().map(|d| Known::rule(&d.id));
        detectors.chain(names).collect()
    }

    /// The ruleset that enables what `select` takes, with rules of its own before those of the policy.
    /// The first of these is counted at the place `base`.
    ///
    /// # Errors
    /// A policy that cannot be.
    pub(crate) fn ruleset(
        &self,
        select: &Selection,
        schema: Option<Arc<Schema>>,
        own: &[Rule],
        base: usize,
    ) -> Result<Ruleset, PlanError> {
        let (catalog, packs) = (&self.catalog, self.packs);
        let mut enabled = vec![0u64; catalog.list.len().div_ceil(64)];
        let is = |at: usize| {
            let takes = |&(p, d): &(usize, usize)| select.takes(&packs[p], &packs[p].detectors[d]);
            self.origins.get(at).is_none_or(takes)
        };
        (0..catalog.list.len())
            .filter(|at| is(*at))
            .for_each(|at| enabled[at / 64] |= 1 << (at % 64));
        let own_rules = Own { rules: own, base };
        let precedence =
            Precedence::new(self.policy, own_rules, &self.known(is), Arc::clone(&self.allowed))
                .map_err(|r| PlanError::new(r.to_string()))?;
        let takes = |id: &u16| is(usize::from(*id));
        let by_key: Vec<_> = catalog.by_key.iter().filter(|(id, _)| takes(id)).cloned().collect();
        let searched: Vec<_> = catalog.searched.iter().copied().filter(takes).collect();
        let detectors = || {
            let all = catalog.list[..catalog.declared].iter().enumerate();
            all.filter(|(at, _)| is(*at)).map(|(_, d)| d)
        };
        let assigns = by_key.is_empty() || detectors().any(|d| d.assigns.is_some());
        let rules = Rules {
            contract: schema.clone().map(|s| s as Arc<dyn Contract>),
            secrets: by_key.iter().map(|(_, fields)| Arc::clone(fields)).collect(),
            globs: precedence.globs.clone(),
            search: if searched.is_empty() { 0 } else { flag::SEARCH },
            asked: Arc::clone(&self.asked),
        };
        Ok(Ruleset {
            precedence,
            compares: schema.as_ref().is_some_and(|schema| schema.compares_any()),
            schema,
            plain_escapes: catalog.plain_escapes && searched.is_empty() && assigns,
            derived: detectors().any(|d| d.derived),
            by_key,
            searched,
            rules,
            is_part: (0..catalog.declared).any(|at| !is(at)),
            enabled,
            own: own.to_vec(),
            drops: self.policy.rules.iter().any(Rule::drops),
            catalog: Arc::clone(catalog),
        })
    }
}

impl Ruleset {
    /// What decides about candidates.
    #[inline(always)]
    pub(crate) fn verdict(&self) -> Verdict<'_> {
        Verdict { catalog: &self.catalog, precedence: &self.precedence }
    }

    /// Whether the detector `id` is enabled.
    #[inline(always)]
    pub(crate) fn enables(&self, id: u16) -> bool {
        let id = usize::from(id);
        self.enabled[id / 64] >> (id % 64) & 1 != 0
    }

    /// Whether one of `marks` is of an enabled detector, or of none.
    #[inline]
    pub(crate) fn has_any(&self, marks: &[Mark]) -> bool {
        marks.iter().any(|m| m.id() >= SIGNS || self.enables(m.id()))
    }
}

/// A detector of `pack`, as the policy sees it.
fn known<'a>(pack: &'a Pack, detector: &'a pack::Detector, is_enabled: bool) -> Known<'a> {
    Known {
        pack: &pack.pack,
        id: &detector.id,
        category: &detector.category,
        truncates: detector.action == Action::Truncate,
        is_enabled,
    }
}
