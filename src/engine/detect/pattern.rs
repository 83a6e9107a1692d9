//! The anchored regex of a detector.

use std::sync::OnceLock;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::shape;
use crate::engine::index::exact::ByteSet;

/// An anchored regex. Its states are built as candidates ask for them, and kept in the worker's
/// [`Memory`]: a DFA built whole took up to 40 ms for one detector.
#[derive(Default)]
pub(crate) struct Pattern {
    regex: String,
    /// Its size limits are not limits: see [`lifted`]. What may not follow the match.
    lift: Option<ByteSet>,
    /// The fewest bytes of a match that stand before its `@`.
    pub(crate) before_at: usize,
    /// A colon is always among them.
    pub(crate) colon_before_at: bool,
    built: OnceLock<Option<DFA>>,
}

/// What a worker keeps of a pattern: the states that it has built, and where the last long search
/// went.
#[derive(Default)]
pub(crate) struct Memory {
    cache: Option<Box<Cache>>,
    trail: Trail,
}

/// The states of a search at every [`STEP`] bytes of a text. A later search of the same text that
/// comes to the same state at the same place goes on as this one did: it need not look again.
/// Without this, a text that consists of beginnings of one long match is read once for each.
#[derive(Default)]
struct Trail {
    /// The text: see [`Scratch::text`](super::verdict::Scratch).
    text: u64,
    /// The first place, in steps.
    from: usize,
    states: Vec<LazyStateID>,
    /// What the search came to: the end of its match, and how far it looked.
    end: Option<usize>,
    looked: usize,
}

/// What a search came to.
pub(crate) struct Search {
    /// The end of the match.
    pub(crate) end: Option<usize>,
    /// How many bytes it looked at.
    pub(crate) looked: usize,
    /// The states that the search needs do not fit the memory.
    pub(crate) full: bool,
}

/// The most memory for one pattern's states in one worker. The states of every detector that ships
/// fit (a test holds that), so none is ever built twice. An event whose search needs more than this
/// is too costly: see [`Search::full`].
const STATES: usize = 192 << 10;
/// The distance of a trail's places.
const STEP: usize = 64;
/// The most places of a trail.
const MOST_PLACES: usize = 16 << 10;
/// Repetitions that are bounded by less are a format, not a size limit.
const SIZE_LIMIT: u32 = 3;
/// The same where a longer match would be refused for what follows it.
const LARGE_LIMIT: u32 = 64;

impl Pattern {
    /// Compiles `regex`. `lift`: of a secret, what goes over a size limit is a part of the secret,
    /// too; the set is what may not follow it.
    pub(crate) fn new(regex: &str, lift: Option<ByteSet>) -> Result<Self, String> {
        let mut pattern = Self { regex: regex.into(), lift, ..Self::default() };
        if !regex.is_empty() {
            let hir = pattern.hir()?;
            shape::check_size(&hir).map_err(|what| format!("its regex is too large: {what}"))?;
            (pattern.before_at, pattern.colon_before_at) = shape::before_at(&hir);
        }
        Ok(pattern)
    }

    fn hir(&self) -> Result<Hir, String> {
        let hir = shape::parse(&self.regex)?;
        Ok(self.lift.as_ref().map_or_else(|| hir.clone(), |not_after| lifted(&hir, not_after)))
    }

