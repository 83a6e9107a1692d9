//! A detector compiled: what the verdict asks of it.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex_automata::meta;

use super::pack::{self, Action, Extends, Fires, Near, Normalise, Start, Step};
use super::pattern::Pattern;
use super::shape;
use super::validators;
use super::{advice, derive};
use crate::engine::index::exact::ByteSet;
use crate::engine::path::words::{Fields, Words, phrase};
use crate::engine::placeholder::Placeholders;
use crate::engine::regex;

/// A detector, compiled.
pub(crate) struct Detector {
    pub(crate) id: String,
    /// `[REDACTED:id]`.
    pub(crate) placeholder: String,
    pub(crate) priority: u32,
    pub(crate) start: Start,
    pub(crate) lead: Option<ByteSet>,
    pub(crate) pattern: Pattern,
    /// The regex alone says where it may match.
    pub(crate) derived: bool,
    /// Its candidates are literals inside a match: the text that has one is searched.
    pub(crate) inside: bool,
    pub(crate) not_before: ByteSet,
    pub(crate) not_after: ByteSet,
    pub(crate) extends: Extends,
    pub(crate) normalise: Normalise,
    pub(crate) validator: Option<fn(&[u8]) -> bool>,
    pub(crate) context: Vicinity,
    pub(crate) veto: Vicinity,
    pub(crate) strings: Fires,
    pub(crate) numbers: Fires,
    pub(crate) action: Action,
    pub(crate) allow: Vec<meta::Regex>,
    /// Finds assignments to these fields; has no pattern.
    pub(crate) assigns: Option<Arc<Fields>>,
    pub(crate) placeholders: Arc<Placeholders>,
}

/// Keys and words near a match.
#[derive(Default)]
pub(crate) struct Vicinity {
    keys: Vec<String>,
    words: Option<AhoCorasick>,
}

/// How far context words reach, in bytes.
const REACH: usize = 30;

impl Vicinity {
    fn new(near: &Near) -> Result<Self, String> {
        let words = if near.words.is_empty() {
            None
        } else {
            let built = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .build(&near.words)
                .map_err(|e| e.to_string())?;
            Some(built)
        };
        Ok(Self { keys: near.keys.iter().map(|k| phrase(k)).collect(), words })
    }

    /// Whether one of the keys stands in `key`.
    pub(crate) fn in_key(&self, key: &Words) -> bool {
        self.keys.iter().any(|k| key.contain(k))
    }

    pub(crate) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether one of the words stands within reach before `at`.
    pub(crate) fn before(&self, text: &[u8], at: usize, placeholders: &Placeholders) -> bool {
        self.within(text, at.saturating_sub(REACH)..at, placeholders)
    }

    /// Whether one of the words stands within reach behind `at`.
    pub(crate) fn behind(&self, text: &[u8], at: usize, placeholders: &Placeholders) -> bool {
        self.within(text, at..(at + REACH).min(text.len()), placeholders)
    }

    fn within(&self, text: &[u8], part: Range<usize>, placeholders: &Placeholders) -> bool {
        let Some(words) = &self.words else { return false };
        words.find_overlapping_iter(&text[part.clone()]).any(|m| {
            let (s, e) = (part.start + m.start(), part.start + m.end());
            (s == 0 || !text[s - 1].is_ascii_alphanumeric())
                && text.get(e).is_none_or(|b| !b.is_ascii_alphabetic())
                // `[REDACTED:us_ssn]` is no word for what stands beside it.
                && placeholders.around(text, s).is_none()
        })
    }
}

impl Detector {
    /// A name to count under, that finds nothing.
    pub(super) fn named(id: &str, placeholders: &Arc<Placeholders>) -> Self {
        Self {
            id: id.into(),
            placeholder: format!("[REDACTED:{id}]"),
            priority: u32::MAX,
            start: Start::Token,
            lead: None,
            pattern: Pattern::default(),
            derived: false,
            inside: false,
            not_before: ByteSet::NONE,
            not_after: ByteSet::NONE,
            extends: Extends::Match,
            normalise: Normalise::None,
            validator: None,
            context: Vicinity::default(),
            veto: Vicinity::default(),
            strings: Fires::Never,
            numbers: Fires::Never,
            action: Action::Replace,
            allow: vec![],
            assigns: None,
            placeholders: Arc::clone(placeholders),
        }
    }

    pub(super) fn new(
        d: &pack::Detector,
        placeholders: &Arc<Placeholders>,
    ) -> Result<Self, String> {
        let class = |c: &Option<String>| c.as_deref().map_or(Ok(ByteSet::NONE), shape::class);
        let validator = match &d.validator {
            None => None,
            Some(name) => {
                Some(validators::by_name(name).ok_or_else(|| format!("no validator `{name}`"))?)
            }
        };
        let allow = d
            .allow
            .iter()
            .map(|a| {
                let whole = format!("^(?:{a})$");
                regex::parse(&whole)?;
                let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
                meta::Builder::new().syntax(syntax).build(&whole).map_err(|e| e.to_string())
            })
            .collect::<Result<Vec<_>, _>>()?;
        let not_after = class(&d.not_after)?;
        let derived = derive::is_derived(d);
        if !d.regex.is_empty() {
            advice::check(d, derived)?;
        }
        Ok(Self {
            id: d.id.clone(),
            placeholder: format!("[REDACTED:{}]", d.id),
            priority: d.priority,
            // Wherever the regex matches.
            start: if derived { Start::Group } else { d.start },
            lead: d.lead.as_deref().filter(|_| !derived).map(shape::class).transpose()?,
            pattern: Pattern::of(d, not_after)?,
            derived,
            // Known when its gates are.
            inside: false,
            not_before: class(&d.not_before)?,
            not_after,
            extends: d.extends,
            normalise: d.normalise,
            validator,
            context: Vicinity::new(&d.context)?,
            veto: Vicinity::new(&d.veto)?,
            strings: d.strings,
            numbers: d.numbers,
            action: d.action,
            allow,
            // Known when all packs are.
            assigns: None,
            placeholders: Arc::clone(placeholders),
        })
    }

    /// Returns how much of a match counts as tried when `step` refuses it. If only the bytes next to
    /// it refuse it, another match can begin at the next byte.
    pub(super) fn tried(&self, step: Step, (begin, end): (usize, usize)) -> (usize, usize) {
        if self.derived && step == Step::Regex { (begin, begin + 1) } else { (begin, end) }
    }
}
