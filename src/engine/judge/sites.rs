//! The sites of a walk: which of them a rule takes, and which the detectors judge. Those of an event,
//! and of each object and array in a text.

use super::finder::{Finder, Outer};
use super::level::Level;
use super::members::{Fields, may_break, whole_fields};
use super::nested::{Depth, INNER};
use super::whole::checked;
use crate::engine::chunk::HEAD;
use crate::engine::decode::json::{self, Begins};
use crate::engine::decode::{self, Decoder as _, Escapes, Json, Look, Numbers};
use crate::engine::detect::{Finding, FindingSet, Keys, Place, With};
use crate::engine::index::{ESCAPE, Mark};
use crate::engine::outcome::Reason;
use crate::engine::path::flag;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Kind, Site, Stop, Walk, is_other_spelling};

/// What became of a value.
enum Value {
    /// It ends here.
    Whole(usize),
    /// It breaks off, or cannot be read; what follows begins here.
    Broken(usize),
}

impl Finder {
    /// Judges every site of one walk; findings are places of `buf`.
    #[expect(clippy::too_many_arguments, reason = "an event, or one inside a string of another")]
    pub(super) fn sites(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        walk: &Walk,
        marks: &[Mark],
        above: Option<&Keys<'_>>,
        level: usize,
        out: &mut FindingSet,
    ) -> Result<(), Stop> {
        // Up to here everything goes, or becomes `null`.
        let (first, mut gone, mut members) = (out.list.len(), 0, false);
        for (i, site) in walk.sites.iter().enumerate() {
            let (start, end) = (site.start as usize, site.end as usize);
            let marks = &marks[site.marks.start as usize..site.marks.end as usize];
            // What only detectors look for that are not enabled is not looked at.
            if r.is_part && !is_of_rules(site) && !r.has_any(marks) {
                continue;
            }
            let own = &walk.keys[site.path.start as usize..site.path.end as usize];
            let row = walk.row(&r.precedence.globs, site);
            let place = Place {
                text: buf,
                start,
                end,
                number: site.kind == Kind::Number,
                key_of: (site.kind == Kind::Key).then_some(site.container),
                keys: Keys { buf, keys: own, above, row },
            };
            if start < gone {
                checked(&place, marks)?;
                continue;
            }
            if above.is_none() {
                self.decider.counts.at = start;
            }
            let before = out.list.len();
            self.site(r, &place, walk, i, marks, level, out)?;
            if out.list.len() == before {
                continue;
            }
            let whole = whole_fields(site, own.last().copied(), &mut out.list[before..]);
            members |= whole == Fields::Gone;
            // What stood after a field that changes is elsewhere now.
            self.decider.unsettled |= whole != Fields::Stay;
            if matches!(site.kind, Kind::Object | Kind::Array) {
                gone = end;
            }
            if r.schema.is_some() && above.is_none() {
                self.unchecked |= r.compares || may_break(site, &out.list[before..]);
            }
            // What a key says is context for others, what a name says tells of the value beside it.
            let tells = site.kind == Kind::Key || site.flags & (flag::NAME | flag::HEADERS) != 0;
            self.decider.unsettled |= tells;
        }
        if members {
            self.members.remove(buf, &mut out.list[first..]);
        }
        Ok(())
    }

