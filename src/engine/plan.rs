//! What a worker follows: detectors, schema and limits, compiled once and shared.

mod conflicts;

use std::sync::Arc;

use super::detect::{Catalog, Pack, PlanError, Selection};
use super::index::Simd;
use super::outcome::RouteInfo;
use super::placeholder::Placeholders;
use super::policy::{self, Action, Policy, PseudonymKey};
use super::router::{self, Route, Router, Way};
use super::ruleset::{Parts, Ruleset};
use super::schema::Schema;

/// What becomes of a text line (a line that is not a JSON object) when no schema is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextPolicy {
    /// Scanned, redacted, and forwarded as `{"message":"…"}`.
    #[default]
    Wrap,
    /// Not forwarded, reason `text`.
    Reject,
    /// Scanned, redacted, and forwarded as the text that it is.
    Keep,
}

/// What becomes of IP addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpPolicy {
    /// Left alone.
    Keep,
    /// The host part zeroed: /24 for IPv4, /48 for IPv6.
    #[default]
    Truncate,
    /// Replaced by a placeholder.
    Redact,
}

/// Bounds on one event.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest line that is judged, in bytes without its line end.
    pub max_event_bytes: usize,
    /// The deepest nesting that is judged.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_event_bytes: 1 << 20, max_depth: 128 }
    }
}

/// What to compile.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The detector packs.
    pub packs: Vec<Pack>,
    /// Which of their detectors are in force.
    pub select: Selection,
    /// The schema that every event must have.
    pub schema: Option<Arc<Schema>>,
    /// Text lines.
    pub text: TextPolicy,
    /// Every line is a text line, whatever it begins with.
    pub all_text: bool,
    /// IP addresses.
    pub ip: IpPolicy,
    /// What is never a finding, and what becomes of findings.
    pub policy: Policy,
    /// Bounds.
    pub limits: Limits,
    /// Whether rejects carry a body (a dead letter sink is set).
    pub bodies: bool,
    /// `avx512`, `avx2` or `scalar`; by default the best that the processor has.
    pub simd: Option<String>,
    /// Events that are judged by other rules. The first route that an event matches is taken.
    pub routes: Vec<Route>,
}

/// A detector as the outside sees it.
#[derive(Debug, Clone)]
pub struct DetectorInfo {
    /// The stable id: placeholder and metric label.
    pub id: String,
    /// The category; `rule` for what a rule by path counts its values under.
    pub category: String,
    /// The pack that declares it; empty for a rule.
    pub pack: String,
}

/// Everything compiled: shared by all workers.
pub struct Plan {
    settings: Settings,
    infos: Vec<DetectorInfo>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) router: Arc<Router>,
    /// The default's first.
    pub(crate) rulesets: Arc<[Ruleset]>,
    routes: Arc<[RouteInfo]>,
    pub(crate) simd: Simd,
}

/// The name of the route of what no route takes.
pub const DEFAULT_ROUTE: &str = "default";

impl Plan {
    /// Compiles `settings`.
    ///
    /// # Errors
    /// A pack's detector that does not compile, a name in the selection that nothing has, an
    /// instruction set that this processor lacks.
    pub fn compile(settings: Settings) -> Result<Self, PlanError> {
        let simd = match &settings.simd {
            None => Simd::detect(),
            Some(name) => Simd::named(name).ok_or_else(|| {
                PlanError::new(format!(
                    "this processor has no `{name}`: `avx512`, `avx2` or `scalar`, or leave it out"
                ))
            })?,
        };
        let selects = selections(&settings);
        let truncates = settings.ip != IpPolicy::Redact;
        let placeholders = Arc::new(placeholders(&settings));
        let (mut catalog, origins) =
            Catalog::compile(&settings.packs, &selects, truncates, &placeholders)?;
        let own = settings.routes.iter().flat_map(|route| &route.rules);
        catalog.add_names(settings.policy.rules.iter().chain(own))?;
        let (rulesets, numbers, router) = rulesets(&settings, &selects, catalog, &origins)?;
        let schema = |number: &u16| rulesets[usize::from(*number)].schema.as_ref();
        let name = |schema: Option<&Arc<Schema>>| schema.map(|schema| schema.shared_name());
        let names = settings.routes.iter().map(|route| &*route.name);
        let routes = [DEFAULT_ROUTE].into_iter().chain(names).zip(&numbers);
        let routes =
            routes.map(|(route, n)| RouteInfo { name: route.into(), schema: name(schema(n)) });
        Ok(Self {
            infos: infos(&settings, &rulesets[0].catalog, &origins),
            catalog: Arc::clone(&rulesets[0].catalog),
            router: Arc::new(router),
            routes: routes.collect(),
            rulesets: rulesets.into(),
            settings,
            simd,
        })
    }

    /// The same for lines inside others: what it would wrap is kept as text, and every reject is
    /// told, with its body.
    pub fn for_inner_lines(&self) -> Self {
        let mut settings = self.settings.clone();
        if settings.text == TextPolicy::Wrap {
            settings.text = TextPolicy::Keep;
        }
        settings.bodies = true;
        Self {
            settings,
            infos: self.infos.clone(),
            catalog: Arc::clone(&self.catalog),
            router: Arc::clone(&self.router),
            rulesets: Arc::clone(&self.rulesets),
            routes: Arc::clone(&self.routes),
            simd: self.simd,
        }
    }

    /// The routes, the default first.
    pub fn routes(&self) -> &Arc<[RouteInfo]> {
        &self.routes
    }

