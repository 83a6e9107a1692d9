//! Judges a block of records: values by the plan, keys and headers by its form for inner lines.

use std::{mem, ops::Range, sync::Arc};

use super::{
    beside::{Beside, Besides, KeyIs},
    judgement::Judgement,
    logs::{Log, LogJudge, Plans},
    packed::pack,
    pseudonym::Pseudonyms,
    ways::Ways,
};
use crate::{
    engine::{Engine, Fate as LineFate, Payload, Way, event_start},
    pipeline::{
        EngineReason, Reason, Reject,
        records::{
            self as record, Block, Body, Breaks, Counts, Fate, How, Judged, Key, Record,
            RecordWorker, Value, Verdict,
        },
    },
};

/// A worker for records.
///
/// A finding in a key or a header counts for the record: it is not clean. A key that contains
/// personal data is replaced by a pseudonym. Without a secret for pseudonyms, the record is not
/// forwarded.
pub struct RecordJudge {
    judgement: Arc<Judgement>,
    engine: Engine,
    besides: Besides,
    logs: LogJudge,
    ways: Ways,
}

impl RecordJudge {
    /// Makes a worker.
    pub fn new(judgement: Judgement) -> Self {
        let engine = Engine::new(judgement.plan.clone());
        Self {
            ways: Ways::new(&judgement.plan, judgement.way.clone()),
            judgement: Arc::new(judgement),
            engine,
            besides: Besides::default(),
            logs: LogJudge::default(),
        }
    }
}

impl RecordWorker for RecordJudge {
    fn process(&mut self, block: &Block, out: &mut Judged) {
        let judgement = self.judgement.clone();
        let Judgement { plan, inside, pseudonyms, hops, way: _ } = &*judgement;
        self.engine.judge_by(plan);
        let (engine, chunk) = (&mut self.engine, block.chunk());
        let ways = self.ways.of(block);
        engine.set_sources(ways);
        let lines = out.output.judge(|judged| {
            engine.process(chunk, judged);
            LineFate::of_lines(chunk, judged)
        });
        self.ways.take(block, &out.output.runs);
        let inside = inside.get_or_init(|| Arc::new(plan.for_inner_lines()));
        self.engine.judge_by(inside);
        let asked = (*hops > 0, &self.ways);
        let besides = self.besides.judge(&mut self.engine, block, asked, out);
        let (engine, logs, plans) = (&mut self.engine, &mut self.logs, [plan, inside]);
        let apart = Apart { engine, logs, plans };
        let pseudonyms = pseudonyms.as_ref();
        let mut closing = Closing {
            block,
            pseudonyms,
            hops: *hops,
            apart,
            out,
            route: 0,
            way: self.ways.with(0),
        };
        let (mut lines, told) = (lines.into_iter(), mem::take(&mut closing.out.output.rejects));
        let mut told: Vec<_> = told.into_iter().map(Some).collect();
        for ((at, record), beside) in block.records().iter().enumerate().zip(besides) {
            (closing.route, closing.way) = (self.ways.route(at), self.ways.with(at));
            closing.close(at, record, &mut lines, beside, &mut told);
        }
    }
}

/// What is known about a record apart from its value.
#[derive(Clone, Copy)]
struct Beyond<'a> {
    /// Its key or its headers changed.
    touched: bool,
    /// The reason why it is not forwarded, whatever its value is.
    refusal: Option<Reason>,
    /// No shape is shown, because the value cannot be parsed.
    shapeless: bool,
    /// Its value as it arrived, compressed.
    raw: Option<&'a Range<usize>>,
}

/// The fates of the lines of a block.
type Lines = std::vec::IntoIter<LineFate>;

/// Combines the results for the parts of a record.
struct Closing<'a> {
    block: &'a Block,
    pseudonyms: Option<&'a Pseudonyms>,
    hops: u32,
    apart: Apart<'a>,
    out: &'a mut Judged,
    /// The route of the record, and the way of the lines that go with it.
    route: u16,
    way: &'a Way,
}

/// Judges values that are not in the block's chunk.
struct Apart<'a> {
    engine: &'a mut Engine,
    logs: &'a mut LogJudge,
    plans: Plans<'a>,
}

