//! From the resolved configuration to a plan for the workers: where engine and app meet.

use std::{collections::HashMap, env, sync::Arc};

use anyhow::Result;

use super::{
    resolved::{RouteRules, Rules},
    routes::Routed,
    schemas,
};
use crate::engine::{
    Engine, Plan, Route, Settings,
    detect::Selection,
    policy::{Action, Numbers, Rule},
    schema::Schema,
};

/// What rules by path ask for beside scratch space: every number in an array may be a site, a finding and an
/// edit; and for each word of its row of globs.
const RULED: u64 = 120;
const ROW: u64 = 16;

/// An engine's memory at most, in the memory formula, for a chunk of so much data.
pub(crate) fn engine_bytes(chunk: usize, rules: &Rules) -> u64 {
    let segments = |rules: &[Rule]| -> usize {
        let paths = rules.iter().filter_map(|rule| rule.path.as_deref());
        paths.map(|path| path.split('.').count() + 1).sum()
    };
    let own = rules.routes.iter().map(|route| segments(&route.rules)).max().unwrap_or_default();
    let segments = segments(&rules.policy.rules) + own;
    let ruled = match segments.div_ceil(64) as u64 {
        0 => 0,
        // Placeholders are kept before they are written.
        words => RULED + ROW * words + 4 * growth(rules) as u64,
    };
    // Pseudonyms are kept before they are written, and those of keys are looked up.
    let pseudonyms =
        longest_pseudonym(rules).map_or(0, |longest| (2 * longest + NAMED).div_ceil(3) as u64);
    let others = (rulesets(rules) - 1) * Engine::ruleset_bytes();
    Engine::most_bytes(chunk) + others + (ruled + pseudonyms) * chunk as u64
}

/// How many rulesets there are at most: routes that apply the same share one.
fn rulesets(rules: &Rules) -> u64 {
    let mut different: Vec<&RouteRules> = Vec::new();
    for route in &rules.routes {
        let is = |other: &&RouteRules| {
            let name = |route: &RouteRules| route.schema.as_ref().map(|(name, _)| name.clone());
            route.select == other.select && name(route) == name(other) && route.rules == other.rules
        };
        if !different.iter().any(is) {
            different.push(route);
        }
    }
    1 + different.len() as u64
}

/// All rules, those of routes, too.
fn all_rules(rules: &Rules) -> impl Iterator<Item = &Rule> {
    rules.policy.rules.iter().chain(rules.routes.iter().flat_map(|route| &route.rules))
}

/// What is kept of a pseudonym beside its text.
const NAMED: usize = 96;

/// How much an event grows at most where a rule by path puts a placeholder, its quotes and a comma
/// in the place of a value and its own, or where a rule makes pseudonyms; 0 where there is no such
/// rule. In JSON in a string of JSON in a text line each quote has seven backslashes.
pub(crate) fn growth(rules: &Rules) -> usize {
    let ids = all_rules(rules).filter_map(|rule| rule.id());
    let by_path = ids.map(str::len).max();
    let packs = rules.packs.iter().flat_map(|pack| &pack.detectors).map(|d| d.id.len()).max();
    let (longest, shortest) = match rules.policy.numbers {
        // `0,`
        Numbers::Placeholder => (by_path.max(packs), 2),
        // `[],`
        _ => (by_path, 3),
    };
    let quotes = r#"\\\\\\\"\\\\\\\","#.len();
    let placeholder = longest.map_or(0, |id| "[REDACTED:]".len() + id + quotes);
    let pseudonym = longest_pseudonym(rules).map_or(0, |longest| longest + quotes);
    placeholder.max(pseudonym).div_ceil(shortest)
}

/// The longest pseudonym that a rule makes; `None` where no rule does.
fn longest_pseudonym(rules: &Rules) -> Option<usize> {
    let keys = &rules.policy.keys;
    let lengths = all_rules(rules).filter_map(|rule| match rule.action {
        Action::Hmac { key } => Some(keys.get(usize::from(key))?.active.pseudonym_len()),
        _ => None,
    });
    lengths.max()
}

/// Names an instruction set in place of the best one: for benchmarks and for a processor that
/// misbehaves.
const SIMD: &str = "TAMIS_SIMD";

/// Compiles the rules. Every error is the configuration's.
pub(crate) fn compile(rules: Rules, bodies: bool) -> Result<Routed> {
    let schema = match &rules.schema {
        Some(name) => Some(schemas::find(name, &rules.names)?),
        None if rules.require.is_empty() => None,
        None => Some(schemas::require(&rules.require, &rules.names)?),
    };
    let schema = schema.map(Arc::new);
    let sources = rules.routes.iter().map(|route| route.source.clone()).collect();
    let routes = routes(rules.routes, rules.schema.as_deref(), schema.as_ref())?;
    let simd = env::var(SIMD).ok().filter(|level| !level.is_empty() && level != "auto");
    let settings = Settings {
        packs: rules.packs,
        select: Selection { only: rules.only, without: rules.without, packs: rules.default_packs },
        schema,
        text: rules.text,
        all_text: rules.all_text,
        ip: rules.ip,
        policy: rules.policy,
        limits: rules.limits,
        bodies,
        simd,
        routes,
    };
    Ok(Routed::new(Plan::compile(settings)?, sources))
}

/// The routes for the engine. Those that name the same schema have one; those that name none have that of
/// the top level, which is called `name`.
fn routes(
    all: Vec<RouteRules>,
    name: Option<&str>,
    top: Option<&Arc<Schema>>,
) -> Result<Vec<Route>> {
    let mut known: HashMap<String, Arc<Schema>> = HashMap::new();
    known.extend(name.map(str::to_owned).zip(top.cloned()));
    let mut routes = Vec::new();
    for route in all {
        let schema = match &route.schema {
            None => top.cloned(),
            Some((name, option)) => Some(match known.get(name) {
                Some(schema) => schema.clone(),
                None => {
                    let schema = Arc::new(schemas::find_as(name, option)?);
                    known.insert(name.clone(), schema.clone());
                    schema
                }
            }),
        };
        routes.push(Route {
            name: route.name,
            of_sources: !route.source.is_any(),
            fields: route.fields,
            select: route.select,
            schema,
            rules: route.rules,
        });
    }
    Ok(routes)
}