    /// Whether there are routes beside the default.
    pub fn has_routes(&self) -> bool {
        self.router.has_routes()
    }

    /// The way of a source: `takes` says of a route that is only for some sources, by its number in
    /// [`routes`](Self::routes), whether it is for this one.
    pub fn way(&self, takes: impl Fn(usize) -> bool) -> Way {
        self.router.way(takes)
    }

    /// The number of the ruleset of a route.
    pub fn ruleset_of(&self, route: u16) -> u16 {
        self.router.ruleset(route)
    }

    /// The way of lines that go with others: they take the same route and are judged by the same.
    pub fn way_with(&self, route: u16, ruleset: Option<u16>) -> Way {
        Way::only(route, ruleset.unwrap_or_else(|| self.router.ruleset(route)))
    }

    /// The detectors in force, and what rules by path count under, in the order of
    /// [`Tally::redactions`](super::Tally::redactions).
    pub fn detectors(&self) -> &[DetectorInfo] {
        &self.infos
    }

    /// The labels of the entries of the allow-list, then of the rules, then of those of routes, in the
    /// order of [`Tally::hits`](super::Tally::hits).
    pub fn policy(&self) -> impl Iterator<Item = &str> {
        let Policy { allow, rules, .. } = &self.settings.policy;
        let own = self.settings.routes.iter().flat_map(|route| &route.rules);
        let rules = rules.iter().chain(own).map(|rule| rule.label.as_str());
        allow.iter().map(|allow| allow.label.as_str()).chain(rules)
    }

    /// How many of these there are.
    pub(crate) fn policy_len(&self) -> usize {
        let Policy { allow, rules, .. } = &self.settings.policy;
        let own = self.settings.routes.iter().map(|route| route.rules.len());
        allow.len() + rules.len() + own.sum::<usize>()
    }

    /// The settings it was compiled from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The instruction set in use: `avx512`, `avx2` or `scalar`.
    pub fn simd(&self) -> &'static str {
        self.simd.name()
    }
}

/// What the default enables, then what each route does.
fn selections(settings: &Settings) -> Vec<Selection> {
    let routes = settings.routes.iter().map(|route| &route.select);
    let mut all: Vec<_> = [&settings.select].into_iter().chain(routes).cloned().collect();
    if settings.ip == IpPolicy::Keep {
        let detectors = settings.packs.iter().flat_map(|pack| &pack.detectors);
        let truncating = detectors.filter(|d| d.action == Action::Truncate);
        let ids: Vec<_> = truncating.map(|d| d.id.clone()).collect();
        all.iter_mut().for_each(|select| select.without.extend_from_slice(&ids));
    }
    all
}

/// The rulesets that differ, the default's first; by route, the number of its own; and the router.
fn rulesets(
    settings: &Settings,
    selects: &[Selection],
    catalog: Catalog,
    origins: &[(usize, usize)],
) -> Result<(Vec<Ruleset>, Vec<u16>, Router), PlanError> {
    let Settings { routes, policy, packs, .. } = settings;
    let too_many = || PlanError::new("more than 255 fields are asked for by routes");
    let asked = router::asked(routes).ok_or_else(too_many)?;
    let parts = Parts::new(catalog, policy, packs, origins, asked)?;
    let mut all = vec![parts.ruleset(&selects[0], settings.schema.clone(), &[], 0)?];
    conflicts::check(&all[0], settings)?;
    let (mut numbers, mut base) = (vec![0], policy.allow.len() + policy.rules.len());
    for (route, select) in routes.iter().zip(&selects[1..]) {
        let ruleset = parts.ruleset(select, route.schema.clone(), &route.rules, base)?;
        base += route.rules.len();
        let known = all.iter().position(|known| known.is_same(&ruleset));
        if known.is_none() {
            conflicts::check(&ruleset, settings)?;
            all.push(ruleset);
        }
        let number = known.unwrap_or(all.len() - 1);
        numbers.push(u16::try_from(number).map_err(|_| PlanError::new("too many routes"))?);
    }
    let router = Router::new(routes, &numbers, parts.asked, |a, b| all[a].is_at_least(&all[b]));
    Ok((all, numbers, router))
}

/// What the outside is told of the detectors of `catalog`.
fn infos(settings: &Settings, catalog: &Catalog, origins: &[(usize, usize)]) -> Vec<DetectorInfo> {
    let detectors = origins.iter().map(|&(p, d)| {
        let pack = &settings.packs[p];
        let detector = &pack.detectors[d];
        DetectorInfo {
            id: detector.id.clone(),
            category: detector.category.clone(),
            pack: pack.pack.clone(),
        }
    });
    let names = catalog.list[catalog.declared..].iter().map(|d| DetectorInfo {
        id: d.id.clone(),
        category: policy::CATEGORY.into(),
        pack: String::new(),
    });
    detectors.chain(names).collect()
}

/// The placeholders of all packs, whichever of their detectors are in force, and of the policy.
fn placeholders(settings: &Settings) -> Placeholders {
    let Policy { rules, known_placeholders, keys, .. } = &settings.policy;
    let detectors = settings.packs.iter().flat_map(|pack| &pack.detectors);
    let own = settings.routes.iter().flat_map(|route| &route.rules);
    let ids = rules.iter().chain(own).filter_map(|rule| rule.id());
    let ids = detectors.map(|d| d.id.as_str()).chain(ids);
    let rings = keys.iter().flat_map(|ring| ring.previous.iter().chain([&ring.active]));
    Placeholders::new(ids.chain(known_placeholders.iter().map(String::as_str)))
        .with_keys(rings.map(PseudonymKey::id))
}
