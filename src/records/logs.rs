//! Judges each of OTLP's log records as an event, and their attributes as fields.
//!
//! The attributes are judged first, as events `{"key":value}`, so that rules by key apply to them.
//! Next comes the text around the log records, with the changed attributes, and then each log
//! record by itself.

use std::{iter, ops::Range, sync::Arc};

use serde_json::Value as Json;

use super::{
    beside::became,
    otlp::{Found, scan},
    worker::how,
};
use crate::{
    engine::{self, Chunk, Engine, Fate, Plan, Reason, Reject, Way},
    pipeline::{
        Output,
        records::{Breaks, Counts, How, Value},
    },
};

/// The result for a log record.
pub(super) enum Log {
    Forwarded(How, Vec<u8>),
    Rejected(Reject),
    Blank,
}

/// The result for a value.
pub(super) struct Logs {
    pub(super) logs: Vec<Log>,
    /// The text around the log records, with a `0` in place of each. `None`: the value is one
    /// event, and not a log.
    around: Option<Vec<u8>>,
    /// Neither the attributes nor the text around the log records changed.
    pub(super) same: bool,
}

/// What is known about a log record besides its own fate.
#[derive(Clone, Copy, Default)]
struct Mark {
    changed: bool,
    refused: Option<Reason>,
}

/// A range of a text, and its replacement.
type Edit = (Range<usize>, Vec<u8>);

/// The most that attributes may expand to, relative to the text, if one key has many values; the
/// same for log records.
const MOST_EXPANDED: usize = 4;
const MOST_LOGS: usize = 1 << 15;

/// The plan that judges, and its form for inner lines.
pub(super) type Plans<'a> = [&'a Arc<Plan>; 2];

/// Scratch space.
#[derive(Default)]
pub(super) struct LogJudge {
    chunk: Chunk,
    judged: engine::Output,
}

