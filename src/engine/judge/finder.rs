//! The finder: strings, numbers and keys → findings, through everything that is decoded of them.

use super::decider::Decider;
use super::decode_stack::DecodeStack;
use super::fit::Fit;
use super::level::Level;
use super::members::Members;
use super::whole::stop;
use crate::engine::chunk::{HEAD, TAIL};
use crate::engine::decode::{self, Content, DECODERS, Decoder, Escapes, Look, json};
use crate::engine::detect::{Finding, FindingSet, Keys, Place};
use crate::engine::index::{ESCAPE, Mark, SIGNS, Simd};
use crate::engine::outcome::Reason;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Kind, Stop};

/// Finds what the sites of an event, or a text, hold.
pub(super) struct Finder {
    pub(super) decider: Decider,
    pub(super) stack: DecodeStack,
    pub(super) members: Members,
    /// JSON that breaks off in a text refuses the event.
    pub(super) strict: bool,
    /// The event's edits may break the schema.
    pub(super) unchecked: bool,
}

/// A text in which JSON is looked for.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// The keys above the text.
    pub(super) keys: Keys<'a>,
    /// The text is a key of the container that opens here.
    pub(super) key_of: Option<u32>,
    /// Where the text ends.
    pub(super) end: usize,
    /// The level of the strings in its values.
    pub(super) level: usize,
}

impl Finder {
    pub(super) fn new(simd: Simd, r: &Ruleset, max_depth: usize) -> Self {
        Self {
            decider: Decider::default(),
            stack: DecodeStack::new(simd, r, max_depth),
            members: Members::default(),
            strict: false,
            unchecked: false,
        }
    }

    /// The bytes of memory that grow with an event.
    pub(super) fn memory(&self) -> usize {
        let Self { decider, stack, members, .. } = self;
        decider.scratch.memory() + decider.counts.memory() + stack.memory() + members.memory()
    }

    /// Gives that memory back.
    #[cold]
    pub(super) fn give_back(&mut self) {
        self.decider.scratch.give_back();
        self.decider.counts.give_back();
        self.stack.give_back();
        self.members = Members::default();
    }

    /// Forgets the last event.
    pub(super) fn clear(&mut self) {
        self.decider.clear();
        self.unchecked = false;
    }

    /// Judges `buf[start..end]`, which is no string; findings are places of `buf`.
    pub(super) fn text(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        out: &mut FindingSet,
    ) -> Result<(), Stop> {
        self.decider.counts.at = p.start;
        if self.decider.by_path(r, p, Kind::String, &[], self.stack.level(0), out)? {
            return Ok(());
        }
        let Some(mut own) = self.stack.take(0) else { return Ok(()) };
        own.text.reserve_exact(p.end - p.start + TAIL);
        own.text.extend_from_slice(&p.text[p.start..p.end]);
        let from = self.decider.recorder.len();
        let judged = self.decoded(r, &mut own, p.keys, None, 0);
        self.decider.recorder.map(from, |range| own.back(range, p.start));
        own.hand_over(out, |own, f| own.map_back(f, p.start));
        self.stack.put_back(0, own);
        judged.map_err(|reason| Stop { reason, at: p.start })
    }

    /// Judges one string or number; findings are places of `p.text`. `json`: its content is
    /// spelt as JSON spells strings.
    pub(super) fn string(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        marks: &[Mark],
        level: usize,
        json: bool,
        out: &mut FindingSet,
    ) -> Result<(), Reason> {
        if json && marks.iter().any(|m| m.id() == ESCAPE) {
            let content = &p.text[p.start..p.end];
            let nothing = r.plain_escapes
                && marks.iter().all(|m| m.id() == ESCAPE)
                && !json::may_hold(content, self.look(r))
                && decode::is_simple(
                    content,
                    |b| r.catalog.may_start(b),
                    |b| r.catalog.slash_may_matter(b),
                );
            return if nothing { Ok(()) } else { self.layer(&Escapes, r, p, level, out) };
        }
        out.begin_text();
        let first = out.list.len();
        self.decider.scratch.text += 1;
        // The signs of decoders, a bit for each ASCII character.
        let mut signs = 0u128;
        for m in marks {
            match m.id() {
                ESCAPE => {}
                sign if sign >= SIGNS => signs |= 1 << (sign & 0x7f),
                id if !r.enables(id) => {}
                id if r.catalog.list[usize::from(id)].inside => {
                    self.decider.search(r, id, p, out);
                }
                id => self.decider.candidate(r, id, m.at(), p, out),
            }
        }
        for &id in &r.searched {
            self.decider.search(r, id, p, out);
        }
        if self.decider.is_exhausted() {
            return Err(Reason::TooCostly);
        }
        if signs != 0 && self.stack.has_room(level) {
            self.signed(r, p, signs, level, out)?;
        }
        self.decider.unsettled |=
            (out.refused || signs != 0 || r.derived) && out.list.len() > first;
        Ok(())
    }

