//! JSON inside a string: walked as an event is, with the rules that its paths obey; they continue
//! the string's own.

use super::trace::Decoding;
use super::{Judge, Keys};
use crate::engine::chunk::{HEAD, TAIL};
use crate::engine::detect::{Detectors, Finding};
use crate::engine::index::Index;
use crate::engine::outcome::Reason;
use crate::engine::path::{Paths, Rules};
use crate::engine::walk::{Line, Walk};

/// An array is walked as the value of an object's only key.
const OPEN: &[u8] = b"{\"\":";

/// Scratch space for one event inside a string.
pub(super) struct Nested {
    walk: Walk,
    paths: Paths,
    index: Index,
    text: Vec<u8>,
}

impl Nested {
    pub(super) fn new(rules: &Rules, max_depth: usize) -> Self {
        // The schema speaks of the event, not of what its strings hold.
        let rules = Rules { contract: None, ..rules.clone() };
        Self {
            walk: Walk::new(max_depth, None),
            paths: Paths::new(rules, max_depth),
            index: Index::default(),
            text: Vec::new(),
        }
    }

    /// Walks `text`; the way from the walked text's offsets to `text`'s, if it is whole JSON.
    fn walk(&mut self, judge: &Judge, d: &Detectors, text: &[u8], row: &[u64]) -> Option<usize> {
        let array = text.trim_ascii_start().first() == Some(&b'[');
        self.text.clear();
        self.text.resize(HEAD, b'\n');
        if array {
            self.text.extend_from_slice(OPEN);
        }
        let before = self.text.len();
        // The walk ends at a newline; in JSON it can only be white space.
        self.text.extend(text.iter().map(|&b| if b == b'\n' { b' ' } else { b }));
        if array {
            self.text.push(b'}');
        }
        let end = self.text.len();
        self.text.resize(end + TAIL, b'\n');
        self.index.scan(judge.simd, &self.text, HEAD, end, &d.gates, false);
        let lead = self.text[HEAD..end].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let line = Line {
            buf: &self.text,
            start: HEAD + lead,
            end,
            quotes: self.index.quotes(),
            marks: &self.index.marks,
        };
        self.paths.begin_at(row, array);
        self.walk.event(line, &mut self.paths).ok()?;
        Some(before)
    }
}

impl Judge {
    /// Judges `text` as JSON; findings are places of a text that has [`HEAD`] bytes before it.
    /// `false`: it is not whole JSON, or stands inside such already.
    pub(super) fn json(
        &mut self,
        d: &Detectors,
        text: &[u8],
        keys: &Keys<'_>,
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<bool, Reason> {
        let Some(mut nested) = self.nested.take() else { return Ok(false) };
        let judged = match nested.walk(self, d, text, keys.row) {
            None => Ok(false),
            Some(before) => {
                let n = &nested;
                self.opened(d, &n.index, &n.text);
                let from = self.enter(Decoding::Json);
                let judged =
                    self.sites(d, &n.text, &n.walk, &n.index.marks, Some(keys), level, out);
                let back = |(from, to): (usize, usize)| (from - before + HEAD, to - before + HEAD);
                for f in out.iter_mut() {
                    f.matched = back(f.matched);
                    (f.start, f.end) = back((f.start, f.end));
                    f.with = f.with.mapped(back);
                }
                match judged {
                    Ok(()) => {
                        self.leave(from, back);
                        Ok(true)
                    }
                    Err(s) if s.reason == Reason::TooCostly => {
                        self.leave(from, back);
                        Err(s.reason)
                    }
                    // A broken escape: it is no JSON after all.
                    Err(_) => {
                        self.abandon(from);
                        out.clear();
                        Ok(false)
                    }
                }
            }
        };
        self.nested = Some(nested);
        judged
    }
}