impl LogJudge {
    /// Judges a value that takes this route. Counts and the bodies of rejects go to `out`.
    ///
    /// # Errors
    /// The reason why nothing of the value may be forwarded. Nothing is counted then.
    pub(super) fn judge(
        &mut self,
        engine: &mut Engine,
        ([plan, inside], way, route): (Plans<'_>, &Way, u16),
        text: &[u8],
        out: &mut Output,
    ) -> Result<Logs, Reason> {
        let valid = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
        let found = if valid { scan(text)? } else { Found::default() };
        let is_log = !found.records.is_empty();
        let size = |(key, value): &(Range<usize>, Range<usize>)| key.len() + value.len();
        let pairs: usize = found.pairs.iter().map(size).sum();
        if found.records.len() > MOST_LOGS || pairs > MOST_EXPANDED * text.len() {
            return Err(Reason::TooCostly);
        }
        let mut marks = Marks::of(&found, text);
        engine.judge_by(inside);
        engine.set_sources([way]);
        let edits = self.attributes(engine, text, &found, &mut marks, out);
        let edited = spliced(text, &edits);
        let places = match is_log && !edits.is_empty() {
            true => scan(&edited)?.places(edited.len()),
            false => found.places(edited.len()),
        };
        if places.len() != marks.marks.len() {
            // It changed when it was judged again, so it cannot be trusted.
            return Err(Reason::TooCostly);
        }
        let (mut around, mut same) = (None, edits.is_empty());
        if is_log {
            let zeros: Vec<Edit> =
                places.iter().map(|place| (place.clone(), b"0".into())).collect();
            let text = spliced(&edited, &zeros);
            let judged = match self.around(engine, &text, out) {
                Ok(judged) => judged,
                Err(reason) => {
                    marks.all(Some(reason));
                    text.clone()
                }
            };
            if judged != text {
                same = false;
                marks.all(None);
            }
            around = Some(judged);
        }
        engine.judge_by(plan);
        let mut logs = self.records(engine, &edited, &places, out);
        for (log, mark) in logs.iter_mut().zip(&marks.marks) {
            settle(log, *mark, route, out);
        }
        Ok(Logs { logs, around, same })
    }

    /// Returns the replacements of attributes.
    fn attributes(
        &mut self,
        engine: &mut Engine,
        text: &[u8],
        found: &Found,
        marks: &mut Marks,
        out: &mut Output,
    ) -> Vec<Edit> {
        let (mut edits, mut last_key): (Vec<Edit>, _) = (Vec::new(), usize::MAX);
        let mut left = &found.pairs[..];
        while !left.is_empty() {
            self.chunk.clear();
            let mut pairs = 0;
            // At most as much at once as the value is long.
            for (key, value) in left {
                if pairs > 0 && self.chunk.data().len() + key.len() + value.len() > text.len() {
                    break;
                }
                let (key, value) = (&text[key.clone()], &text[value.clone()]);
                [b"{", key, b":", value, b"}\n"].iter().for_each(|part| self.chunk.extend(part));
                pairs += 1;
            }
            let fates = self.process(engine);
            out.tally.add_findings(&self.judged.tally);
            for ((key, value), fate) in left[..pairs].iter().zip(&fates) {
                let event = match became(fate, &self.judged) {
                    Ok(event) => event.unwrap_or_default(),
                    Err(reason) => {
                        marks.at(value.start, Some(reason));
                        continue;
                    }
                };
                let [now_key, now_value] = member(event);
                if text[value.clone()] != now_value {
                    marks.at(value.start, None);
                    edits.push((value.clone(), now_value));
                }
                // If a key has several values, its first replacement counts.
                if text[key.clone()] != now_key && last_key != key.start {
                    marks.at(key.start, None);
                    edits.push((key.clone(), now_key));
                    last_key = key.start;
                }
            }
            left = &left[pairs..];
        }
        edits.sort_by_key(|(place, _)| place.start);
        edits
    }

    /// Judges the text around the log records.
    fn around(
        &mut self,
        engine: &mut Engine,
        text: &[u8],
        out: &mut Output,
    ) -> Result<Vec<u8>, Reason> {
        // The schema is for log records. If it refuses this text, the text comes back trimmed.
        let inner = text.trim_ascii();
        let start = text.len() - text.trim_ascii_start().len();
        self.chunk.clear();
        let value = Value::line(&mut self.chunk, inner);
        let fates = self.process(engine);
        out.tally.add_findings(&self.judged.tally);
        let fate = fates.first().ok_or(Reason::TooCostly)?;
        let mut judged = became(fate, &self.judged)?.unwrap_or_default().to_vec();
        if let Value::Line { range, breaks } = value {
            let same = judged == self.chunk.data()[range];
            breaks.restore(&mut judged, same, false);
        }
        Ok([&text[..start], &judged, &text[start + inner.len()..]].concat())
    }

    /// Judges the log records, or the one event.
    fn records(
        &mut self,
        engine: &mut Engine,
        text: &[u8],
        places: &[Range<usize>],
        out: &mut Output,
    ) -> Vec<Log> {
        self.chunk.clear();
        let lines: Vec<(Range<usize>, Breaks)> = places
            .iter()
            .filter_map(|place| match Value::line(&mut self.chunk, &text[place.clone()]) {
                Value::Line { range, breaks } => Some((range, breaks)),
                _ => None,
            })
            .collect();
        let fates = self.process(engine);
        let (judged, shift) = (&self.judged, out.bodies.len());
        out.tally += &judged.tally;
        out.bodies.extend_from_slice(&judged.bodies);
        let log = |((range, breaks), fate): (&(Range<usize>, Breaks), &Fate)| match fate {
            Fate::Blank => Log::Blank,
            Fate::Rejected(reject) => {
                let mut reject = judged.rejects[*reject].clone();
                reject.body = reject.body.start + shift..reject.body.end + shift;
                Log::Rejected(reject)
            }
            Fate::Forwarded(clean) => {
                let line = &self.chunk.data()[range.clone()];
                let mut text = judged.clean[clean.clone()].to_vec();
                let how = how(line, &text);
                breaks.restore(&mut text, how == How::Clean, how == How::Wrapped);
                Log::Forwarded(how, text)
            }
        };
        lines.iter().zip(&fates).map(log).collect()
    }

    /// Returns the fates of the chunk's lines.
    fn process(&mut self, engine: &mut Engine) -> Vec<Fate> {
        self.chunk.seal();
        self.judged.clear();
        engine.process(&self.chunk, &mut self.judged);
        Fate::of_lines(&self.chunk, &self.judged)
    }
}

/// Returns an OTLP value with only those log records for whose number, from 1, `keeps` returns
/// true, and with the text around them. `None`: it contains none of them.
pub fn log_records(text: &[u8], keeps: &dyn Fn(u32) -> bool) -> Option<Vec<u8>> {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).ok()?;
    let found = scan(text).ok()?;
    let numbered = (1..).zip(&found.records);
    let kept = numbered.map(|(number, (_, place))| keeps(number).then(|| &text[place.clone()]));
    let kept: Vec<_> = kept.collect();
    kept.iter().flatten().next()?;
    let (mut narrowed, around) = (Vec::with_capacity(text.len()), Some(text.to_vec()));
    Logs { logs: Vec::new(), around, same: true }.append(&kept, &mut narrowed)?;
    Some(narrowed)
}