    /// Judges a text with `signs` as what the decoders make of it, too.
    fn signed(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        signs: u128,
        level: usize,
        out: &mut FindingSet,
    ) -> Result<(), Reason> {
        let (text, look) = (&p.text[p.start..p.end], self.look(r));
        for decoder in DECODERS {
            let signed = decoder.sign().is_some_and(|sign| signs >> (sign & 0x7f) & 1 != 0);
            if signed && decoder.spot(text, look) {
                self.layer(decoder, r, p, level, out)?;
            }
        }
        Ok(())
    }

    /// Judges a text as what `decoder` makes of it; findings are places of `p.text`.
    pub(super) fn layer(
        &mut self,
        decoder: &dyn Decoder,
        r: &Ruleset,
        p: &Place<'_>,
        level: usize,
        out: &mut FindingSet,
    ) -> Result<(), Reason> {
        let Some(mut own) = self.stack.take(level) else { return Err(Reason::TooCostly) };
        let from = self.decider.recorder.enter(decoder.decoding());
        let decoded = decoder.decode(&p.text[p.start..p.end], &mut own.text, &mut own.map);
        let judged = match decoded {
            Err(e) => Err(stop(e, p.start).reason),
            Ok(false) => Ok(()),
            Ok(true) => {
                let len = own.text.len() - HEAD;
                self.decider.scratch.budget.spend(decoder.cost() * len);
                match decoder.content() {
                    Content::Text => self.decoded(r, &mut own, p.keys, p.key_of, level),
                    Content::Digits => self.digits(r, &mut own, p, level),
                }
            }
        };
        let whole = decoder.is_whole().then_some((p.start, p.end));
        self.decider
            .recorder
            .leave(from, |range| whole.unwrap_or_else(|| own.back(range, p.start)));
        own.hand_over(out, |own, f| {
            let f = match whole {
                Some(all) => Finding { matched: all, start: all.0, end: all.1, ..*f },
                None => own.map_back(f, p.start),
            };
            if decoder.escapes_quotes() { Finding { with: f.with.escaped(), ..f } } else { f }
        });
        self.stack.put_back(level, own);
        judged
    }

    /// Judges the digits in `own` in place of the number `p`.
    fn digits(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        p: &Place<'_>,
        level: usize,
    ) -> Result<(), Reason> {
        let end = own.close();
        own.index.scan(self.stack.simd, &own.text, HEAD, end, &r.catalog.gates, true);
        self.decider.recorder.opened(r, &own.index, &own.text);
        let place = Place { text: &own.text, start: HEAD, end, ..*p };
        self.string(r, &place, &own.index.marks, level + 1, false, &mut own.findings)
    }

    /// Judges the text of `own`; leaves its findings there, settled.
    fn decoded(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        keys: Keys<'_>,
        key_of: Option<u32>,
        level: usize,
    ) -> Result<(), Reason> {
        let end = own.close();
        if self.decider.scratch.budget.is_exceeded() {
            return Err(Reason::TooCostly);
        }
        let mut findings = std::mem::take(&mut own.findings);
        let outer = Outer { keys, key_of, end, level: level + 1 };
        let observed = self.decider.counts.observed();
        let judged = match self.values(r, own, outer, &mut findings) {
            Ok(false) => self.around_values(r, own, outer, observed, &mut findings),
            other => other.map(|_| ()),
        };
        self.decider.settle(r, &own.text, &mut findings);
        own.findings = findings;
        judged
    }

    /// Judges a text as such in whose values there are `found`. What they hold is looked at again:
    /// the text around them is context, too.
    fn around_values(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        Outer { keys, key_of, end, level }: Outer<'_>,
        observed: usize,
        found: &mut FindingSet,
    ) -> Result<(), Reason> {
        own.index.scan(self.stack.simd, &own.text, HEAD, end, &r.catalog.gates, true);
        self.decider.recorder.opened(r, &own.index, &own.text);
        let place = Place { text: &own.text, start: HEAD, end, number: false, key_of, keys };
        let (first, of_values) = (found.list.len(), self.decider.counts.observed());
        let judged = self.string(r, &place, &own.index.marks, level, false, found);
        let numbers = r.precedence.numbers;
        let Level { text, values, broken, .. } = &*own;
        let (text, placeholders) = (&text[..end], &r.catalog.placeholders);
        Fit { text, values, broken: *broken, numbers, placeholders }.all(&mut found.list, first);
        // What is no JSON may become JSON.
        let opens = matches!(text[HEAD..end].trim_ascii_start().first(), Some(b'{' | b'['));
        self.decider.unsettled |=
            (opens || !values.is_empty() || broken.is_some()) && !found.list.is_empty();
        // What was counted in a value is not counted again.
        self.decider.counts.observe_once(observed, of_values);
        judged
    }

    /// What JSON is looked for in texts: everything where rules by path may speak of it.
    pub(super) fn look(&self, r: &Ruleset) -> Look {
        match (self.strict, r.precedence.globs.words()) {
            (false, _) => Look::Objects,
            (true, 0) => Look::Meant,
            (true, _) => Look::All,
        }
    }
}