    fn build(&self) -> Option<DFA> {
        if self.regex.is_empty() {
            return None;
        }
        // It gives up where the states do not fit, rather than build them again and again.
        let config = DFA::config()
            .match_kind(MatchKind::LeftmostFirst)
            .cache_capacity(STATES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let nfa = thompson::Config::new().utf8(false);
        // `new` has parsed it, and looked at its size.
        let nfa =
            thompson::Compiler::new().configure(nfa).build_from_hir(&self.hir().ok()?).ok()?;
        DFA::builder().configure(config).build_from_nfa(nfa).ok()
    }

    /// Searches for the match that begins at `at`, looking no further than `end`. The bytes beyond
    /// are seen by look-around only. `id` names the text; `fresh` is scratch space.
    #[inline]
    pub(crate) fn search(
        &self,
        memory: &mut Memory,
        text: &[u8],
        (at, end): (usize, usize),
        id: u64,
        fresh: &mut Vec<LazyStateID>,
    ) -> Search {
        let nothing = Search { end: None, looked: 0, full: false };
        let Some(dfa) = self.built.get_or_init(|| self.build()) else { return nothing };
        let Memory { cache, trail } = memory;
        let cache = cache.get_or_insert_with(|| Box::new(dfa.create_cache()));
        if trail.text != id {
            trail.forget(id);
        }
        fresh.clear();
        let input = Input::new(text).span(at..end).anchored(Anchored::Yes);
        let full = |looked| Search { end: None, looked, full: true };
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return full(0) };
        let (mut last, mut from) = (None, at);
        while from < end {
            let place = from / STEP + 1;
            let to = end.min(place * STEP);
            for (i, &b) in text[..to].iter().enumerate().skip(from) {
                // Most steps lead from one plain state to another that is built already.
                if !state.is_tagged() {
                    let next = dfa.next_state_untagged(cache, state, b);
                    if !next.is_tagged() {
                        state = next;
                        continue;
                    }
                }
                state = match dfa.next_state(cache, state, b) {
                    Ok(s) if s.is_dead() || s.is_quit() => {
                        trail.take(fresh, at, last, i);
                        return Search { end: last, looked: i - at, full: false };
                    }
                    Ok(s) => s,
                    Err(_) => return full(i - at),
                };
                // A match is known one byte late.
                if state.is_match() {
                    last = Some(i);
                }
            }
            from = to;
            if from < end {
                if trail.states.get(place.wrapping_sub(trail.from)) == Some(&state) {
                    let end = trail.end.filter(|&end| end >= from).or(last);
                    return Search { end, looked: from - at, full: false };
                }
                if fresh.len() < MOST_PLACES {
                    fresh.push(state);
                }
            }
        }
        let behind = match text.get(end) {
            Some(&b) => dfa.next_state(cache, state, b),
            None => dfa.next_eoi_state(cache, state),
        };
        match behind {
            Ok(s) if s.is_match() => last = Some(end),
            Ok(_) => {}
            Err(_) => return full(end - at),
        }
        trail.take(fresh, at, last, end);
        Search { end: last, looked: end - at, full: false }
    }

    /// Forgets the states that were built.
    #[cold]
    pub(crate) fn forget(&self, memory: &mut Memory) {
        if let (Some(Some(dfa)), Some(cache)) = (self.built.get(), &mut memory.cache) {
            dfa.reset_cache(cache);
        }
        memory.trail.forget(0);
    }
}

impl Trail {
    fn forget(&mut self, text: u64) {
        (self.text, self.end, self.looked) = (text, None, 0);
        self.states.clear();
    }

    /// Keeps what a search from `at` found, if it saw more than the last one that was kept.
    fn take(&mut self, fresh: &mut Vec<LazyStateID>, at: usize, end: Option<usize>, looked: usize) {
        if looked > self.looked && !fresh.is_empty() {
            std::mem::swap(&mut self.states, fresh);
            (self.from, self.end, self.looked) = (at / STEP + 1, end, looked);
        }
    }
}

/// `hir` without the upper bounds of its repetitions that are size limits: what is longer is a
/// longer secret, not none, and no part of it may stay. An optional part stays optional, and an
/// exact count exact. Where `not_after` may not follow the match, an author says that what is longer
/// is something else; only a large bound is a size limit there.
fn lifted(hir: &Hir, not_after: &ByteSet) -> Hir {
    let least = if *not_after == ByteSet::NONE { SIZE_LIMIT } else { LARGE_LIMIT };
    let all = |list: &[Hir]| list.iter().map(|h| lifted(h, not_after)).collect();
    match hir.kind() {
        HirKind::Repetition(r) => {
            let bound = r.max.filter(|&max| max == r.min || max < least);
            let sub = Box::new(lifted(&r.sub, not_after));
            Hir::repetition(Repetition { max: bound, sub, ..*r })
        }
        HirKind::Capture(c) => lifted(&c.sub, not_after),
        HirKind::Concat(list) => Hir::concat(all(list)),
        HirKind::Alternation(list) => Hir::alternation(all(list)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.clone(),
    }
}

#[cfg(test)]
mod tests;