    /// Judges one site: by the rules by path, by those by key, by the detectors.
    #[expect(clippy::too_many_arguments, reason = "a site, and where it stands")]
    fn site(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        walk: &Walk,
        i: usize,
        marks: &[Mark],
        level: usize,
        out: &mut FindingSet,
    ) -> Result<(), Stop> {
        let site = &walk.sites[i];
        // In an array `null` is all that can become of it.
        let element = || p.keys.keys.last().is_none_or(|key| site.container > key.0);
        if site.kind == Kind::Null && element() {
            return Ok(());
        }
        let spoken_of = site.flags & (flag::WHOLE | flag::LOOK) != 0 && site.kind != Kind::Key;
        if spoken_of {
            let own = self.stack.level(level);
            if self.decider.by_path(r, p, site.kind, marks, own, out)? {
                return Ok(());
            }
        }
        if !matches!(site.kind, Kind::String | Kind::Number | Kind::Key) {
            return Ok(());
        }
        let named = site.flags & (flag::SECRET | flag::VALUE | flag::HEADERS) != 0;
        if named && site.kind != Kind::Key {
            let own = self.stack.level(level);
            if self.decider.by_keys(r, p, &walk.sites, i, marks, own, out)? {
                return Ok(());
            }
        }
        // An array of numbers needs no escapes to stand in a string.
        let plain = || marks.iter().all(|m| m.id() != ESCAPE);
        let array = site.flags & flag::ELEMENTS != 0
            && site.kind == Kind::String
            && plain()
            && memchr::memchr(b'[', &p.text[p.start..p.end]).is_some();
        if array {
            let judged = self.layer(&Escapes, r, p, level, out);
            return judged.map_err(|reason| Stop { reason, at: p.start });
        }
        let other = match site.kind {
            Kind::Number => site.flags & flag::OTHER != 0,
            Kind::String => is_other_spelling(p.text, p.start, p.end) && plain(),
            _ => false,
        };
        let mut judged = self.string(r, p, marks, level, true, out);
        if other && judged.is_ok() {
            judged = self.layer(&Numbers, r, p, level, out);
        }
        judged.map_err(|reason| Stop { reason, at: p.start })
    }

    /// Judges the JSON in `own`'s text; findings are places of that text. `true`: the text is one
    /// value and nothing else.
    pub(super) fn values(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        outer: Outer<'_>,
        out: &mut FindingSet,
    ) -> Result<bool, Reason> {
        own.values.clear();
        own.broken = None;
        let (text, slot) = (&own.text[..outer.end], self.stack.depth);
        if !Json.spot(&text[HEAD..], self.look(r)) {
            return Ok(false);
        }
        let short = slot == 0 || outer.end - HEAD <= INNER;
        let depth = if short { self.stack.nested.take(slot) } else { None };
        let Some(mut depth) = depth else {
            // What is not looked through is not known to obey the rules.
            let refused = self.strict && json::any_meant(text, HEAD);
            return if refused { Err(Reason::TooCostly) } else { Ok(false) };
        };
        self.decider.scratch.budget.spend(Json.cost() * (outer.end - HEAD));
        depth.take(self.stack.simd, r, text);
        self.decider.recorder.opened(r, &depth.index, &depth.text);
        self.stack.depth += 1;
        let first = out.list.len();
        let judged = self.each(r, &mut depth, own, outer, out);
        self.stack.depth -= 1;
        self.stack.nested.put_back(slot, depth);
        if let (Some(container), Some(&found)) = (outer.key_of, out.list.get(first)) {
            // Keys that differ in what is redacted alone must not become the same.
            out.list.truncate(first);
            let all = (HEAD, outer.end);
            let with = With::Key(container);
            let key = self.decider.scratch.pseudonyms.key(found.pseudonym);
            let text = &own.text[all.0..all.1];
            let pseudonym =
                key.and_then(|key| r.verdict().pseudonym(key, text, &mut self.decider.scratch));
            out.list.push(Finding {
                matched: all,
                start: all.0,
                end: all.1,
                with,
                pseudonym,
                ..found
            });
        }
        judged
    }

