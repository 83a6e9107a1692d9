//! The pass itself: grammar, path and quotes in step, one byte between strings after another.

use super::asked::Occurrence;
use super::report::Kind;
use super::{Frame, Full, Here, Line, Step, Stop, Violation, Walk, number};
use crate::engine::outcome::Reason;
use crate::engine::path::{Paths, flag};

/// Where the pass is. `NODES`: it goes by nodes; else by states.
pub(super) struct Pass<'a, const NODES: bool> {
    pub(super) walk: &'a mut Walk,
    pub(super) paths: &'a mut Paths,
    pub(super) line: Line<'a>,
    pub(super) at: usize,
    /// The quote that comes next, in the line's.
    pub(super) quote: usize,
    /// The mark that comes next, and where it stands.
    pub(super) mark: usize,
    pub(super) mark_at: usize,
    pub(super) depth: usize,
    pub(super) array: bool,
    /// Nothing stands in the open container yet.
    pub(super) first: bool,
    pub(super) here: Here,
    /// By nodes: the open object's node.
    pub(super) object: u32,
}

/// What a value was.
enum Value {
    Scalar,
    Container,
}

impl<'a, const NODES: bool> Pass<'a, NODES> {
    /// Everything up to the bracket that closes the event.
    #[inline(always)]
    pub(super) fn members(&mut self) -> Step<()> {
        loop {
            let close = if self.array { b']' } else { b'}' };
            if !(self.first && self.byte() == close) {
                let flags = if self.array { self.flags(self.here.id) } else { self.key()? };
                self.first = false;
                if let Value::Container = self.value(flags)? {
                    continue;
                }
            }
            if self.behind()? {
                return Ok(());
            }
        }
    }

    /// A key and its colon; the flags of its value.
    #[inline(always)]
    fn key(&mut self) -> Step<u16> {
        let from = self.at;
        let buf = self.line.buf;
        let predicted = if NODES { None } else { self.paths.predicted(self.here.id, buf, from) };
        if let Some((id, len)) = predicted {
            self.at += len;
            self.quote += 2;
            self.here = Here { id, key: (from as u32 + 1, (self.at - 2) as u32) };
            self.skip();
            return Ok(self.flags(id));
        }
        let (from, to) = self.string()?;
        self.here.key = (from as u32, to as u32);
        self.skip();
        if self.byte() != b':' {
            return self.syntax();
        }
        self.at += 1;
        self.here.id = if NODES {
            self.paths.node_within(self.object, buf, from, to, self.depth as u32)
        } else {
            self.paths.next(self.here.id, &buf[from..to])
        }
        .ok_or(Err(Full))?;
        self.skip();
        let mut flags = self.flags(self.here.id);
        if NODES && flags & flag::CONSTRAINED != 0 {
            flags |= self.walk.by_node(self.depth, self.here.id, self.paths);
        }
        Ok(flags)
    }

    /// The string that begins here: where its content stands. Moves behind it.
    #[inline(always)]
    fn string(&mut self) -> Step<(usize, usize)> {
        match self.line.quotes.get(self.quote..self.quote + 2) {
            Some(&[from, to]) if from as usize == self.at => {
                self.quote += 2;
                self.at = to as usize + 1;
                Ok((from as usize + 1, to as usize))
            }
            _ => self.syntax(),
        }
    }

    #[inline(always)]
    fn value(&mut self, mut flags: u16) -> Step<Value> {
        let from = self.at;
        let (kind, site) = match self.byte() {
            b'"' => (Kind::String, self.string()?),
            c @ (b'{' | b'[') => {
                self.open(c == b'[', flags)?;
                return Ok(Value::Container);
            }
            b'-' | b'0'..=b'9' => {
                let len = number::len(self.line.buf, from);
                if len == 0 {
                    return self.syntax();
                }
                if len & number::SPELT != 0 {
                    flags |= flag::OTHER;
                }
                self.at += len & !number::SPELT;
                (Kind::Number, (from, self.at))
            }
            _ => (self.literal()?, (from, self.at)),
        };
        if flags != 0 || self.mark_at < self.at {
            if flags & flag::ASKED != 0 {
                flags = self.asked(flags, kind, site);
            }
            // Most of those: a value without marks that only the schema wants to see.
            let plain = flags & !(flag::CHECK | flag::CONSTRAINED | flag::EXACT) == 0;
            let scalar = matches!(kind, Kind::String | Kind::Number);
            if plain && scalar && self.mark_at >= self.at {
                self.check(kind, site);
            } else {
                self.note(flags, kind, site);
            }
        }
        Ok(Value::Scalar)
    }

    #[inline(always)]
    fn literal(&mut self) -> Step<Kind> {
        let b = self.line.buf;
        let (kind, len) = match &b[self.at..self.at + 4] {
            b"true" => (Kind::True, 4),
            b"null" => (Kind::Null, 4),
            b"fals" if b[self.at + 4] == b'e' => (Kind::False, 5),
            _ => return self.syntax(),
        };
        self.at += len;
        Ok(kind)
    }

