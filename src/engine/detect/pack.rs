//! The pack format: TOML that declares detectors, their references and their tests.
//!
//! `schemas/pack.json` is the same format as a JSON Schema, for editors.

use serde::Deserialize;

pub use crate::engine::redact::Action;

/// The category of secrets.
pub(super) const SECRET: &str = "secret";

/// A file of detectors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// The pack's name: `core`, `secrets`.
    pub pack: String,
    /// Rises with every change of what the pack detects.
    #[serde(default = "default_version")]
    pub version: u32,
    /// One line.
    #[serde(default)]
    pub description: String,
    /// The detectors.
    #[serde(default, rename = "detector")]
    pub detectors: Vec<Detector>,
}

/// A pattern with everything that decides about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Stable for ever: it is the placeholder and the metric label. `[a-z][a-z0-9_]*`.
    pub id: String,
    /// What kind of data: any word. Of a `secret` size limits are lifted, and no general entry of an
    /// allow-list lets it through.
    #[serde(default = "default_category")]
    pub category: String,
    /// One line.
    #[serde(default)]
    pub description: String,
    /// Links to the public format.
    #[serde(default)]
    pub references: Vec<String>,
    /// Decides between findings of one length; higher wins.
    #[serde(default = "default_priority")]
    pub priority: u32,

    /// Prefixes that stand at a boundary (no letter or digit before them), 3 bytes or more. A detector
    /// with neither `literals` nor a `shape` is found by its regex alone, wherever that matches.
    #[serde(default)]
    pub literals: Vec<String>,
    /// Whether `literals` match in any case.
    #[serde(default)]
    pub ignore_case: bool,
    /// Fixed-width openings, as regexes of classes, literals, `{n}`, `{n,m}`, `?` and groups:
    /// `\d{3}-\d{2}-\d{4}`. The first 11 bytes count. Each form must fit a gate: a run of digits
    /// and separators (7 or more), 1 to 3 capitals and a digit, hex groups with colons, `@`, `+`
    /// and a digit, `(ddd)`, or a literal opening.
    #[serde(default)]
    pub shape: Vec<String>,
    /// Where a shape may begin.
    #[serde(default)]
    pub start: Start,
    /// For a shape that begins with `@`: the bytes that belong to the match before it, as the
    /// inside of a regex class (`A-Za-z0-9._%+-`); at most 64 of them. The regex then begins there.
    #[serde(default)]
    pub lead: Option<String>,
    /// The match, anchored at the candidate. Bytes, ASCII classes, leftmost-first. Of a `secret`, an
    /// upper bound of 3 or more of a repetition is no limit (64 or more, if `not_after` is given): a
    /// longer secret is redacted whole.
    #[serde(default)]
    pub regex: String,
    /// What may not stand directly before the match: the inside of a regex class. A slash counts
    /// only behind a letter or digit: `Chrome/126.0.0.1` has one, `http://8.8.8.8` has none.
    #[serde(default)]
    pub not_before: Option<String>,
    /// What may not stand directly behind the match: the inside of a regex class.
    #[serde(default)]
    pub not_after: Option<String>,
    /// How far the redaction reaches.
    #[serde(default)]
    pub extends: Extends,
    /// What of the match the validator sees.
    #[serde(default)]
    pub normalise: Normalise,
    /// A check in code, by name (see `engine/detect/validators`).
    #[serde(default)]
    pub validator: Option<String>,
    /// What must be near where a value does not fire alone.
    #[serde(default)]
    pub context: Near,
    /// What forbids a finding.
    #[serde(default)]
    pub veto: Near,
    /// Whether a string's content fires alone.
    #[serde(default)]
    pub strings: Fires,
    /// Whether a bare number fires alone.
    #[serde(default = "fires_never")]
    pub numbers: Fires,
    /// What becomes of a finding.
    #[serde(default)]
    pub action: Action,
    /// Matches that are known to be harmless: regexes over the whole match.
    #[serde(default)]
    pub allow: Vec<String>,

    /// A rule by key in place of a pattern: names of fields whose whole value is the finding,
    /// as words (`api key` is `apiKey`, `api-key`, `API_KEY`, `x-api-key`). The key's last words
    /// decide. The same names make assignments in text (`password=…`).
    #[serde(default)]
    pub fields: Vec<String>,
    /// Names that look like one of `fields` and are none (`next token`, `secret name`).
    #[serde(default)]
    pub not_fields: Vec<String>,
    /// An `assignment` detector: finds `name=value`, `name: value` in text for the `fields` of the
    /// detector with this id.
    #[serde(default)]
    pub assigns: Option<String>,

    /// Examples and counter-examples.
    #[serde(default, rename = "test")]
    pub tests: Vec<Case>,
}

