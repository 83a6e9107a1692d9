//! One worker's way through the routes: which one the line under judgement takes, and what was learnt
//! of the events of each ruleset.

use std::mem;

use super::judge::Judge;
use super::outcome::{Output, Run};
use super::path::Paths;
use super::plan::Plan;
use super::router::{Decision, Way};
use super::ruleset::Ruleset;
use super::walk::asked::Occurrence;
use super::walk::{Held, Walk};

/// The most ways that are known at a time.
const MOST_WAYS: usize = 256;
/// Decisions that are remembered, and the longest values of which they are.
const REMEMBERED: usize = 1024;
const LONGEST: usize = 128;

/// Which route lines take.
#[derive(Default)]
pub(super) struct Routing {
    /// The ways of sources so far; what was decided is remembered by their places.
    ways: Vec<Way>,
    /// By source of the chunk: its way.
    sources: Vec<usize>,
    /// The way of the line under judgement.
    way: usize,
    /// The next of the chunk's sources.
    next: usize,
    decisions: Vec<(Vec<u8>, Decision)>,
    key: Vec<u8>,
    /// The route of the line under judgement, and what it is judged by.
    pub(super) took: (u16, Option<u16>),
}

impl Routing {
    /// The next chunk's sources have these ways, by their numbers.
    pub(super) fn set_sources<'a>(&mut self, ways: impl Iterator<Item = &'a Way>) {
        self.sources.clear();
        if self.ways.len() > MOST_WAYS {
            self.ways.clear();
            self.decisions.clear();
        }
        for way in ways {
            let known = self.ways.iter().position(|known| known == way);
            self.sources.push(known.unwrap_or_else(|| {
                self.ways.push(way.clone());
                self.ways.len() - 1
            }));
        }
    }

    /// A chunk begins. Where nothing is known of its source, it has no other way than all have.
    pub(super) fn begin(&mut self, plan: &Plan) {
        if self.sources.is_empty() {
            self.set_sources([plan.way(|_| false)].iter());
        }
        (self.next, self.way) = (0, self.sources[0]);
    }

    /// A line begins at the place `at` of the data, whose sources are `sources`.
    #[inline(always)]
    pub(super) fn line(&mut self, at: u32, sources: &[(u32, u16)]) {
        while let Some((_, source)) = sources.get(self.next).filter(|(from, _)| *from <= at) {
            self.way = self.sources.get(usize::from(*source)).copied().unwrap_or_default();
            self.next += 1;
        }
    }

    /// The way of the line.
    #[inline(always)]
    pub(super) fn way(&self) -> &Way {
        &self.ways[self.way]
    }

    /// Decides about an event with these fields.
    #[inline]
    pub(super) fn decide(&mut self, plan: &Plan, buf: &[u8], fields: &[Occurrence]) -> Decision {
        let slot = match remembered(&mut self.key, self.way, buf, fields) {
            Some(hash) => hash as usize % REMEMBERED,
            None => return plan.router.decide(&self.ways[self.way], buf, fields),
        };
        if let Some((key, decision)) = self.decisions.get(slot)
            && *key == self.key
        {
            return *decision;
        }
        self.look(plan, buf, fields, slot)
    }

    #[inline(never)]
    fn look(&mut self, plan: &Plan, buf: &[u8], fields: &[Occurrence], slot: usize) -> Decision {
        let decision = plan.router.decide(&self.ways[self.way], buf, fields);
        if self.decisions.is_empty() {
            self.decisions.resize(REMEMBERED, (Vec::new(), decision));
        }
        let (key, decided) = &mut self.decisions[slot];
        key.clear();
        key.extend_from_slice(&self.key);
        *decided = decision;
        decision
    }

    /// The line with this number took its route. So many lines were forwarded before it.
    #[inline(always)]
    pub(super) fn took(&mut self, number: u32, forwarded: u64, out: &mut Output) {
        let (route, ruleset) = self.took;
        if out.runs.last().is_none_or(|run| (run.route, run.ruleset) != self.took) {
            out.runs.push(Run { first: number, route, ruleset });
        }
        let forwarded = out.tally.forwarded() - forwarded;
        if let Some(counts) = out.tally.of_route(route) {
            counts.forwarded += forwarded;
        }
    }
}

/// What was learnt of the events of one ruleset.
pub(super) struct Learnt {
    pub(super) ruleset: u16,
    pub(super) paths: Paths,
    /// Of JSON inside strings; and what the walk holds events to. While the ruleset is in use, the judge
    /// and the walk have these.
    nested: Option<Box<Paths>>,
    held: Held,
}

/// What was learnt, by ruleset.
pub(super) struct Learning {
    pub(super) now: Box<Learnt>,
    others: Vec<Option<Box<Learnt>>>,
}

impl Learning {
    /// Nothing is learnt yet; the first ruleset is in use, with what the walk and the judge begin with.
    pub(super) fn new(plan: &Plan) -> Self {
        let paths = Paths::new(plan.rulesets[0].rules.clone(), plan.settings().limits.max_depth);
        let now = Box::new(Learnt { ruleset: 0, paths, nested: None, held: Held::default() });
        Self { now, others: plan.rulesets.iter().map(|_| None).collect() }
    }

    /// Events are judged by `ruleset` from now on.
    #[inline(always)]
    pub(super) fn follow(&mut self, plan: &Plan, ruleset: u16, walk: &mut Walk, judge: &mut Judge) {
        if ruleset != self.now.ruleset {
            self.switch(plan, ruleset, walk, judge);
        }
    }

    #[inline(never)]
    fn switch(&mut self, plan: &Plan, ruleset: u16, walk: &mut Walk, judge: &mut Judge) {
        let number = usize::from(ruleset);
        let (r, depth) = (&plan.rulesets[number], plan.settings().limits.max_depth);
        let make = || Box::new(Learnt::new(r, ruleset, depth));
        let mut next = self.others[number].take().unwrap_or_else(make);
        let nested = next.nested.take().unwrap_or_else(|| Judge::paths_inside(r, depth));
        self.now.nested = Some(mem::replace(judge.nested_paths(), nested));
        self.now.held = mem::replace(&mut walk.held, mem::take(&mut next.held));
        let before = mem::replace(&mut self.now, next);
        let number = usize::from(before.ruleset);
        self.others[number] = Some(before);
    }
}

impl Learnt {
    fn new(r: &Ruleset, ruleset: u16, max_depth: usize) -> Self {
        let (paths, held) = (Paths::new(r.rules.clone(), max_depth), Held::to(r.schema.clone()));
        Self { ruleset, paths, nested: None, held }
    }
}

/// What a decision is remembered by: the way, and each field as it is written. Nothing where that is
/// too long.
#[inline]
fn remembered(key: &mut Vec<u8>, way: usize, buf: &[u8], fields: &[Occurrence]) -> Option<u64> {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    key.clear();
    key.extend_from_slice(&(way as u16).to_le_bytes());
    for field in fields {
        let value = &buf[field.start as usize..field.end as usize];
        if key.len() + value.len() > LONGEST {
            return None;
        }
        key.extend_from_slice(&[field.field, field.kind as u8, value.len() as u8]);
        key.extend_from_slice(value);
    }
    let mut hash = key.len() as u64;
    for bytes in key.chunks(8) {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(K).rotate_left(29);
    }
    Some(hash.wrapping_mul(K) >> 32)
}