impl Logs {
    /// Appends the value with the log records that are kept. `None`: their positions cannot be
    /// determined.
    pub(super) fn append(&self, kept: &[Option<&[u8]>], text: &mut Vec<u8>) -> Option<()> {
        let Some(around) = &self.around else {
            text.extend_from_slice(kept.first().copied().flatten()?);
            return Some(());
        };
        let zeros = scan(around).ok()?.records;
        if zeros.len() != kept.len() {
            return None;
        }
        let (mut from, mut array, mut any) = (0, usize::MAX, false);
        for ((number, zero), kept) in zeros.iter().zip(kept) {
            let before = &around[from..zero.start];
            let first = *number != array;
            if first {
                (array, any) = (*number, false);
            }
            // What separates two log records is omitted with either of them.
            if first || (any && kept.is_some()) {
                text.extend_from_slice(before);
            }
            if let Some(kept) = kept {
                text.extend_from_slice(kept);
                any = true;
            }
            from = zero.end;
        }
        text.extend_from_slice(&around[from..]);
        Some(())
    }
}

/// What is known about all log records of a value.
struct Marks {
    places: Vec<Range<usize>>,
    marks: Vec<Mark>,
}

impl Marks {
    fn of(found: &Found, text: &[u8]) -> Self {
        let places = found.places(text.len());
        Self { marks: vec![Mark::default(); places.len()], places }
    }

    /// Notes that the text at this position changed, or may not be forwarded: for the log record
    /// that contains it, or else for all.
    fn at(&mut self, at: usize, refused: Option<Reason>) {
        let record = self.places.partition_point(|place| place.end <= at);
        match self.places.get(record).is_some_and(|place| place.contains(&at)) {
            true => self.marks[record].add(refused),
            false => self.all(refused),
        }
    }

    fn all(&mut self, refused: Option<Reason>) {
        self.marks.iter_mut().for_each(|mark| mark.add(refused));
    }
}

impl Mark {
    fn add(&mut self, refused: Option<Reason>) {
        self.changed = true;
        self.refused = self.refused.or(refused);
    }
}

impl Found {
    /// The positions of the log records, or of the one event if there are none.
    fn places(&self, length: usize) -> Vec<Range<usize>> {
        match self.records.is_empty() {
            true => iter::once(0..length).collect(),
            false => self.records.iter().map(|(_, place)| place.clone()).collect(),
        }
    }
}

/// Counts a log record, together with what was found in its attributes. If it is refused because of
/// them, its text is not shown, because it may contain the same data.
fn settle(log: &mut Log, mark: Mark, route: u16, out: &mut Output) {
    let tally = &mut out.tally;
    match (&mut *log, mark.refused) {
        (Log::Blank, _) | (Log::Rejected(_), None) => {}
        (Log::Forwarded(how, _), None) => {
            *how.count(tally) -= 1;
            if mark.changed && *how == How::Clean {
                *how = How::Redacted;
            }
            *how.count(tally) += 1;
        }
        (was, Some(reason)) => {
            match was {
                Log::Forwarded(how, _) => _ = Counts::of(*how).withdraw(tally, route),
                Log::Rejected(reject) => tally.take_back(route, reject.reason.into(), 1),
                Log::Blank => {}
            }
            tally.reject(route, reason.into(), 1);
            *log = Log::Rejected(Reject::of(reason, 0));
        }
    }
}

/// Applies edits, which are in order, to a text.
fn spliced(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (mut all, mut from) = (Vec::with_capacity(text.len()), 0);
    for (place, now) in edits {
        all.extend_from_slice(&text[from..place.start]);
        all.extend_from_slice(now);
        from = place.end;
    }
    all.extend_from_slice(&text[from..]);
    all
}

/// Returns the key and the value of an event with one field, as written. A removed field is an
/// empty text.
fn member(event: &[u8]) -> [Vec<u8>; 2] {
    let gone = || b"\"\"".to_vec();
    let event = event.trim_ascii();
    let Ok(Json::Object(parsed)) = serde_json::from_slice::<Json>(event) else {
        return [gone(), gone()];
    };
    if parsed.is_empty() {
        return [gone(), gone()];
    }
    // The object has one field and is trimmed: its key is a string, and a colon follows.
    let mut end = 2;
    while event.get(end).is_some_and(|byte| *byte != b'"') {
        end += if event[end] == b'\\' { 2 } else { 1 };
    }
    let end = (end + 1).min(event.len() - 1);
    let value = &event[(end + 1).min(event.len() - 1)..event.len() - 1];
    [event[1..end].to_vec(), value.to_vec()]
}
