//! From lines to outcomes: each line of a chunk ends in exactly one.

mod entry;
pub(super) mod prefix;
mod text;

use std::mem;

use super::chunk::HEAD;
use super::fixpoint::{Event as EventAgain, Fixpoint};
use super::index::simd::{Level, Task};
use super::index::{Index, Simd};
use super::judge::Judge;
use super::key_block::KeyBlock;
use super::outcome::{Detail, Output, Payload, Reason};
use super::path::locate;
use super::plan::Plan;
use super::router::Decision;
use super::routing::{Learning, Routing};
use super::ruleset::Ruleset;
use super::walk::{Held, Line, Stop, Walk};
use entry::{Entry, content_end, flush, rare, reject, shape, unclear};

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
                self.text_line(plan, &e, length, out);
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
            && let Decision::Take { route, ruleset } =
                self.routing.decide(plan, e.line.buf, &[guess])
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

    /// Judges what was redacted to `out.clean[from..]` again if need be; if that is too costly, or
    /// what came of it breaks the schema, the line is not forwarded.
    #[inline(always)]
    fn settled(&mut self, e: &Entry<'_>, from: usize, out: &mut Output) -> bool {
        let settled = self.settle(e.r, from, &mut out.clean, true);
        match settled {
            Ok(()) => {}
            Err(stop) if stop.reason.is_violation() => self.spoilt(e, stop, from, out),
            Err(stop) => {
                out.clean.truncate(from);
                reject(*e, stop.reason, 0, Payload::None, out.bodies.len(), out);
            }
        }
        settled.is_ok()
    }

    /// Refuses an event that its redaction, `out.clean[from..]`, made break the schema.
    #[cold]
    fn spoilt(&mut self, e: &Entry<'_>, stop: Stop, from: usize, out: &mut Output) {
        let redacted = out.clean[from..].trim_ascii_end();
        let lead = redacted.len() - redacted.trim_ascii_start().len();
        let pointer = locate::pointer(redacted, stop.at);
        let (body, mut payload) = (out.bodies.len(), Payload::None);
        if e.bodies {
            out.bodies.extend_from_slice(&redacted[lead..]);
            payload = self.redacted_body(e, body, out);
        }
        out.clean.truncate(from);
        reject(*e, stop.reason, 0, payload, body, out);
        if e.bodies || !mem::replace(&mut self.located[stop.reason.index()], true) {
            let pointer = self.redacted(e.r, pointer);
            if let Some(r) = out.rejects.last_mut() {
                (r.pointer, r.detail) = (pointer, Some(Detail::RedactionBreaksSchema));
            }
        }
    }

    /// Judges the redacted event `out[from..]` again if its edits may show something new or break the
    /// schema: see [`Fixpoint::event`].
    #[inline(always)]
    fn settle(
        &mut self,
        r: &Ruleset,
        from: usize,
        out: &mut Vec<u8>,
        obeys: bool,
    ) -> Result<(), Stop> {
        if !(self.judge.is_unsettled() || obeys && self.judge.is_unchecked()) {
            return Ok(());
        }
        let Self { walk, learning, judge, simd, .. } = self;
        let paths = &mut learning.now.paths;
        self.fixpoint.event(
            &mut EventAgain { r, simd: *simd, walk, paths, judge, obeys },
            from,
            out,
        )
    }

    /// Settles the redacted event `out.bodies[body..]`, and counts what was redacted in it.
    fn redacted_body(&mut self, e: &Entry<'_>, body: usize, out: &mut Output) -> Payload {
        if self.settle(e.r, body, &mut out.bodies, false).is_ok() {
            self.count(e, out);
            return Payload::Redacted;
        }
        out.bodies.truncate(body);
        Payload::None
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

    #[cold]
    fn refused(&mut self, e: &Entry<'_>, reason: Reason, at: usize, out: &mut Output) {
        let from = out.bodies.len();
        let payload = if e.bodies {
            self.splice(e, e.line.start, content_end(e), &mut out.bodies);
            self.redacted_body(e, from, out)
        } else {
            Payload::None
        };
        reject(*e, reason, at - e.start, payload, from, out);
        if e.bodies || !mem::replace(&mut self.located[reason.index()], true) {
            let event = &e.line.buf[e.line.start..content_end(e)];
            let pointer = locate::pointer(event, at - e.line.start);
            let schema = e.r.schema.as_ref().filter(|_| reason == Reason::Required);
            let missing = schema.and_then(|s| s.missing(event, &pointer)).unwrap_or_default();
            let pointer = self.redacted(e.r, pointer);
            if let Some(r) = out.rejects.last_mut() {
                (r.pointer, r.missing) = (pointer, missing);
            }
        }
    }

    /// A pointer's keys can be personal data too.
    fn redacted(&mut self, r: &Ruleset, text: String) -> String {
        let judge = &mut self.judge;
        let kept = judge.begin_repeats();
        let bytes = text.as_bytes();
        let mut redacted = Vec::with_capacity(bytes.len());
        if judge.text(r, bytes, (0, bytes.len()), &[]).is_ok() {
            judge.edits().splice(bytes, 0, bytes.len(), &mut redacted);
        }
        judge.end_repeats(kept);
        String::from_utf8_lossy(&redacted).into_owned()
    }
}

/// The items from `at` for which `before` holds; `at` moves behind them.
#[inline(always)]
fn until<'a, T>(items: &'a [T], at: &mut usize, before: impl Fn(&T) -> bool) -> &'a [T] {
    let from = *at;
    while items.get(*at).is_some_and(&before) {
        *at += 1;
    }
    &items[from..*at]
}
