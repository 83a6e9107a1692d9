//! JSON inside a string or a text line: each object or array in it is walked as an event is, and
//! obeys the rules by path, as a continuation of the string's own path and as if it were the event.

use super::levels::Outer;
use super::trace::Decoding;
use super::values::{self, Begins, Look};
use super::{Judge, LEVELS, Level, Place};
use crate::engine::chunk::{HEAD, TAIL};
use crate::engine::decode;
use crate::engine::detect::budget::DECODED;
use crate::engine::detect::{Finding, With};
use crate::engine::index::{Index, Simd};
use crate::engine::outcome::Reason;
use crate::engine::path::{Paths, Rules};
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Line, Stop, Walk};

/// How often JSON may stand in a string of other JSON.
const DEPTHS: usize = 4;
/// The longest text that is looked through inside JSON inside a string: its memory is kept by each
/// worker.
pub(super) const INNER: usize = 32 << 10;

/// Scratch space for JSON inside strings.
pub(super) struct Nested {
    paths: Paths,
    /// The row that a value begins with.
    row: Vec<u64>,
    /// By depth; absent while at work.
    depths: Vec<Option<Box<Depth>>>,
}

/// Scratch space for the JSON in one text.
struct Depth {
    walk: Walk,
    index: Index,
    text: Vec<u8>,
}

/// What became of a value.
enum Value {
    /// It ends here.
    Whole(usize),
    /// It breaks off, or cannot be read; what follows begins here.
    Broken(usize),
}

impl Nested {
    pub(super) fn new(rules: &Rules, max_depth: usize) -> Self {
        // The schema speaks of the event, not of what its strings hold.
        let rules = Rules { contract: None, ..rules.clone() };
        let depth = || Depth {
            walk: Walk::new(max_depth, None),
            index: Index::default(),
            text: Vec::new(),
        };
        Self {
            paths: Paths::new(rules, max_depth),
            row: Vec::new(),
            depths: (0..DEPTHS).map(|_| Some(Box::new(depth()))).collect(),
        }
    }

    /// The next value stands where the row is `row`, and is an event, too.
    fn begin_at(&mut self, r: &Ruleset, row: &[u64]) {
        self.row.clear();
        self.row.extend_from_slice(&r.precedence.inside);
        self.row.iter_mut().zip(row).for_each(|(all, more)| *all |= more);
        self.paths.begin_at(&self.row);
    }
}

impl Depth {
    /// Takes `text`, which has a margin before it.
    fn take(&mut self, simd: Simd, r: &Ruleset, text: &[u8]) {
        self.text.clear();
        // The walk ends at a newline; in JSON it can only be white space.
        self.text.extend(text.iter().map(|&b| if b == b'\n' { b' ' } else { b }));
        self.text[..HEAD].fill(b'\n');
        self.text.resize(text.len() + TAIL, b'\n');
        self.index.scan(simd, &self.text, HEAD, text.len(), &r.catalog.gates, false);
    }

    /// Walks the value that begins at `start`: where it ends, and which of the marks is its first.
    fn walk(
        &mut self,
        paths: &mut Paths,
        start: usize,
        end: usize,
    ) -> Result<(usize, usize), Stop> {
        let quotes = self.index.quotes();
        let quote = quotes.partition_point(|&at| (at as usize) < start);
        let mark = self.index.marks.partition_point(|m| m.at() < start);
        let (quotes, marks) = (&quotes[quote..], &self.index.marks[mark..]);
        let line = Line { buf: &self.text, start, end, quotes, marks };
        Ok((self.walk.embedded(&line, paths)?, mark))
    }
}

