//! A detector compiled: what the verdict asks of it.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::AhoCorasick;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, MatchKind, meta};

use super::pack::{self, Action, Extends, Fires, Near, Normalise, Start};
use super::shape;
use super::validators;
use crate::engine::index::exact::ByteSet;
use crate::engine::path::words::{Fields, Words, phrase};
use crate::engine::placeholder::Placeholders;

/// A detector, compiled.
pub(crate) struct Detector {
    pub(crate) id: String,
    /// `[REDACTED:id]`.
    pub(crate) placeholder: String,
    pub(crate) priority: u32,
    pub(crate) start: Start,
    pub(crate) lead: Option<ByteSet>,
    pub(crate) pattern: Pattern,
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

/// An anchored regex. Its states are built as candidates ask for them, and kept in the worker's
/// [`Memory`]: a DFA built whole took up to 40 ms for one detector.
#[derive(Default)]
pub(crate) struct Pattern {
    regex: String,
    /// The fewest bytes of a match that stand before its `@`.
    pub(crate) before_at: usize,
    /// A colon is always among them.
    pub(crate) colon_before_at: bool,
    built: OnceLock<Option<DFA>>,
}

/// The states that a worker has built of a pattern.
#[derive(Default)]
pub(crate) struct Memory(Option<Box<Cache>>);

/// The most memory for one pattern's states in one worker; then they are forgotten and built anew.
const STATES: usize = 256 << 10;

impl Pattern {
    pub(crate) fn new(regex: &str) -> Result<Self, String> {
        let mut before_at = (0, false);
        if !regex.is_empty() {
            before_at = shape::before_at(&shape::parse(regex)?);
        }
        let (before_at, colon_before_at) = before_at;
        Ok(Self { regex: regex.into(), before_at, colon_before_at, built: OnceLock::new() })
    }

    /// The end of the match that begins at `at`, looking no further than `end`, and how far it
    /// looked. The bytes beyond are seen by look-around only.
    #[inline]
    pub(crate) fn end(
        &self,
        memory: &mut Memory,
        text: &[u8],
        at: usize,
        end: usize,
    ) -> (Option<usize>, usize) {
        let Some(dfa) = self.built.get_or_init(|| build(&self.regex)) else { return (None, at) };
        let cache = memory.0.get_or_insert_with(|| Box::new(dfa.create_cache()));
        let input = Input::new(text).span(at..end).anchored(Anchored::Yes);
        // It neither gives up nor quits: both are configured away.
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return (None, at) };
        let mut last = None;
        for (i, &b) in text[..end].iter().enumerate().skip(at) {
            // Most steps lead from one plain state to another that is built already.
            if !state.is_tagged() {
                let next = dfa.next_state_untagged(cache, state, b);
                if !next.is_tagged() {
                    state = next;
                    continue;
                }
            }
            state = match dfa.next_state(cache, state, b) {
                Ok(s) if s.is_dead() || s.is_quit() => return (last, i),
                Ok(s) => s,
                Err(_) => return (last, i),
            };
            // A match is known one byte late.
            if state.is_match() {
                last = Some(i);
            }
        }
        let behind = match text.get(end) {
            Some(&b) => dfa.next_state(cache, state, b),
            None => dfa.next_eoi_state(cache, state),
        };
        if behind.is_ok_and(|s| s.is_match()) {
            last = Some(end);
        }
        (last, end)
    }
}

fn build(regex: &str) -> Option<DFA> {
    if regex.is_empty() {
        return None;
    }
    let config = DFA::config()
        .match_kind(MatchKind::LeftmostFirst)
        .cache_capacity(STATES)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(None);
    let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
    let nfa = regex_automata::nfa::thompson::Config::new().utf8(false);
    // `Pattern::new` has parsed it.
    DFA::builder().configure(config).syntax(syntax).thompson(nfa).build(regex).ok()
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
                shape::parse(&whole)?;
                let syntax = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
                meta::Builder::new().syntax(syntax).build(&whole).map_err(|e| e.to_string())
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            id: d.id.clone(),
            placeholder: format!("[REDACTED:{}]", d.id),
            priority: d.priority,
            start: d.start,
            lead: d.lead.as_deref().map(shape::class).transpose()?,
            pattern: Pattern::new(&d.regex)?,
            not_before: class(&d.not_before)?,
            not_after: class(&d.not_after)?,
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
}
