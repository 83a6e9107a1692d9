//! The walk: one validating pass over the bytes *between* an event's strings, which the quote
//! index lets it skip. It holds the event to RFC 8259 (escapes and UTF-8 apart, which the engine
//! judges), follows the path, asks the schema, and reports the strings, keys and numbers in which
//! something is marked.

mod number;
mod report;

use super::index::Mark;
use super::outcome::Reason;
use super::path::{self, Paths, flag};
pub(crate) use report::{Kind, Site};

/// Why an event is malformed, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) reason: Reason,
    pub(crate) at: usize,
}

/// A schema's refusal: the first one of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) reason: Reason,
    pub(crate) at: usize,
}

/// An event's bytes and what the index says of them.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// The whole buffer: 32 bytes and more stand behind `end`.
    pub(crate) buf: &'a [u8],
    /// The `{`.
    pub(crate) start: usize,
    /// The newline, or whatever ends the event and is not JSON.
    pub(crate) end: usize,
    /// The unescaped quotes between `start` and `end`.
    pub(crate) quotes: &'a [u32],
    /// The marks between `start` and `end`.
    pub(crate) marks: &'a [Mark],
}

/// An open container.
#[derive(Clone, Copy, Default)]
struct Frame {
    /// The state (walking by states) or the node (by nodes) whose value the container is.
    owner: u32,
    /// Where it opens.
    start: u32,
    /// The key that it is the value of: raw, without quotes.
    key: (u32, u32),
    array: bool,
    /// By nodes: the object's node, its required fields so far, and its part of `named`.
    node: u32,
    seen: u64,
    named: u32,
}

/// Where the walk is among an object's keys, or in an array.
#[derive(Clone, Copy)]
struct Here {
    /// State or node of the value that comes next.
    id: u32,
    key: (u32, u32),
}

/// The walk's scratch space.
pub(crate) struct Walk {
    max_depth: usize,
    frames: Vec<Frame>,
    /// By nodes: the constrained fields seen in the open objects.
    named: Vec<u32>,
    scratch: Vec<u8>,
    /// What was reported of the last event, in its order.
    pub(crate) sites: Vec<Site>,
    /// The keys above and of each site.
    pub(crate) keys: Vec<(u32, u32)>,
    /// The first violation of the last event.
    pub(crate) violation: Option<Violation>,
    /// Events to walk by nodes before states are tried again.
    by_nodes: u32,
    /// Whether the present pass goes by nodes.
    walking_nodes: bool,
    /// Rises when states don't fit, falls when they do.
    misses: u32,
    /// Events walked by nodes since the states were last forgotten.
    uncached: u32,
}

/// States are full.
struct Full;
type Step<T> = Result<T, Result<Stop, Full>>;

impl Walk {
    pub(crate) fn new(max_depth: usize) -> Self {
        Self {
            max_depth,
            frames: vec![Frame::default(); max_depth + 1],
            named: Vec::new(),
            scratch: Vec::new(),
            sites: Vec::new(),
            keys: Vec::new(),
            violation: None,
            by_nodes: 0,
            walking_nodes: false,
            misses: 0,
            uncached: 0,
        }
    }

    /// Walks one event. On success `sites`, `keys` and `violation` tell about it.
    #[inline(always)]
    pub(crate) fn event(&mut self, line: Line<'_>, paths: &mut Paths) -> Result<(), Stop> {
        if self.by_nodes > 0 {
            self.by_nodes -= 1;
            return self.uncached(line, paths);
        }
        match self.pass::<false>(line, paths) {
            Ok(()) => {
                self.misses = self.misses.saturating_sub(1);
                Ok(())
            }
            Err(Ok(stop)) => Err(stop),
            Err(Err(Full)) => {
                self.misses += 16;
                if self.misses > 128 {
                    // Keys come in ever new orders: do not try states on every event.
                    self.misses = 112;
                    self.by_nodes = 500;
                }
                self.uncached(line, paths)
            }
        }
    }

    #[inline(never)]
    fn uncached(&mut self, line: Line<'_>, paths: &mut Paths) -> Result<(), Stop> {
        self.uncached += 1;
        if self.uncached > 200_000 {
            // The stream may have changed since the states filled up.
            self.uncached = 0;
            self.by_nodes = 0;
            paths.reset(self.max_depth);
        }
        match self.pass::<true>(line, paths) {
            Ok(()) => Ok(()),
            Err(Ok(stop)) => Err(stop),
            // By nodes there is always a spare place.
            Err(Err(Full)) => Err(Stop { reason: Reason::TooDeep, at: line.start }),
        }
    }

