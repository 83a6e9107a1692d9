//! Judges keys and headers as lines of a chunk of their own.
//!
//! A key is judged as text. A header is judged as the event `{"name":"value"}`, so that rules by
//! key apply to it:
//! `password` and `authorization` are secrets whatever their value is.

use std::{mem, ops::Range};

use serde_json::{Map, Value as Json};

use super::ways::Ways;
use crate::{
    engine::{Chunk, Engine, Fate, Output, Payload, Reason},
    pipeline::records::{Block, Header, Judged},
};

/// Replaces the value of a header that is not UTF-8, or that cannot be judged for another reason.
const UNREADABLE: &[u8] = b"[REDACTED:unreadable]";
/// It is not judged if it has the form of W3C Trace Context, which contains identifiers but no
/// personal data.
const TRACE_PARENT: &str = "traceparent";

/// What each line of the chunk is.
#[derive(Clone, Copy)]
enum Asked {
    Key(usize),
    /// A header: the number of the record, and that of the header.
    Header(usize, usize),
}

/// The result for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyIs {
    Clean,
    /// All of it is one finding whose rule makes a pseudonym: a range of the judged block's arena.
    Pseudonym(Range<usize>),
    /// It contains personal data or a secret, or could not be judged.
    Personal,
}

/// The result for one record's key and headers.
pub(super) struct Beside {
    pub(super) key: KeyIs,
    /// The record's headers if they changed: ranges of the judged block's headers.
    pub(super) headers: Option<Range<usize>>,
    /// A `drop` rule matches.
    pub(super) dropped: bool,
}

impl Default for Beside {
    fn default() -> Self {
        Self { key: KeyIs::Clean, headers: None, dropped: false }
    }
}

/// Scratch space for keys and headers.
#[derive(Default)]
pub(super) struct Besides {
    chunk: Chunk,
    asked: Vec<Asked>,
    judged: Output,
    line: Vec<u8>,
    /// The value of a header is not text, and is not in its line.
    unreadable: bool,
}

/// The result for a header.
enum Told {
    Same,
    /// It is removed.
    Gone,
    Changed(String, Option<Vec<u8>>),
    Dropped,
}

impl Besides {
    /// Judges the keys and headers of all records; `engine` judges by the plan's form for inner
    /// lines. The header that counts hops is skipped if hops are limited.
    pub(super) fn judge(
        &mut self,
        engine: &mut Engine,
        block: &Block,
        (counts_hops, ways): (bool, &Ways),
        out: &mut Judged,
    ) -> Vec<Beside> {
        let mut all: Vec<Beside> = Vec::new();
        all.resize_with(block.records().len(), Beside::default);
        self.ask(block, counts_hops, ways);
        if self.asked.is_empty() {
            return all;
        }
        self.judged.clear();
        engine.set_sources(ways.all_with());
        engine.process(&self.chunk, &mut self.judged);
        out.output.tally.add_findings(&self.judged.tally);
        let tally = &self.judged.tally;
        let unclear = (0..all.len()).any(|at| ways.is_unclear(at));
        if tally.clean + tally.blank == tally.read && !self.unreadable && !unclear {
            return all;
        }
        let fates = Fate::of_lines(&self.chunk, &self.judged);
        let data = mem::take(&mut self.chunk);
        let mut lines = data.data().split(|byte| *byte == b'\n');
        let mut told: Vec<(usize, Told)> = Vec::new();
        let all_asked = mem::take(&mut self.asked);
        for (at, (asked, fate)) in all_asked.iter().zip(&fates).enumerate() {
            let line = lines.next().unwrap_or_default();
            match *asked {
                Asked::Key(record) => {
                    let beside = &mut all[record];
                    let key = block.records()[record].key.as_ref().map(|key| block.bytes(key));
                    match self.text(fate, line) {
                        _ if ways.is_unclear(record) => beside.key = KeyIs::Personal,
                        Ok(None) => {}
                        // Two different keys must have different pseudonyms.
                        Ok(Some(became))
                            if key.is_some_and(|key| engine.is_pseudonym(became, key)) =>
                        {
                            let from = out.arena.len();
                            out.arena.extend_from_slice(became);
                            beside.key = KeyIs::Pseudonym(from..out.arena.len());
                        }
                        became => {
                            // A dead letter must not show it either.
                            beside.key = KeyIs::Personal;
                            beside.dropped |= became == Err(Reason::Rule);
                        }
                    }
                }
                Asked::Header(record, header) => {
                    let is = match ways.is_unclear(record) {
                        true => Told::Gone,
                        false => self.header(fate, line),
                    };
                    told.push((header, is));
                    let next = asked_of(all_asked.get(at + 1));
                    if next != Some(record) {
                        all[record].dropped |= told.iter().any(|(_, t)| matches!(t, Told::Dropped));
                        all[record].headers = headers(block, record, &told, out);
                        told.clear();
                    }
                }
            }
        }
        (self.chunk, self.asked) = (data, all_asked);
        all
    }

