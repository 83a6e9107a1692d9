//! The packs' own tests: every example and counter-example, through the engine itself.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::chunk::Chunk;
use super::detect::pack::{Case, Detector, Step};
use super::detect::{Pack, PlanError, Selection};
use super::explain::traced;
use super::path::words::{Fields, Name, Words};
use super::plan::{Plan, Settings};

/// What a detector made of one of its tests.
#[derive(Debug, Clone)]
pub struct CaseResult {
    /// The pack's name.
    pub pack: String,
    /// The detector's id.
    pub detector: String,
    /// The test.
    pub case: Case,
    /// Whether the detector did what the test wants.
    pub passed: bool,
    /// What came: of a `text`, the string; of an `event`, the whole event.
    pub came: String,
    /// The furthest step that refused a candidate of the detector; `None` if none was refused. With
    /// no candidate at all it is [`Step::Shape`] where its gate opened, else [`Step::Gate`].
    pub step: Option<Step>,
    /// Why the detector could not be tested at all.
    pub error: Option<PlanError>,
}

/// Runs every test of every detector of `packs`, each detector by itself (with those that it
/// `assigns`).
///
/// A `text` is judged as the content of a string, in an event that holds nothing else.
pub fn check(packs: &[Pack]) -> Vec<CaseResult> {
    let detectors = packs.iter().flat_map(|p| p.detectors.iter().map(move |d| (p, d)));
    detectors.flat_map(|(pack, d)| detector(packs, pack, d)).collect()
}

fn detector(packs: &[Pack], pack: &Pack, d: &Detector) -> Vec<CaseResult> {
    let only = std::iter::once(&d.id).chain(&d.assigns).cloned().collect();
    let select = Selection { only, ..Selection::default() };
    let plan = Plan::compile(Settings { packs: packs.to_vec(), select, ..Settings::default() });
    let plan = plan.map(Arc::new);
    let result = |case: &Case| {
        let blank = CaseResult {
            pack: pack.pack.clone(),
            detector: d.id.clone(),
            case: case.clone(),
            passed: false,
            came: String::new(),
            step: None,
            error: None,
        };
        match &plan {
            Ok(plan) => run(plan, d, blank),
            Err(error) => CaseResult { error: Some(error.clone()), ..blank },
        }
    };
    d.tests.iter().map(result).collect()
}

fn run(plan: &Arc<Plan>, d: &Detector, mut r: CaseResult) -> CaseResult {
    let event = match (&r.case.text, &r.case.event) {
        (Some(text), _) => json!({ "message": text }).to_string(),
        (None, event) => event.clone().unwrap_or_default(),
    };
    let (trace, _, out) = traced(plan, &plan.way(|_| false), &Chunk::from_bytes(event.as_bytes()));
    let line = String::from_utf8_lossy(&out.clean).trim_end_matches('\n').to_owned();
    r.came = match &r.case.text {
        None => line.clone(),
        Some(_) => message(&line).unwrap_or_else(|| line.clone()),
    };
    let id = plan.catalog.list.iter().position(|o| o.id == d.id);
    let own = trace.decisions.iter().filter(|o| Some(usize::from(o.detector)) == id);
    let found = own.clone().any(|o| o.refused.is_none());
    r.step = own.filter_map(|o| o.refused).max();
    if !d.fields.is_empty() {
        r.step = r.step.or_else(|| by_key(plan, d, &event));
    } else if r.step.is_none() && !found {
        let opened = id.is_some_and(|i| trace.opened[i]);
        r.step = Some(if opened { Step::Shape } else { Step::Gate });
    }
    r.passed = match (&r.case.becomes, r.case.unchanged_by) {
        (Some(becomes), _) => r.came == *becomes,
        (None, step) => line == event && r.step == step,
    };
    r
}

fn message(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    event.get("message")?.as_str().map(str::to_owned)
}

/// The furthest step that a rule by key comes to in an event in which it finds nothing.
fn by_key(plan: &Plan, d: &Detector, event: &str) -> Option<Step> {
    let fields = Fields::new(&d.fields, &d.not_fields, &plan.catalog.placeholders);
    let event = serde_json::from_str::<Map<String, Value>>(event).ok()?;
    event.iter().map(|(key, value)| key_step(&fields, key, value)).max()
}

fn key_step(fields: &Fields, key: &str, value: &Value) -> Step {
    let own = match fields.judge(key.as_bytes(), &mut Words::default()) {
        Name::Other => Step::Gate,
        Name::Excepted => Step::Veto,
        Name::Secret => match value.as_str() {
            Some(s) if fields.placeholders().is(s.as_bytes()) => Step::AllowList,
            _ => Step::Shape,
        },
    };
    let inside = match value {
        Value::Object(o) => o.iter().map(|(k, v)| key_step(fields, k, v)).max(),
        Value::Array(a) => a.iter().map(|v| key_step(fields, "", v)).max(),
        _ => None,
    };
    inside.map_or(own, |i| i.max(own))
}