impl Closing<'_> {
    fn close(
        &mut self,
        at: usize,
        record: &Record,
        lines: &mut Lines,
        beside: Beside,
        told: &mut [Option<Reject>],
    ) {
        let key = self.key(record, beside.key);
        let touched = !matches!(key, Key::Same) || beside.headers.is_some() || record.lost;
        let hop = (self.hops > 0).then(|| self.block.hops(record));
        let refusal = match key {
            _ if hop.is_some_and(|hop| hop >= self.hops) => Some(Reason::Loop),
            _ if beside.dropped => Some(EngineReason::Rule.into()),
            Key::Withheld => Some(Reason::Key),
            _ => None,
        };
        // A shape would show bytes of a value that may not be text.
        let shapeless = self.block.bytes(&record.prefix).starts_with(&[0]);
        let raw = record.packed.as_ref().map(|(_, raw)| raw);
        let beyond = Beyond { touched, refusal, shapeless, raw };
        let mut fate = match &record.value {
            Value::Refused(reason) => {
                self.out.output.tally.read += 1;
                self.reject(at as u32, *reason)
            }
            Value::Stays(why) => {
                let tally = &mut self.out.output.tally;
                (tally.read, tally.stay[why.index()]) =
                    (tally.read + 1, tally.stay[why.index()] + 1);
                Fate::Stays(*why)
            }
            Value::Tombstone => {
                self.out.output.tally.read += 1;
                match refusal {
                    Some(reason) => self.reject(at as u32, reason),
                    None => {
                        let tally = &mut self.out.output.tally;
                        tally.tombstones += 1;
                        if let Some(counts) = tally.of_route(self.route) {
                            counts.forwarded += 1;
                        }
                        Fate::Forwarded(How::Tombstone, None)
                    }
                }
            }
            Value::Line { range, breaks } => {
                self.line(at as u32, range, breaks, lines.next(), beyond, told)
            }
            Value::Lines { range, count, ended } => {
                let lines = lines.take(*count as usize);
                self.lines(range, *ended, lines, beyond, told)
            }
            Value::Whole(range) => self.whole(at as u32, range, beyond),
        };
        if let Some((codec, _)) = &record.packed {
            let prefix = self.block.bytes(&record.prefix);
            pack(*codec, prefix, (at as u32, self.route), &mut fate, self.out);
        }
        let hop = hop.map(|hop| hop.saturating_add(1));
        let route = self.route;
        self.out.verdicts.push(Verdict { fate, key, headers: beside.headers, hop, route });
    }

    /// A value that is one event.
    fn line(
        &mut self,
        at: u32,
        range: &Range<usize>,
        breaks: &Breaks,
        line: Option<LineFate>,
        beyond: Beyond<'_>,
        told: &mut [Option<Reject>],
    ) -> Fate {
        match line {
            None | Some(LineFate::Blank) => Fate::Blank,
            Some(LineFate::Rejected(reject)) => self.rejected(at, reject, beyond, told),
            Some(LineFate::Forwarded(clean)) => {
                let line = &self.block.chunk().data()[range.clone()];
                let value = &mut self.out.output.clean[clean.clone()];
                let how = how(line, value);
                breaks.restore(value, how == How::Clean, how == How::Wrapped);
                let body = match beyond.raw {
                    Some(raw) if how == How::Clean => Body::Kept(raw.clone()),
                    _ => Body::Clean(clean),
                };
                match self.counted(at, how, beyond) {
                    Ok(how) => Fate::Forwarded(how, Some(body)),
                    Err(fate) => fate,
                }
            }
        }
    }

    /// A value that consists of lines: the forwarded ones stay together.
    fn lines(
        &mut self,
        range: &Range<usize>,
        ended: bool,
        lines: impl Iterator<Item = LineFate>,
        beyond: Beyond<'_>,
        told: &mut [Option<Reject>],
    ) -> Fate {
        let first = self.out.output.rejects.len();
        let (mut counts, mut forwarded, mut same) = (Counts::default(), None, true);
        let mut texts = self.block.chunk().data()[range.clone()].split(|byte| *byte == b'\n');
        for (number, line) in (1..).zip(lines) {
            let text = texts.next().unwrap_or_default();
            match line {
                LineFate::Blank => {}
                LineFate::Rejected(reject) => {
                    same = false;
                    self.rejected(number, reject, beyond, told);
                }
                LineFate::Forwarded(clean) => {
                    let how = how(text, &self.out.output.clean[clean.clone()]);
                    same &= how == How::Clean;
                    if let Ok(how) = self.counted(number, how, beyond) {
                        counts.add(how);
                        let start = forwarded.map_or(clean.start, |all: Range<usize>| all.start);
                        forwarded = Some(start..clean.end);
                    }
                }
            }
        }
        let rejects = first..self.out.output.rejects.len();
        if forwarded.is_none() && rejects.is_empty() {
            return Fate::Blank;
        }
        let value = forwarded.map(|all| match beyond.raw {
            Some(raw) if same => Body::Kept(raw.clone()),
            None if same => Body::Chunk(range.clone()),
            // Without blank lines, and with a line end after the last line if the value had one.
            _ => Body::Clean(all.start..all.end + usize::from(ended)),
        });
        Fate::Lines(record::Lines { value, counts, rejects })
    }

    /// A value that contains events.
    fn whole(&mut self, at: u32, range: &Range<usize>, beyond: Beyond<'_>) -> Fate {
        let (text, Apart { engine, logs, plans }) = (self.block.bytes(range), &mut self.apart);
        let judged =
            match logs.judge(engine, (*plans, self.way, self.route), text, &mut self.out.output) {
                Ok(judged) => judged,
                Err(reason) => {
                    self.out.output.tally.read += 1;
                    return self.reject(at, reason.into());
                }
            };
        let first = self.out.output.rejects.len();
        let (mut counts, mut same) = (Counts::default(), judged.same);
        let mut kept = Vec::new();
        for (number, log) in (1..).zip(&judged.logs) {
            kept.push(match log {
                Log::Blank => None,
                Log::Rejected(reject) => {
                    self.rejected(number, 0, beyond, &mut [Some(reject.clone().into())]);
                    None
                }
                Log::Forwarded(how, text) => {
                    same &= *how == How::Clean;
                    let how = self.counted(number, *how, beyond).ok();
                    how.iter().for_each(|how| counts.add(*how));
                    how.map(|_| text.as_slice())
                }
            });
        }
        let mut rejects = first..self.out.output.rejects.len();
        let all = kept.iter().all(Option::is_some);
        if kept.iter().all(Option::is_none) {
            return match rejects.is_empty() {
                true => Fate::Blank,
                false => Fate::Lines(record::Lines { value: None, counts, rejects }),
            };
        }
        if all && same {
            let value = Some(Body::Kept(beyond.raw.unwrap_or(range).clone()));
            return Fate::Lines(record::Lines { value, counts, rejects });
        }
        let from = self.out.arena.len();
        let value = match judged.append(&kept, &mut self.out.arena) {
            Some(()) => Some(Body::Arena(from..self.out.arena.len())),
            None => {
                // A value that cannot be put together again is not forwarded.
                let (tally, reason) = (&mut self.out.output.tally, EngineReason::TooCostly);
                let lines = counts.withdraw(tally, self.route);
                tally.reject(self.route, reason.into(), lines);
                let reject = Reject { route: self.route, ..Reject::of(reason, 0) };
                self.out.output.rejects.push(reject);
                rejects.end += 1;
                None
            }
        };
        Fate::Lines(record::Lines { value, counts, rejects })
    }

    /// A line that is not forwarded.
    fn rejected(
        &mut self,
        number: u32,
        reject: usize,
        beyond: Beyond<'_>,
        told: &mut [Option<Reject>],
    ) -> Fate {
        let Some(reject) = told[reject].take() else { return Fate::Blank };
        if beyond.refusal == Some(Reason::Loop) {
            // This reason takes precedence: a dead letter would continue in the cycle.
            self.out.output.tally.take_back(self.route, reject.reason, 1);
            return self.reject(number, Reason::Loop);
        }
        let mut reject = Reject { line: number, ..reject };
        if beyond.shapeless && reject.payload == Payload::Shape {
            (reject.payload, reject.body) = (Payload::None, 0..0);
        }
        self.out.output.rejects.push(reject);
        Fate::Rejected(self.out.output.rejects.len() - 1)
    }

    /// Counts a line that would be forwarded, together with the record's key and headers.
    fn counted(&mut self, number: u32, how: How, beyond: Beyond<'_>) -> Result<How, Fate> {
        let tally = &mut self.out.output.tally;
        if let Some(reason) = beyond.refusal {
            Counts::of(how).withdraw(tally, self.route);
            return Err(self.reject(number, reason));
        }
        *how.count(tally) -= 1;
        let how = if beyond.touched && how == How::Clean { How::Redacted } else { how };
        *how.count(&mut self.out.output.tally) += 1;
        Ok(how)
    }

    fn key(&mut self, record: &Record, is: KeyIs) -> Key {
        match (is, self.pseudonyms, &record.key) {
            (KeyIs::Clean, ..) | (_, _, None) => Key::Same,
            (KeyIs::Pseudonym(range), ..) => Key::Changed(range),
            (KeyIs::Personal, None, _) => Key::Withheld,
            (KeyIs::Personal, Some(pseudonyms), Some(key)) => {
                let from = self.out.arena.len();
                pseudonyms.append(self.block.bytes(key), &mut self.out.arena);
                Key::Changed(from..self.out.arena.len())
            }
        }
    }

    fn reject(&mut self, line: u32, reason: Reason) -> Fate {
        self.out.output.tally.reject(self.route, reason, 1);
        self.out.output.rejects.push(Reject { route: self.route, ..Reject::of(reason, line) });
        Fate::Rejected(self.out.output.rejects.len() - 1)
    }
}

/// Returns how a line was processed that is forwarded as `value`.
pub(super) fn how(line: &[u8], value: &[u8]) -> How {
    match value == line {
        true => How::Clean,
        false if line.trim_ascii_start().first() == Some(&b'{') => How::Redacted,
        false if event_start(line).is_some() => How::Redacted,
        false => How::Wrapped,
    }
}