impl Judge {
    /// Judges the JSON in `own`'s text; findings are places of that text. `true`: the text is one
    /// value and nothing else.
    pub(super) fn values(
        &mut self,
        r: &Ruleset,
        own: &mut Level,
        outer: Outer<'_>,
        out: &mut Vec<Finding>,
    ) -> Result<bool, Reason> {
        own.values.clear();
        own.broken = None;
        let (text, slot) = (&own.text[..outer.end], self.depth);
        let lead = HEAD + text[HEAD..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let look = self.look(r);
        if values::begins(text, lead, look).is_none() && values::next(text, HEAD, look).is_none() {
            return Ok(false);
        }
        let short = slot == 0 || outer.end - HEAD <= INNER;
        let depth = self.nested.depths.get_mut(slot).filter(|_| short).and_then(Option::take);
        let Some(mut depth) = depth else {
            // What is not looked through is not known to obey the rules.
            let refused = self.strict && values::any_meant(text, HEAD);
            return if refused { Err(Reason::TooCostly) } else { Ok(false) };
        };
        self.scratch.budget.spend(DECODED * (outer.end - HEAD));
        depth.take(self.simd, r, text);
        self.opened(r, &depth.index, &depth.text);
        self.depth += 1;
        let first = out.len();
        let judged = self.each(r, &mut depth, own, outer, lead, out);
        self.depth -= 1;
        self.nested.depths[slot] = Some(depth);
        if let (Some(container), Some(&found)) = (outer.key_of, out.get(first)) {
            // Keys that differ in what is redacted alone must not become the same.
            out.truncate(first);
            let all = (HEAD, outer.end);
            let with = With::Key(container);
            let key = self.scratch.pseudonyms.key(found.pseudonym);
            let text = &own.text[all.0..all.1];
            let pseudonym = key.and_then(|key| r.verdict().pseudonym(key, text, &mut self.scratch));
            out.push(Finding { matched: all, start: all.0, end: all.1, with, pseudonym, ..found });
        }
        judged
    }

    /// What is looked for: everything where rules by path may speak of it.
    pub(super) fn look(&self, r: &Ruleset) -> Look {
        match (self.strict, r.precedence.globs.words()) {
            (false, _) => Look::Objects,
            (true, 0) => Look::Meant,
            (true, _) => Look::All,
        }
    }

    /// Judges one value of the text after another. `lead`: where the text begins, but for white
    /// space.
    fn each(
        &mut self,
        r: &Ruleset,
        depth: &mut Depth,
        own: &mut Level,
        outer: Outer<'_>,
        lead: usize,
        out: &mut Vec<Finding>,
    ) -> Result<bool, Reason> {
        let (end, look) = (outer.end, self.look(r));
        let close = HEAD + own.text[HEAD..end].trim_ascii_end().len();
        let mut at = lead;
        let mut first = values::begins(&own.text[..end], lead, look).map(|begins| (lead, begins));
        loop {
            let text = &own.text[..end];
            let spot = first.take().or_else(|| values::next(text, at, look));
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
        out: &mut Vec<Finding>,
    ) -> Result<Value, Reason> {
        self.nested.begin_at(r, outer.keys.row);
        let walked = depth.walk(&mut self.nested.paths, from, outer.end);
        let to = walked.map_or_else(|stop| stop.at, |(to, _)| to).max(from + 1);
        self.scratch.budget.spend(to - from);
        if self.scratch.budget.is_exceeded() {
            return Err(Reason::TooCostly);
        }
        let mark = match walked {
            Ok((end, mark)) if only.is_none_or(|only| only == end) => mark,
            _ => return Ok(Value::Broken(to)),
        };
        let (first, noted) = (out.len(), self.enter(Decoding::Json));
        let (marks, keys) = (&depth.index.marks[mark..], Some(&outer.keys));
        match self.sites(r, &depth.text, &depth.walk, marks, keys, outer.level, out) {
            Ok(()) => {
                self.leave(noted, |range| range);
                Ok(Value::Whole(to))
            }
            Err(stop) if matches!(stop.reason, Reason::TooCostly | Reason::BrokenJson) => {
                self.leave(noted, |range| range);
                Err(stop.reason)
            }
            // A broken escape.
            Err(_) => {
                self.abandon(noted);
                out.truncate(first);
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
        out: &mut Vec<Finding>,
    ) -> Result<usize, Reason> {
        let text = &own.text[..outer.end];
        let end = values::literal_end(text, from);
        // Where something is no escape, the literal ended before.
        let sound = decode::check_escapes(&text[from..end]);
        let end = sound.map_or_else(|e| from + e.at(), |()| end);
        if outer.level >= LEVELS {
            return if self.strict { Err(Reason::TooCostly) } else { Ok(end) };
        }
        let Outer { keys, key_of, level, .. } = outer;
        let place = Place { text: &own.text, start: from, end, number: false, key_of, keys };
        self.escaped(r, &place, level, out)?;
        Ok(end)
    }
}