    /// Writes the lines.
    fn ask(&mut self, block: &Block, counts_hops: bool, ways: &Ways) {
        self.chunk.clear();
        self.asked.clear();
        self.unreadable = false;
        for (at, record) in block.records().iter().enumerate() {
            self.chunk.begin_source(ways.number(at));
            if let Some(key) = record.key.as_ref().filter(|key| !key.is_empty()) {
                self.asked.push(Asked::Key(at));
                self.line.clear();
                self.line.extend_from_slice(block.bytes(key));
                // A line feed would end the line. If the text is clean, the original is forwarded.
                self.line.iter_mut().filter(|b| **b == b'\n').for_each(|b| *b = b'\t');
                self.push();
            }
            for (number, header) in block.headers(record).iter().enumerate() {
                if counts_hops && block.is_hop(&header.name) {
                    // Tamis writes this header itself.
                    continue;
                }
                let name = str::from_utf8(block.bytes(&header.name)).unwrap_or_default();
                let value = header.value.as_ref().map(|value| block.bytes(value));
                if name == TRACE_PARENT && value.is_some_and(is_trace_parent) {
                    continue;
                }
                self.asked.push(Asked::Header(at, number));
                self.line.clear();
                let text = value.and_then(|value| str::from_utf8(value).ok());
                self.unreadable |= value.is_some() && text.is_none();
                event(name, text, &mut self.line);
                self.push();
            }
        }
        self.chunk.seal();
    }

    fn push(&mut self) {
        self.chunk.extend(&self.line);
        self.chunk.extend(b"\n");
    }

    /// Returns the text after redaction, or `None` if nothing was found in it.
    ///
    /// # Errors
    /// The reason why it was not judged.
    fn text(&self, fate: &Fate, line: &[u8]) -> Result<Option<&[u8]>, Reason> {
        let became = became(fate, &self.judged)?;
        let other = became.filter(|became| became.trim_ascii() != line.trim_ascii());
        Ok(other.map(|became| became.strip_suffix(b"\n").unwrap_or(became)))
    }

    fn header(&self, fate: &Fate, line: &[u8]) -> Told {
        let became = match became(fate, &self.judged) {
            Ok(Some(became)) => became,
            Err(Reason::Rule) => return Told::Dropped,
            // If its value cannot be judged, its name cannot be trusted either.
            Ok(None) | Err(_) => return Told::Gone,
        };
        if became.trim_ascii() == line {
            return Told::Same;
        }
        let Ok(Json::Object(event)) = serde_json::from_slice::<Json>(became) else {
            return Told::Gone;
        };
        first(event)
    }
}

/// Returns the line after redaction. Refusals by the schema, and the setting for text lines, do not
/// apply: they are for values.
pub(super) fn became<'a>(fate: &Fate, judged: &'a Output) -> Result<Option<&'a [u8]>, Reason> {
    match fate {
        Fate::Blank => Ok(None),
        Fate::Forwarded(range) => Ok(Some(&judged.clean[range.clone()])),
        Fate::Rejected(at) => {
            let reject = &judged.rejects[*at];
            let apart = reject.reason.is_violation() || reject.reason == Reason::Text;
            match reject.payload {
                Payload::Redacted if apart => Ok(Some(&judged.bodies[reject.body.clone()])),
                _ => Err(reject.reason),
            }
        }
    }
}

/// The record that a line of the chunk belongs to.
fn asked_of(asked: Option<&Asked>) -> Option<usize> {
    match asked {
        Some(Asked::Header(record, _)) => Some(*record),
        _ => None,
    }
}

/// Writes a header as an event.
fn event(name: &str, value: Option<&str>, out: &mut Vec<u8>) {
    let text = |text: &str, out: &mut Vec<u8>| {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(out, text);
    };
    out.push(b'{');
    text(name, out);
    out.push(b':');
    match value {
        Some(value) => text(value, out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

fn first(event: Map<String, Json>) -> Told {
    match event.into_iter().next() {
        None => Told::Gone,
        Some((name, Json::Null)) => Told::Changed(name, None),
        Some((name, Json::String(value))) => Told::Changed(name, Some(value.into_bytes())),
        Some((name, other)) => Told::Changed(name, Some(other.to_string().into_bytes())),
    }
}

/// Returns the headers of a record if they changed.
fn headers(
    block: &Block,
    record: usize,
    told: &[(usize, Told)],
    out: &mut Judged,
) -> Option<Range<usize>> {
    let all = block.headers(&block.records()[record]);
    let readable = |header: &Header| {
        header.value.as_ref().is_none_or(|value| str::from_utf8(block.bytes(value)).is_ok())
    };
    let same = told.iter().all(|(_, told)| matches!(told, Told::Same));
    if same && all.iter().all(readable) {
        return None;
    }
    let first = out.headers.len();
    let mut keep = |bytes: &[u8]| {
        let from = out.arena.len();
        out.arena.extend_from_slice(bytes);
        from..out.arena.len()
    };
    let mut told = told.iter().peekable();
    for (number, header) in all.iter().enumerate() {
        let (mut name, mut value) =
            (block.bytes(&header.name), header.value.as_ref().map(|value| block.bytes(value)));
        match told.next_if(|(at, _)| *at == number) {
            Some((_, Told::Gone | Told::Dropped)) => continue,
            Some((_, Told::Changed(now, becomes))) => {
                (name, value) = (now.as_bytes(), becomes.as_deref());
            }
            Some((_, Told::Same)) | None => {}
        }
        if !readable(header) {
            value = Some(UNREADABLE);
        }
        let name = keep(name);
        let value = value.map(&mut keep);
        out.headers.push(Header { name, value });
    }
    Some(first..out.headers.len())
}

/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`
fn is_trace_parent(value: &[u8]) -> bool {
    value.len() == 55
        && value.iter().enumerate().all(|(at, byte)| match at {
            2 | 35 | 52 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}
