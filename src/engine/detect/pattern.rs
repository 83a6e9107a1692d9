//! The anchored regex of a detector.

use std::sync::OnceLock;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::{pack, shape};
use crate::engine::index::exact::ByteSet;
use crate::engine::regex;

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
    /// The same backwards, for where a match begins that a search of a whole text found.
    backwards: OnceLock<Option<DFA>>,
}

/// What a worker keeps of a pattern: the states that it has built, and where the last long search
/// went.
#[derive(Default)]
pub(crate) struct Memory {
    cache: Option<Box<Cache>>,
    backwards: Option<Box<Cache>>,
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

impl Memory {
    /// The bytes of memory that it holds, by the count of `regex_automata`.
    pub(super) fn size(&self) -> usize {
        let cache = |cache: &Option<Box<Cache>>| cache.as_ref().map_or(0, |c| c.memory_usage());
        let trail = self.trail.states.len() * size_of::<LazyStateID>();
        cache(&self.cache) + cache(&self.backwards) + trail
    }
}

/// What a search came to.
pub(crate) struct Search {
    /// The end of the match.
    pub(crate) end: Option<usize>,
    /// How many bytes it looked at.
    pub(crate) looked: usize,
    /// The states that the search needs do not fit the memory.
    pub(crate) full: bool,
    /// States may have been built.
    pub(crate) built: bool,
}

/// What a search of a text came to.
pub(crate) struct Found {
    /// The match.
    pub(crate) range: Option<(usize, usize)>,
    /// How many bytes it looked at.
    pub(crate) looked: usize,
    /// See [`Search::full`].
    pub(crate) full: bool,
}

/// The most memory for one pattern's states in one worker. The states of every detector that ships
/// fit (a test holds that). An event whose search needs more than this is too costly: see
/// [`Search::full`].
pub(super) const STATES: usize = 192 << 10;
/// An automaton of this size needs less than that before it reads a byte.
const SURELY_FITS: usize = 2000;
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
            regex::check_size(&hir).map_err(|what| format!("its regex is too large: {what}"))?;
            if regex::size(&hir) > SURELY_FITS && !pattern.fits() {
                return Err(format!(
                    "its regex is too large: its automaton needs more than {} KiB of memory before \
                     it reads a byte: use smaller bounds, or `*` and `+`",
                    STATES >> 10
                ));
            }
            (pattern.before_at, pattern.colon_before_at) = shape::before_at(&hir);
        }
        Ok(pattern)
    }

    /// The pattern of a detector, which `not_after` may not follow.
    pub(super) fn of(d: &pack::Detector, not_after: ByteSet) -> Result<Self, String> {
        Self::new(&d.regex, (d.category == pack::SECRET).then_some(not_after))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.regex.is_empty()
    }

    /// What it matches.
    pub(super) fn hir(&self) -> Result<Hir, String> {
        let hir = regex::parse(&self.regex)?;
        Ok(self.lift.as_ref().map_or_else(|| hir.clone(), |not_after| lifted(&hir, not_after)))
    }

    /// Whether a search can begin at all with the memory that a pattern has.
    fn fits(&self) -> bool {
        self.build(false).is_some() && self.build(true).is_some()
    }

    /// The automaton; `None` if the memory does not even hold what a search begins with.
    fn build(&self, backwards: bool) -> Option<DFA> {
        if self.regex.is_empty() {
            return None;
        }
        // It gives up where the states do not fit, rather than build them again and again.
        let kind = if backwards { MatchKind::All } else { MatchKind::LeftmostFirst };
        let config = DFA::config()
            .match_kind(kind)
            .cache_capacity(STATES)
            .minimum_cache_clear_count(Some(0));
        let captures = if backwards { WhichCaptures::None } else { WhichCaptures::All };
        let nfa = thompson::Config::new().utf8(false).reverse(backwards).which_captures(captures);
        // `new` has parsed it, and looked at its size.
        let nfa =
            thompson::Compiler::new().configure(nfa).build_from_hir(&self.hir().ok()?).ok()?;
        DFA::builder().configure(config).build_from_nfa(nfa).ok()
    }

    /// Searches for the match that begins at `at`, looking no further than `end`. The bytes beyond
    /// are seen by look-around only. `id` names the text; `fresh` is scratch space.
    #[inline(always)]
    pub(crate) fn search(
        &self,
        memory: &mut Memory,
        text: &[u8],
        (at, end): (usize, usize),
        id: u64,
        fresh: &mut Vec<LazyStateID>,
    ) -> Search {
        let nothing = Search { end: None, looked: 0, full: false, built: false };
        let Some(dfa) = self.built.get_or_init(|| self.build(false)) else {
            // Nothing is let through for a regex that cannot be built.
            return if self.is_empty() { nothing } else { full(at, at) };
        };
        let cache = memory.cache.get_or_insert_with(|| Box::new(dfa.create_cache()));
        let input = Input::new(text).span(at..end).anchored(Anchored::Yes);
        let Ok(state) = dfa.start_state_forward(cache, &input) else { return full(at, at) };
        let mut run = Run { dfa, text, at, state, last: None, built: false };
        // Most matches are short, and leave no trail.
        let first = end.min((at / STEP + 1) * STEP);
        match run.through(cache, at, first) {
            Some(search) => search,
            None if first == end => run.ended(cache, end),
            None => run.follow(memory, first, end, id, fresh),
        }
    }

    /// Searches for the first match in `text[from..to]`. The bytes around are seen by look-around
    /// only.
    pub(crate) fn find(
        &self,
        memory: &mut Memory,
        text: &[u8],
        (from, to): (usize, usize),
    ) -> Found {
        let full = |looked| Found { range: None, looked, full: true };
        let dfa = self.built.get_or_init(|| self.build(false)).as_ref();
        let backwards = self.backwards.get_or_init(|| self.build(true)).as_ref();
        // Nothing is let through for a regex that cannot be built.
        let (Some(dfa), Some(backwards)) = (dfa, backwards) else { return full(0) };
        let cache = memory.cache.get_or_insert_with(|| Box::new(dfa.create_cache()));
        let input = Input::new(text).span(from..to);
        let Ok(state) = dfa.start_state_forward(cache, &input) else { return full(0) };
        let mut run = Run { dfa, text, at: from, state, last: None, built: false };
        let search = run.through(cache, from, to).unwrap_or_else(|| run.ended(cache, to));
        let looked = search.looked;
        let end = match search {
            Search { full: true, .. } => return full(looked),
            Search { end: Some(end), .. } => end,
            Search { end: None, .. } => return Found { range: None, looked, full: false },
        };
        let cache = memory.backwards.get_or_insert_with(|| Box::new(backwards.create_cache()));
        let input = Input::new(text).span(from..end).anchored(Anchored::Yes);
        match backwards.try_search_rev(cache, &input) {
            Ok(Some(begin)) => {
                let looked = looked + end - begin.offset();
                Found { range: Some((begin.offset(), end)), looked, full: false }
            }
            _ => full(looked + end - from),
        }
    }
}