    /// Judges one value of the text after another.
    fn each(
        &mut self,
        r: &Ruleset,
        depth: &mut Depth,
        own: &mut Level,
        outer: Outer<'_>,
        out: &mut FindingSet,
    ) -> Result<bool, Reason> {
        let (end, look) = (outer.end, self.look(r));
        let close = HEAD + own.text[HEAD..end].trim_ascii_end().len();
        let lead = end - own.text[HEAD..end].trim_ascii_start().len();
        let mut at = lead;
        let mut first = json::begins(&own.text[..end], lead, look).map(|begins| (lead, begins));
        loop {
            let text = &own.text[..end];
            let spot = first.take().or_else(|| json::next(text, at, look));
            let Some((from, begins)) = spot else { return Ok(false) };
            at = match begins {
                Begins::Escaped => self.literal(r, own, outer, from, out)?,
                Begins::Spoiled => return Err(Reason::BrokenJson),
                _ => {
                    // Where no rule speaks of arrays, one that begins the text must be all of it.
                    let only = (begins == Begins::Perhaps && look != Look::All).then_some(close);
                    match self.value(r, depth, (from, only), outer, out)? {
                        Value::Whole(to) if (from, to) == (lead, close) => return Ok(true),
                        Value::Whole(to) => {
                            if own.text[from..to].contains(&b'"') {
                                own.values.push((from as u32, to as u32));
                            }
                            to
                        }
                        Value::Broken(_) if begins == Begins::Perhaps => from + 1,
                        Value::Broken(_) if self.strict => return Err(Reason::BrokenJson),
                        Value::Broken(to) => {
                            own.broken.get_or_insert(from);
                            to
                        }
                    }
                }
            };
        }
    }

    /// Judges the value that begins at `from`, if it ends at `only`, or wherever it ends.
    fn value(
        &mut self,
        r: &Ruleset,
        depth: &mut Depth,
        (from, only): (usize, Option<usize>),
        outer: Outer<'_>,
        out: &mut FindingSet,
    ) -> Result<Value, Reason> {
        self.stack.nested.begin_at(r, outer.keys.row);
        let walked = depth.walk(&mut self.stack.nested.paths, from, outer.end);
        let to = walked.map_or_else(|stop| stop.at, |(to, _)| to).max(from + 1);
        self.decider.scratch.budget.spend(to - from);
        if self.decider.scratch.budget.is_exceeded() {
            return Err(Reason::TooCostly);
        }
        let mark = match walked {
            Ok((end, mark)) if only.is_none_or(|only| only == end) => mark,
            _ => return Ok(Value::Broken(to)),
        };
        let (first, noted) = (out.list.len(), self.decider.recorder.enter(Json.decoding()));
        let (marks, keys) = (&depth.index.marks[mark..], Some(&outer.keys));
        match self.sites(r, &depth.text, &depth.walk, marks, keys, outer.level, out) {
            Ok(()) => {
                self.decider.recorder.leave(noted, |range| range);
                Ok(Value::Whole(to))
            }
            Err(stop) if matches!(stop.reason, Reason::TooCostly | Reason::BrokenJson) => {
                self.decider.recorder.leave(noted, |range| range);
                Err(stop.reason)
            }
            // A broken escape.
            Err(_) => {
                self.decider.recorder.abandon(noted);
                out.list.truncate(first);
                Ok(Value::Broken(to))
            }
        }
    }

    /// Judges the string literal in which JSON begins at `from`; where it ends.
    fn literal(
        &mut self,
        r: &Ruleset,
        own: &Level,
        outer: Outer<'_>,
        from: usize,
        out: &mut FindingSet,
    ) -> Result<usize, Reason> {
        let text = &own.text[..outer.end];
        let end = json::literal_end(text, from);
        // Where something is no escape, the literal ended before.
        let sound = decode::check_escapes(&text[from..end]);
        let end = sound.map_or_else(|e| from + e.at(), |()| end);
        if self.stack.level(outer.level).is_none() {
            return if self.strict { Err(Reason::TooCostly) } else { Ok(end) };
        }
        let Outer { keys, key_of, level, .. } = outer;
        let place = Place { text: &own.text, start: from, end, number: false, key_of, keys };
        self.layer(&Escapes, r, &place, level, out)?;
        Ok(end)
    }
}

/// Whether the site was reported for more than its marks.
fn is_of_rules(site: &Site) -> bool {
    let number = site.kind == Kind::Number && site.flags & flag::OTHER != 0;
    site.flags & (flag::REPORT | flag::MEMBER) != 0 || number
}
