//! From lines to outcomes: each line of a chunk ends in exactly one.

mod entry;
pub(super) mod prefix;
mod refused;
mod text;

use super::chunk::HEAD;
use super::fixpoint::Fixpoint;
use super::index::simd::{Level, Task};
use super::index::{Index, Simd};
use super::judge::Judge;
use super::key_block::KeyBlock;
use super::outcome::{Output, Payload, Reason};
use super::plan::Plan;
use super::router::Decision;
use super::routing::{Learning, Routing};
use super::walk::{Held, Line, Stop, Walk};
use entry::{Entry, flush, rare, reject, shape, unclear};

/// Judges the lines of chunks, one after another.
pub(super) struct LineJudge {
    simd: Simd,
    pub(super) learning: Learning,
    pub(super) routing: Routing,
    pub(super) walk: Walk,
    pub(super) judge: Judge,
    fixpoint: Fixpoint,
    pub(super) key_block: KeyBlock,
    /// Reasons of which a reject has had its pointer.
    located: [bool; Reason::ALL.len()],
}

/// What an event came to.
enum Event {
    /// Forwarded, with the judge's edits if there are any.
    Sound,
    Malformed(Stop),
    /// Its fields do not say which route it takes: this one, for this reason.
    Unclear(Reason, u8),
    /// Refused by the schema; the judge's edits are what its dead letter needs.
    Refused(Reason, usize),
}

/// The lines of a chunk, as code to be compiled for each instruction set.
pub(super) struct Lines<'a> {
    pub(super) judge: &'a mut LineJudge,
    pub(super) plan: &'a Plan,
    pub(super) buf: &'a [u8],
    pub(super) index: &'a Index,
    pub(super) sources: &'a [(u32, u16)],
    pub(super) out: &'a mut Output,
}

impl Task for Lines<'_> {
    #[inline(always)]
    fn run<L: Level>(self, _: L) {
        self.judge.lines(self.plan, self.buf, self.index, self.sources, self.out);
    }
}

impl LineJudge {
    pub(super) fn new(plan: &Plan) -> Self {
        let max_depth = plan.settings().limits.max_depth;
        Self {
            simd: plan.simd,
            learning: Learning::new(plan),
            routing: Routing::default(),
            walk: Walk::new(max_depth, Held::to(plan.rulesets[0].schema.clone())),
            judge: Judge::new(plan.simd, &plan.rulesets[0], max_depth),
            fixpoint: Fixpoint::default(),
            key_block: KeyBlock::default(),
            located: [false; Reason::ALL.len()],
        }
    }

    /// The bytes of memory that grow with an event.
    pub(super) fn memory(&self) -> usize {
        self.walk.memory() + self.judge.memory() + self.fixpoint.memory()
    }

    /// Gives that memory back, unless an explanation needs what the last event came to.
    #[cold]
    pub(super) fn give_back(&mut self) {
        if self.judge.recorder().trace.is_none() {
            self.walk.give_back();
            self.judge.give_back();
            self.fixpoint = Fixpoint::default();
        }
    }

    /// Judges the lines that `index` found in `buf`.
    #[inline(always)]
    fn lines(
        &mut self,
        plan: &Plan,
        buf: &[u8],
        index: &Index,
        sources: &[(u32, u16)],
        out: &mut Output,
    ) {
        let (mut start, routed) = (HEAD, plan.router.has_routes());
        // Where the run of untouched lines begins that was not copied yet.
        let mut run = HEAD;
        let (mut quote, mut mark, mut control, mut high) = (0, 0, 0, 0);
        for (number, l) in index.lines().iter().enumerate() {
            let end = l.at as usize;
            let quotes = &index.quotes()[quote..l.quotes as usize];
            quote = l.quotes as usize;
            let marks = until(&index.marks, &mut mark, |m| m.at() < end);
            let controls = until(&index.controls, &mut control, |&c| (c as usize) < end);
            let highs = until(index.highs(), &mut high, |&c| (c as usize) < end);
            let entry = Entry {
                line: Line { buf, start, end, quotes, marks },
                start,
                from: start,
                number: number as u32,
                control: !controls.is_empty(),
                bodies: plan.settings().bodies,
                high: !highs.is_empty(),
                r: &plan.rulesets[0],
                route: 0,
            };
            if routed {
                self.routed(plan, entry, sources, &mut run, out);
            } else {
                self.line(plan, entry, &mut run, out);
            }
            start = end + 1;
        }
        out.clean.extend_from_slice(&buf[run..start]);
    }

    /// A line, where there are routes.
    #[inline(never)]
    fn routed(
        &mut self,
        plan: &Plan,
        mut e: Entry<'_>,
        sources: &[(u32, u16)],
        run: &mut usize,
        out: &mut Output,
    ) {
        let (number, forwarded) = (e.number, out.tally.forwarded());
        self.routing.line((e.start - HEAD) as u32, sources);
        let (route, ruleset) = plan.router.plain(self.routing.way());
        e.route = route;
        self.routing.took = (route, Some(ruleset));
        self.line(plan, e, run, out);
        self.routing.took(number, forwarded, out);
    }