/// A search that is under way.
struct Run<'a> {
    dfa: &'a DFA,
    text: &'a [u8],
    /// Where it began.
    at: usize,
    state: LazyStateID,
    /// The end of the match so far.
    last: Option<usize>,
    /// States may have been built.
    built: bool,
}

impl Run<'_> {
    /// Goes on from `from` to `to`; what the search came to, if it ended there.
    #[inline(always)]
    fn through(&mut self, cache: &mut Cache, from: usize, to: usize) -> Option<Search> {
        let mut state = self.state;
        for (i, &b) in self.text[..to].iter().enumerate().skip(from) {
            // Most steps lead from one plain state to another that is built already.
            if !state.is_tagged() {
                let next = self.dfa.next_state_untagged(cache, state, b);
                if !next.is_tagged() {
                    state = next;
                    continue;
                }
                self.built |= next.is_unknown();
            }
            state = match self.dfa.next_state(cache, state, b) {
                Ok(s) if s.is_dead() || s.is_quit() => {
                    return Some(self.search(self.last, i));
                }
                Ok(s) => s,
                Err(_) => return Some(full(self.at, i)),
            };
            // A match is known one byte late.
            if state.is_match() {
                // What follows it may be built without a sign of it.
                (self.last, self.built) = (Some(i), true);
            }
        }
        self.state = state;
        None
    }

    /// Goes on from `from`, at a place of the trail.
    #[inline(never)]
    fn follow(
        mut self,
        memory: &mut Memory,
        mut from: usize,
        end: usize,
        id: u64,
        fresh: &mut Vec<LazyStateID>,
    ) -> Search {
        let Memory { cache: Some(cache), trail, .. } = memory else { return full(self.at, from) };
        if trail.text != id {
            trail.forget(id);
        }
        fresh.clear();
        let search = loop {
            let place = from / STEP;
            if trail.states.get(place.wrapping_sub(trail.from)) == Some(&self.state) {
                let end = trail.end.filter(|&end| end >= from).or(self.last);
                return self.search(end, from);
            }
            if fresh.len() < MOST_PLACES {
                fresh.push(self.state);
            }
            let to = end.min(from + STEP);
            if let Some(search) = self.through(cache, from, to) {
                break search;
            }
            if to == end {
                break self.ended(cache, end);
            }
            from = to;
        };
        if !search.full {
            trail.take(fresh, self.at, search.end, self.at + search.looked);
        }
        search
    }

    /// What the search came to that looked at everything up to `end`.
    #[inline(always)]
    fn ended(&mut self, cache: &mut Cache, end: usize) -> Search {
        self.built = true;
        let behind = match self.text.get(end) {
            Some(&b) => self.dfa.next_state(cache, self.state, b),
            None => self.dfa.next_eoi_state(cache, self.state),
        };
        match behind {
            Ok(s) if s.is_match() => self.search(Some(end), end),
            Ok(_) => self.search(self.last, end),
            Err(_) => full(self.at, end),
        }
    }

    /// What the search came to that found a match up to `end`, if any, and looked as far as `looked`.
    #[inline(always)]
    fn search(&self, end: Option<usize>, looked: usize) -> Search {
        Search { end, looked: looked - self.at, full: false, built: self.built }
    }
}

/// A search from `at` whose states did not fit at `looked`.
fn full(at: usize, looked: usize) -> Search {
    Search { end: None, looked: looked - at, full: true, built: true }
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