    /// An object or an array that begins here.
    #[inline(always)]
    fn open(&mut self, array: bool, mut flags: u16) -> Step<()> {
        if self.depth >= self.walk.max_depth {
            return stop(Reason::TooDeep, self.at);
        }
        if flags != 0 || self.mark_at < self.at {
            let kind = if array { Kind::Array } else { Kind::Object };
            if flags & flag::ASKED != 0 {
                flags = self.asked(flags, kind, (self.at, self.at));
            }
            self.note(flags, kind, (self.at, self.at));
        }
        self.depth += 1;
        self.walk.frames[self.depth] = Frame {
            owner: self.here.id,
            start: self.at as u32,
            key: self.here.key,
            array: self.array,
            node: self.object,
            seen: 0,
            named: self.walk.named.len() as u32,
        };
        let id = self.here.id;
        self.here.id = match (NODES, array) {
            (false, false) => self.paths.child(id),
            (false, true) => self.paths.elem(id),
            (true, false) => Some(id),
            (true, true) => self.paths.elem_node(id, self.depth as u32),
        }
        .ok_or(Err(Full))?;
        if NODES {
            self.object = self.here.id;
        }
        self.array = array;
        self.first = true;
        self.at += 1;
        self.skip();
        Ok(())
    }

    /// What stands behind a value, or in an empty container: brackets that close, then a comma.
    /// Whether the event closed.
    #[inline(always)]
    fn behind(&mut self) -> Step<bool> {
        loop {
            self.skip();
            let c = self.byte();
            if c == b',' && !self.first {
                self.at += 1;
                self.skip();
                return Ok(false);
            }
            if c != (if self.array { b']' } else { b'}' }) {
                return self.syntax();
            }
            self.at += 1;
            self.first = false;
            if self.close() {
                return Ok(true);
            }
        }
    }

    /// The open container closes before here. Whether it was the event.
    #[inline(always)]
    fn close(&mut self) -> bool {
        let frame = self.walk.frames[self.depth];
        if !self.array && self.incomplete(frame) && self.walk.violation.is_none() {
            let at = frame.start as usize;
            self.walk.violation = Some(Violation { reason: Reason::Required, at });
        }
        self.depth -= 1;
        if self.depth == 0 {
            return true;
        }
        let flags = self.flags(frame.owner) & (flag::COMPARE | flag::MEMBER);
        if flags != 0 {
            let line = self.line;
            self.walk.closed(&line, self.paths, frame, flags, self.at);
        }
        self.array = frame.array;
        self.object = frame.node;
        self.here = Here { id: frame.owner, key: frame.key };
        if NODES {
            self.walk.named.truncate(frame.named as usize);
        }
        false
    }

    /// Whether the object that closes lacks a required field.
    #[inline(always)]
    fn incomplete(&self, frame: Frame) -> bool {
        if NODES {
            let node = if self.depth == 1 { self.paths.roots.node() } else { frame.owner };
            self.paths.required(node) & !frame.seen != 0
        } else {
            self.paths.states[self.here.id as usize].incomplete
        }
    }

    /// Asks the schema about a string without escapes, or a number.
    #[inline(always)]
    fn check(&mut self, kind: Kind, (from, to): (usize, usize)) {
        let id = self.here.id as usize;
        let node = if NODES { id } else { self.paths.states[id].node as usize };
        let (node, text) = (self.paths.nodes[node].schema, &self.line.buf[from..to]);
        let Some(schema) = &self.walk.held.schema else { return };
        let checked = match kind {
            Kind::Number => schema.check_number(node, text),
            _ => schema.check_string(node, text),
        };
        if let Err(reason) = checked
            && self.walk.violation.is_none()
        {
            self.walk.violation = Some(Violation { reason, at: from });
        }
    }

    /// A value for which a route asks, or a number in another spelling; its flags without those of a
    /// field for which a route asks.
    #[inline(never)]
    fn asked(&mut self, flags: u16, kind: Kind, value: (usize, usize)) -> u16 {
        let id = self.here.id as usize;
        let node = if NODES { id } else { self.paths.states[id].node as usize };
        let Some(field) = self.paths.nodes[node].asked.checked_sub(1) else { return flags };
        let occurrence = Occurrence::new((field, kind), value, self.here.key, self.quote);
        self.walk.asked.add(occurrence);
        let other =
            kind == Kind::Number && number::len(self.line.buf, value.0) & number::SPELT != 0;
        if other { flags } else { flags & !flag::ASKED }
    }

    #[inline(always)]
    fn note(&mut self, flags: u16, kind: Kind, site: (usize, usize)) {
        let line = self.line;
        self.mark =
            self.walk.value(&line, self.mark, self.paths, self.depth, self.here, flags, kind, site);
        self.mark_at = line.marks.get(self.mark).map_or(usize::MAX, |m| m.at());
    }

    /// What is to be done with the value at a state or node.
    #[inline(always)]
    fn flags(&self, id: u32) -> u16 {
        if NODES {
            self.paths.nodes[id as usize].flags
        } else {
            self.paths.states[id as usize].flags
        }
    }

    #[inline(always)]
    fn byte(&self) -> u8 {
        self.line.buf[self.at]
    }

    /// Skips white space; a newline ends the event.
    #[inline(always)]
    pub(super) fn skip(&mut self) {
        if self.byte() <= b' ' {
            while matches!(self.byte(), b' ' | b'\t' | b'\r') {
                self.at += 1;
            }
        }
    }

    #[cold]
    pub(super) fn syntax<T>(&self) -> Step<T> {
        let end = self.line.end;
        let reason = if self.at >= end { Reason::Unterminated } else { Reason::Syntax };
        stop(reason, self.at.min(end))
    }
}

pub(super) fn stop<T>(reason: Reason, at: usize) -> Step<T> {
    Err(Ok(Stop { reason, at }))
}