    /// The line takes this route, and is judged by this ruleset.
    #[inline(always)]
    fn take<'p>(&mut self, plan: &'p Plan, e: &mut Entry<'p>, route: u16, ruleset: u16) {
        self.learning.follow(plan, ruleset, &mut self.walk, &mut self.judge);
        (e.r, e.route) = (&plan.rulesets[usize::from(ruleset)], route);
        self.routing.took = (route, Some(ruleset));
    }

    #[inline(always)]
    fn line<'p>(&mut self, plan: &'p Plan, mut e: Entry<'p>, run: &mut usize, out: &mut Output) {
        out.tally.read += 1;
        self.key_block.count_line();
        let buf = e.line.buf;
        while matches!(buf[e.line.start], b' ' | b'\t' | b'\r') {
            e.line.start += 1;
        }
        let end = e.line.end;
        let length = end - e.start - usize::from(end > e.start && buf[end - 1] == b'\r');
        if length > plan.settings().limits.max_event_bytes {
            flush(buf, run, e, out);
            reject(e, Reason::Oversize, 0, Payload::None, out.bodies.len(), out);
            return;
        }
        let all_text = plan.settings().all_text;
        if matches!(buf[e.line.start], 0 | 0x1e | 0xef) && !all_text {
            e = prefix::removed(e, run, out);
        }
        match buf[e.line.start] {
            b'{' if !all_text => match self.event(plan, &mut e) {
                Event::Sound if self.judge.edits().is_empty() => match e.from == e.start {
                    true => out.tally.clean += 1,
                    false => out.tally.redacted += 1,
                },
                Event::Sound => {
                    flush(buf, run, e, out);
                    let from = out.clean.len();
                    self.splice(&e, e.from, end + 1, &mut out.clean);
                    if self.settled(&e, from, out) {
                        out.tally.redacted += 1;
                        self.count(&e, out);
                    }
                }
                Event::Malformed(stop) => {
                    flush(buf, run, e, out);
                    let from = out.bodies.len();
                    let payload = shape(&e, out);
                    let utf16 = text::looks_like_utf16(&buf[e.from..end]);
                    let reason = if utf16 { Reason::Utf16 } else { stop.reason };
                    reject(e, reason, stop.at - e.start, payload, from, out);
                }
                Event::Unclear(reason, field) => {
                    flush(buf, run, e, out);
                    unclear(e, reason, &plan.router.asked[usize::from(field)], out);
                }
                Event::Refused(reason, at) => {
                    flush(buf, run, e, out);
                    self.refused(&e, reason, at, out);
                }
            },
            b'\n' => {
                out.tally.blank += 1;
                flush(buf, run, e, out);
            }
            _ => {
                flush(buf, run, e, out);
                if plan.router.has_routes() {
                    let (route, ruleset) = plan.router.plain(self.routing.way());
                    self.take(plan, &mut e, route, ruleset);
                }
                text::text_line(self, plan, &e, length, out);
            }
        }
    }

    #[inline(always)]
    fn event<'p>(&mut self, plan: &'p Plan, e: &mut Entry<'p>) -> Event {
        if plan.router.has_routes() {
            if let Err(event) = self.walk_routed(plan, e) {
                return event;
            }
        } else if let Err(stop) = self.walk.event(&e.line, &mut self.learning.now.paths) {
            return Event::Malformed(stop);
        }
        if (e.control || e.high)
            && let Err(stop) = rare(e)
        {
            return Event::Malformed(stop);
        }
        if let Err(stop) = self.judge.event(e.r, &e.line, &self.walk) {
            return Event::Malformed(stop);
        }
        let counts = self.judge.counts();
        if counts.observed() > 0 {
            counts.observe();
        }
        if let Some(at) = counts.dropped {
            return Event::Refused(Reason::Rule, at);
        }
        match self.walk.violation {
            None => Event::Sound,
            Some(v) => Event::Refused(v.reason, v.at),
        }
    }

    /// Walks an event by the ruleset of the route that it takes. Which that is the walk itself tells; what
    /// the event before tells is tried first.
    #[inline]
    fn walk_routed<'p>(&mut self, plan: &'p Plan, e: &mut Entry<'p>) -> Result<(), Event> {
        let plain = plan.router.plain(self.routing.way());
        if self.routing.way().is_plain() {
            self.take(plan, e, plain.0, plain.1);
            let walked = self.walk.event(&e.line, &mut self.learning.now.paths);
            return walked.map_err(Event::Malformed);
        }
        if let Some(guess) = self.walk.asked.guess(&e.line)
            && let Decision::Take { route, ruleset } = self.routing.decide(plan, e.line.buf, guess)
        {
            self.take(plan, e, route, ruleset);
        }
        loop {
            if let Err(stop) = self.walk.event(&e.line, &mut self.learning.now.paths) {
                (e.route, self.routing.took) = (plain.0, (plain.0, Some(plain.1)));
                return Err(Event::Malformed(stop));
            }
            let walked = self.learning.now.ruleset;
            match self.routing.decide(plan, e.line.buf, &self.walk.asked.all) {
                Decision::Refuse { route, reason, field } => {
                    (e.route, self.routing.took) = (route, (route, None));
                    return Err(Event::Unclear(reason, field));
                }
                Decision::Take { route, ruleset } => {
                    self.take(plan, e, route, ruleset);
                    if ruleset == walked {
                        self.walk.asked.remember(&e.line);
                        return Ok(());
                    }
                }
            }
        }
    }

    fn splice(&self, e: &Entry<'_>, from: usize, to: usize, out: &mut Vec<u8>) {
        self.judge.edits().splice(e.line.buf, from, to, out);
    }

    /// Counts the edits that were made.
    fn count(&mut self, e: &Entry<'_>, out: &mut Output) {
        for &d in self.judge.detectors().iter() {
            out.tally.redactions[usize::from(d)] += 1;
        }
        if e.route != 0 {
            out.tally.count_redactions(e.route, self.judge.detectors());
        }
    }
}

/// The items from `at` for which `before` holds; `at` moves after them.
#[inline(always)]
fn until<'a, T>(items: &'a [T], at: &mut usize, before: impl Fn(&T) -> bool) -> &'a [T] {
    let from = *at;
    while items.get(*at).is_some_and(&before) {
        *at += 1;
    }
    &items[from..*at]
}
