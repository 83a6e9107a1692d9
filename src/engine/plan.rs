//! What a worker follows: detectors, schema and limits, compiled once and shared.

mod conflicts;

use std::sync::Arc;

use super::detect::{Catalog, Pack, PlanError, Selection};
use super::index::Simd;
use super::placeholder::Placeholders;
use super::policy::{self, Action, Policy, PseudonymKey};
use super::ruleset::Ruleset;
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
    pub(crate) ruleset: Arc<Ruleset>,
    pub(crate) simd: Simd,
}

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
        let mut select = settings.select.clone();
        if settings.ip == IpPolicy::Keep {
            let ids = settings.packs.iter().flat_map(|p| &p.detectors);
            let truncating = ids.filter(|d| d.action == Action::Truncate);
            select.without.extend(truncating.map(|d| d.id.clone()));
        }
        let truncates = settings.ip != IpPolicy::Redact;
        let placeholders = Arc::new(placeholders(&settings));
        let (mut catalog, origins) =
            Catalog::compile(&settings.packs, &select, truncates, &placeholders)?;
        catalog.add_names(&settings.policy)?;
        let (policy, schema) = (&settings.policy, settings.schema.clone());
        let ruleset =
            Ruleset::compile(Arc::new(catalog), policy, schema, &settings.packs, &origins)?;
        let catalog = &ruleset.catalog;
        if let Some(schema) = &settings.schema
            && let Some(conflict) = conflicts::find(&ruleset, schema)
        {
            let rule = usize::from(conflict.by) - settings.policy.allow.len();
            let label = &settings.policy.rules[rule].label;
            return Err(PlanError::new(format!("{label}: {}", conflict.what)));
        }
        let mut infos: Vec<_> = origins
            .iter()
            .map(|&(p, d)| {
                let pack = &settings.packs[p];
                let detector = &pack.detectors[d];
                DetectorInfo {
                    id: detector.id.clone(),
                    category: detector.category.clone(),
                    pack: pack.pack.clone(),
                }
            })
            .collect();
        infos.extend(catalog.list[catalog.declared..].iter().map(|d| DetectorInfo {
            id: d.id.clone(),
            category: policy::CATEGORY.into(),
            pack: String::new(),
        }));
        Ok(Self { settings, infos, ruleset: Arc::new(ruleset), simd })
    }

    /// The same for lines inside others: what it would wrap is kept as text, and every reject is
    /// told, with its body.
    pub fn for_inner_lines(&self) -> Self {
        let mut settings = self.settings.clone();
        if settings.text == TextPolicy::Wrap {
            settings.text = TextPolicy::Keep;
        }
        settings.bodies = true;
        Self { settings, infos: self.infos.clone(), ruleset: self.ruleset.clone(), simd: self.simd }
    }

    /// The detectors in force, and what rules by path count under, in the order of
    /// [`Tally::redactions`](super::Tally::redactions).
    pub fn detectors(&self) -> &[DetectorInfo] {
        &self.infos
    }

    /// The labels of the entries of the allow-list, then of the rules, in the order of
    /// [`Tally::hits`](super::Tally::hits).
    pub fn policy(&self) -> impl Iterator<Item = &str> {
        let Policy { allow, rules, .. } = &self.settings.policy;
        allow.iter().map(|a| a.label.as_str()).chain(rules.iter().map(|r| r.label.as_str()))
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

/// The placeholders of all packs, whichever of their detectors are in force, and of the policy.
fn placeholders(settings: &Settings) -> Placeholders {
    let Policy { rules, known_placeholders, keys, .. } = &settings.policy;
    let detectors = settings.packs.iter().flat_map(|pack| &pack.detectors);
    let ids = detectors.map(|d| d.id.as_str()).chain(rules.iter().filter_map(|rule| rule.id()));
    let rings = keys.iter().flat_map(|ring| ring.previous.iter().chain([&ring.active]));
    Placeholders::new(ids.chain(known_placeholders.iter().map(String::as_str)))
        .with_keys(rings.map(PseudonymKey::id))
}