/// An example (`becomes`) or a counter-example (`unchanged_by`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The content of a string.
    #[serde(default)]
    pub text: Option<String>,
    /// A whole event, as JSON.
    #[serde(default)]
    pub event: Option<String>,
    /// What it becomes.
    #[serde(default)]
    pub becomes: Option<String>,
    /// The step of this detector that must refuse it.
    #[serde(default)]
    pub unchanged_by: Option<Step>,
}

/// The steps of a decision, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// No gate opened: nothing there looks like the detector.
    Gate,
    /// A gate opened; the exact table has no shape of the detector there.
    Shape,
    /// The regex, or what stands beside its match.
    Regex,
    /// The validator.
    Validator,
    /// No context word or key near, and it does not fire alone.
    Context,
    /// A veto word or key.
    Veto,
    /// The detector's allow-list, the policy's, or a placeholder of Tamis.
    AllowList,
    /// A rule of the policy keeps it, or only counts it.
    Rule,
    /// A longer finding, or one of higher priority, covers it.
    Overlap,
}

/// Where a shape may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At the start of a token: not behind a digit and a separator other than a space.
    #[default]
    Token,
    /// At every group of a run of digits and separators.
    Group,
}

/// How far the redaction of a match reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extends {
    /// The match.
    #[default]
    Match,
    /// On through the letters, digits, `-`, `_`, `.`, `=`, `+`, `/` and `~` that follow.
    Token,
    /// To the end of the string.
    End,
    /// Only the `user:password` of a match that ends in `user:password@host`: from behind `://`, or
    /// the match's start, to its last `@`.
    Userinfo,
    /// Only the value that the match ends with: what the quotes at its end enclose (the closing one
    /// may be missing); else what follows its last space, less the name and `=` in front of a long
    /// flag (`--user=a:b`) or of a match without spaces. `=` that pads the value is part of it.
    Value,
}

/// What of a match its validator sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// All of it.
    #[default]
    None,
    /// Its digits.
    Digits,
    /// Its letters and digits, letters as capitals.
    Alnum,
}

/// Whether a match is a finding by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fires {
    /// Always.
    #[default]
    Alone,
    /// Only with a context key or word.
    Context,
    /// Never.
    Never,
}

/// Keys and words near a match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// Words in the key, or in a key above it (`card`, `credit card`): lower case, split as in
    /// `fields`; any run of the key's words counts.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Words within 30 characters of the match in the same string, in any case: before or behind
    /// it for a context, before it for a veto.
    #[serde(default)]
    pub words: Vec<String>,
}

fn default_version() -> u32 {
    1
}

fn default_category() -> String {
    "custom".into()
}

fn default_priority() -> u32 {
    50
}

fn fires_never() -> Fires {
    Fires::Never
}

/// A pack that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {what}")]
pub struct PackError {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong, and the fix.
    pub what: String,
}

impl Pack {
    /// Reads a pack; `file` is its name in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, PackError> {
        let pack: Self = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start).min(text.len());
            let before = &text.as_bytes()[..at];
            let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
            let column = at - before.iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1) + 1;
            PackError { file: file.into(), line, column, what: e.message().to_string() }
        })?;
        let versioned =
            || toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key("version"));
        if pack.detectors.is_empty() && !versioned() {
            let what = "the pack has neither a [[detector]] nor a `version`".into();
            return Err(PackError { file: file.into(), line: 1, column: 1, what });
        }
        Ok(pack)
    }
}
