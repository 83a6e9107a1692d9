//! A block of records, judged: values by the plan, keys and headers by its form for inner lines.

use std::{
    mem,
    sync::{Arc, OnceLock},
};

use super::{
    beside::{Beside, Besides, KeyIs},
    pseudonym::Pseudonyms,
};
use crate::{
    engine::{Engine, Fate as LineFate, Plan, Reason, Reject, Tally},
    pipeline::records::{Block, Fate, How, Judged, Key, Record, RecordWorker, Value, Verdict},
};

/// What records are judged by, shared by all workers.
pub struct Judgement {
    plan: Arc<Plan>,
    inside: OnceLock<Arc<Plan>>,
    pseudonyms: Option<Pseudonyms>,
}

impl Judgement {
    /// By `plan`, whose rejects must carry bodies.
    ///
    /// # Panics
    /// If they do not.
    pub fn new(plan: Arc<Plan>, pseudonyms: Option<Pseudonyms>) -> Arc<Self> {
        assert!(plan.settings().bodies, "every reject is told of records");
        Arc::new(Self { plan, inside: OnceLock::new(), pseudonyms })
    }
}

/// A worker for records.
///
/// What is found in a key or a header holds for the record: it is not clean. A key that may not be seen
/// becomes a pseudonym, or, without a secret for that, the record is not forwarded.
pub struct RecordJudge {
    judgement: Arc<Judgement>,
    engine: Engine,
    besides: Besides,
}

impl RecordJudge {
    /// A worker.
    pub fn new(judgement: &Arc<Judgement>) -> Self {
        let engine = Engine::new(judgement.plan.clone());
        Self { judgement: judgement.clone(), engine, besides: Besides::default() }
    }
}

impl RecordWorker for RecordJudge {
    fn process(&mut self, block: &Block, out: &mut Judged) {
        let judgement = self.judgement.clone();
        let Judgement { plan, inside, pseudonyms } = &*judgement;
        self.engine.judge_by(plan);
        self.engine.process(block.chunk(), &mut out.output);
        let lines = LineFate::of_lines(block.chunk(), &out.output);
        self.engine.judge_by(inside.get_or_init(|| Arc::new(plan.for_inner_lines())));
        let besides = self.besides.judge(&mut self.engine, block, out);
        let mut closing = Closing { block, pseudonyms: pseudonyms.as_ref(), out };
        let (mut lines, told) = (lines.into_iter(), mem::take(&mut closing.out.output.rejects));
        let mut told: Vec<_> = told.into_iter().map(Some).collect();
        for ((at, record), beside) in block.records().iter().enumerate().zip(besides) {
            let line = match record.value {
                Value::Line { .. } => lines.next(),
                _ => None,
            };
            closing.close(at, record, line, beside, &mut told);
        }
    }
}

/// Puts together what became of a record's parts.
struct Closing<'a> {
    block: &'a Block,
    pseudonyms: Option<&'a Pseudonyms>,
    out: &'a mut Judged,
}

impl Closing<'_> {
    fn close(
        &mut self,
        at: usize,
        record: &Record,
        line: Option<LineFate>,
        beside: Beside,
        told: &mut [Option<Reject>],
    ) {
        let key = self.key(record, beside.key);
        let touched = !matches!(key, Key::Same) || beside.headers.is_some();
        let refusal = match key {
            _ if beside.dropped => Some(Reason::Rule),
            Key::Withheld => Some(Reason::Key),
            _ => None,
        };
        let fate = match (&record.value, line) {
            (Value::Oversize(_), _) => {
                self.out.output.tally.read += 1;
                self.reject(at, Reason::Oversize)
            }
            (Value::Skipped(why), _) => {
                self.out.output.tally.read += 1;
                self.reject(at, *why)
            }
            (Value::Tombstone, _) => {
                self.out.output.tally.read += 1;
                match refusal {
                    Some(reason) => self.reject(at, reason),
                    None => {
                        self.out.output.tally.tombstones += 1;
                        Fate::Forwarded(How::Tombstone, None)
                    }
                }
            }
            (_, None | Some(LineFate::Blank)) => Fate::Blank,
            (_, Some(LineFate::Rejected(reject))) => {
                if let Some(reject) = told[reject].take() {
                    let reject = Reject { line: at as u32, ..reject };
                    self.out.output.rejects.push(reject);
                }
                Fate::Rejected(self.out.output.rejects.len() - 1)
            }
            (Value::Line { range, breaks }, Some(LineFate::Forwarded(clean))) => {
                let line = &self.block.chunk().data()[range.clone()];
                let value = &mut self.out.output.clean[clean.clone()];
                let text = line.trim_ascii_start().first() != Some(&b'{');
                let how = match value == line {
                    true => How::Clean,
                    false if text => How::Wrapped,
                    false => How::Redacted,
                };
                breaks.restore(value, how == How::Clean, how == How::Wrapped);
                *count(&mut self.out.output.tally, how) -= 1;
                match refusal {
                    Some(reason) => self.reject(at, reason),
                    None => {
                        let how = if touched && how == How::Clean { How::Redacted } else { how };
                        *count(&mut self.out.output.tally, how) += 1;
                        Fate::Forwarded(how, Some(clean))
                    }
                }
            }
        };
        self.out.verdicts.push(Verdict { fate, key, headers: beside.headers });
    }

    fn key(&mut self, record: &Record, is: KeyIs) -> Key {
        match (is, self.pseudonyms, &record.key) {
            (KeyIs::Clean, ..) | (_, _, None) => Key::Same,
            (KeyIs::Personal, None, _) => Key::Withheld,
            (KeyIs::Personal, Some(pseudonyms), Some(key)) => {
                let from = self.out.arena.len();
                pseudonyms.append(self.block.bytes(key), &mut self.out.arena);
                Key::Changed(from..self.out.arena.len())
            }
        }
    }

    fn reject(&mut self, at: usize, reason: Reason) -> Fate {
        self.out.output.tally.rejected[reason.index()] += 1;
        self.out.output.rejects.push(Reject::of(reason, at as u32));
        Fate::Rejected(self.out.output.rejects.len() - 1)
    }
}

fn count(tally: &mut Tally, how: How) -> &mut u64 {
    match how {
        How::Clean => &mut tally.clean,
        How::Redacted => &mut tally.redacted,
        How::Wrapped => &mut tally.wrapped,
        How::Tombstone => &mut tally.tombstones,
    }
}