    /// The pass. `NODES`: by nodes; else by states.
    #[inline(always)]
    fn pass<const NODES: bool>(&mut self, l: Line<'_>, paths: &mut Paths) -> Step<()> {
        self.sites.clear();
        self.keys.clear();
        self.violation = None;
        self.walking_nodes = NODES;
        if NODES {
            self.named.clear();
        }
        let b = l.buf;
        let stop = |reason, at| Err(Ok(Stop { reason, at }));
        let syntax = |at: usize| {
            let reason = if at >= l.end { Reason::Unterminated } else { Reason::Syntax };
            Err(Ok(Stop { reason, at: at.min(l.end) }))
        };
        if l.quotes.len() % 2 != 0 {
            return stop(Reason::Unterminated, l.end);
        }
        let mut qi = 0;
        let mut mi = 0;
        let mut next_mark = l.marks.first().map_or(usize::MAX, |m| m.at());
        let mut p = l.start;
        if b[p] != b'{' {
            return syntax(p);
        }
        let mut depth = 1;
        let mut array = false;
        let mut first = true;
        let mut here = Here { id: path::ROOT, key: (0, 0) };
        self.frames[1] =
            Frame { owner: path::ROOT, start: p as u32, ..Frame::default() };
        let mut object = 0u32;
        p += 1;
        skip(b, &mut p);

        'next: loop {
            let close = if array { b']' } else { b'}' };
            if !(first && b[p] == close) {
                let flags;
                if array {
                    flags = value_flags::<NODES>(paths, here.id);
                } else {
                    // The key.
                    let key_at = p;
                    if let Some((id, len)) =
                        if NODES { None } else { paths.predicted(here.id, b, p) }
                    {
                        p += len;
                        qi += 2;
                        here = Here { id, key: (key_at as u32 + 1, (p - 2) as u32) };
                    } else {
                        let Some(&[from, to]) = l.quotes.get(qi..qi + 2) else {
                            return syntax(p);
                        };
                        if from as usize != p {
                            return syntax(p);
                        }
                        qi += 2;
                        here.key = (from + 1, to);
                        let key = &b[from as usize + 1..to as usize];
                        p = to as usize + 1;
                        skip(b, &mut p);
                        if b[p] != b':' {
                            return syntax(p);
                        }
                        p += 1;
                        here.id = if NODES {
                            paths.node(object, key, depth as u32).ok_or(Err(Full))?
                        } else {
                            paths.next(here.id, key).ok_or(Err(Full))?
                        };
                    }
                    skip(b, &mut p);
                    let mut f = value_flags::<NODES>(paths, here.id);
                    if NODES && f & flag::CONSTRAINED != 0 {
                        f |= self.by_node(depth, here.id, paths);
                    }
                    flags = f;
                }
                first = false;

                // The value.
                let c = b[p];
                let from = p;
                match c {
                    b'"' => {
                        let Some(&[q, to]) = l.quotes.get(qi..qi + 2) else { return syntax(p) };
                        if q as usize != p {
                            return syntax(p);
                        }
                        qi += 2;
                        p = to as usize + 1;
                        if flags != 0 || next_mark < p {
                            let site = (from + 1, p - 1);
                            self.value(&l, &mut mi, paths, depth, here, flags, Kind::String, site);
                            next_mark = l.marks.get(mi).map_or(usize::MAX, |m| m.at());
                        }
                    }
                    b'{' | b'[' => {
                        if depth >= self.max_depth {
                            return stop(Reason::TooDeep, p);
                        }
                        let opens_array = c == b'[';
                        if flags != 0 || next_mark < p {
                            let kind = if opens_array { Kind::Array } else { Kind::Object };
                            let site = (from, from);
                            self.value(&l, &mut mi, paths, depth, here, flags, kind, site);
                            next_mark = l.marks.get(mi).map_or(usize::MAX, |m| m.at());
                        }
                        depth += 1;
                        self.frames[depth] = Frame {
                            owner: here.id,
                            start: p as u32,
                            key: here.key,
                            array,
                            node: object,
                            seen: 0,
                            named: self.named.len() as u32,
                        };
                        here.id = match (NODES, opens_array) {
                            (false, false) => paths.child(here.id).ok_or(Err(Full))?,
                            (false, true) => paths.elem(here.id).ok_or(Err(Full))?,
                            (true, false) => here.id,
                            (true, true) => {
                                paths.elem_node(here.id, depth as u32).ok_or(Err(Full))?
                            }
                        };
                        if NODES {
                            object = here.id;
                        }
                        array = opens_array;
                        first = true;
                        p += 1;
                        skip(b, &mut p);
                        continue 'next;
                    }
                    b'-' | b'0'..=b'9' => {
                        let n = number::len(b, p);
                        if n == 0 {
                            return syntax(p);
                        }
                        p += n;
                        if flags != 0 || next_mark < p {
                            let site = (from, p);
                            self.value(&l, &mut mi, paths, depth, here, flags, Kind::Number, site);
                            next_mark = l.marks.get(mi).map_or(usize::MAX, |m| m.at());
                        }
                    }
                    _ => {
                        let n = match &b[p..p + 4] {
                            b"true" | b"null" => 4,
                            b"fals" if b[p + 4] == b'e' => 5,
                            _ => return syntax(p),
                        };
                        p += n;
                        if flags != 0 || next_mark < p {
                            let kind = match c {
                                b't' => Kind::True,
                                b'f' => Kind::False,
                                _ => Kind::Null,
                            };
                            self.value(&l, &mut mi, paths, depth, here, flags, kind, (from, p));
                            next_mark = l.marks.get(mi).map_or(usize::MAX, |m| m.at());
                        }
                    }
                }
            }

            // Behind a value, or in an empty container.
            loop {
                skip(b, &mut p);
                let c = b[p];
                if c == b',' && !first {
                    p += 1;
                    skip(b, &mut p);
                    continue 'next;
                }
                if c != if array { b']' } else { b'}' } {
                    return syntax(p);
                }
                p += 1;
                first = false;
                let frame = self.frames[depth];
                if !array && self.violation.is_none() && self.incomplete::<NODES>(paths, here.id, depth) {
                    self.violation =
                        Some(Violation { reason: Reason::Required, at: frame.start as usize });
                }
                depth -= 1;
                if depth == 0 {
                    break 'next;
                }
                if value_flags::<NODES>(paths, frame.owner) & flag::COMPARE != 0 {
                    self.compare::<NODES>(&l, paths, frame, p);
                }
                array = frame.array;
                object = frame.node;
                here = Here { id: frame.owner, key: frame.key };
                if NODES {
                    self.named.truncate(frame.named as usize);
                }
            }
        }
        skip(b, &mut p);
        if p != l.end {
            return stop(if p < l.end { Reason::Trailing } else { Reason::Unterminated }, p.min(l.end));
        }
        if qi != l.quotes.len() {
            return stop(Reason::Trailing, p);
        }
        Ok(())
    }

    /// By nodes: notes a field that the schema names, and tells whether it stands twice.
    #[cold]
    fn by_node(&mut self, depth: usize, node: u32, paths: &Paths) -> u16 {
        let frame = &mut self.frames[depth];
        frame.seen |= paths.nodes[node as usize].required_bit;
        let twice = self.named[frame.named as usize..].contains(&node);
        self.named.push(node);
        u16::from(twice) * flag::TWICE
    }

    /// Whether the object that closes lacks a required field. `id`: its last key's state.
    #[inline(always)]
    fn incomplete<const NODES: bool>(&self, paths: &Paths, id: u32, depth: usize) -> bool {
        if NODES {
            let frame = &self.frames[depth];
            let node = if depth == 1 { 0 } else { frame.owner };
            paths.required(node) & !frame.seen != 0
        } else {
            paths.states[id as usize].incomplete
        }
    }
}

/// What is to be done with the value at a state or node.
#[inline(always)]
fn value_flags<const NODES: bool>(paths: &Paths, id: u32) -> u16 {
    if NODES { paths.nodes[id as usize].flags } else { paths.states[id as usize].flags }
}

/// Skips white space; a newline ends the event.
#[inline(always)]
fn skip(b: &[u8], p: &mut usize) {
    if b[*p] <= b' ' {
        while matches!(b[*p], b' ' | b'\t' | b'\r') {
            *p += 1;
        }
    }
}
