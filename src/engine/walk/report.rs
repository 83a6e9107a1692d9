//! What the walk does at the few values that have flags or marks: asks the schema, reports sites.

use std::ops::Range;

use super::{Frame, Here, Line, Violation, Walk};
use crate::engine::decode;
use crate::engine::index::ESCAPE;
use crate::engine::outcome::Reason;
use crate::engine::path::{Paths, flag, globs::Globs};
use crate::engine::schema::{Contract as _, Literal, NodeId};

/// What a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Key,
    Number,
    True,
    False,
    Null,
    Object,
    Array,
}

/// A string, key or number to be judged.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) kind: Kind,
    /// Raw content, without quotes.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The path's flags.
    pub(crate) flags: u16,
    /// Its marks, in the line's.
    pub(crate) marks: Range<u32>,
    /// The keys from the event's root to here, in [`Walk::keys`]; the last is the value's own.
    pub(crate) path: Range<u32>,
    /// Where its object or array opens: sites of one container share it.
    pub(crate) container: u32,
    /// Where its row of globs stands in [`Walk::rows`].
    row: u32,
}

impl Walk {
    /// Forgets the last event.
    #[inline(always)]
    pub(super) fn begin(&mut self, nodes: bool) {
        self.sites.clear();
        self.keys.clear();
        self.rows.clear();
        self.violation = None;
        self.asked.clear();
        self.walking_nodes = nodes;
        if nodes {
            self.named.clear();
        }
    }

    /// By nodes: notes a field that the schema names, and tells whether it stands twice.
    pub(super) fn by_node(&mut self, depth: usize, node: u32, paths: &Paths) -> u16 {
        let frame = &mut self.frames[depth];
        let bit = paths.nodes[node as usize].required_bit;
        let twice = if bit != 0 {
            let twice = frame.seen & bit != 0;
            frame.seen |= bit;
            twice
        } else {
            let twice = self.named[frame.named as usize..].contains(&node);
            self.named.push(node);
            twice
        };
        u16::from(twice) * flag::TWICE
    }

    /// The value `raw` of `here`, and its key: schema checks, then sites. The mark that comes next.
    #[expect(clippy::too_many_arguments, reason = "the walk's registers, not a concept")]
    #[inline(never)]
    pub(super) fn value(
        &mut self,
        l: &Line<'_>,
        mark: usize,
        paths: &Paths,
        depth: usize,
        here: Here,
        flags: u16,
        kind: Kind,
        raw: (usize, usize),
    ) -> usize {
        let (start, end) = raw;
        let upto = |from: usize, place: usize| {
            from + l.marks[from..].iter().take_while(|m| m.at() < place).count()
        };
        // Marks up to the value belong to its key, or to no string at all.
        let key_marks = upto(mark, here.key.0 as usize)..upto(mark, here.key.1 as usize);
        let value_marks = upto(mark, start)..upto(mark, end);
        let behind = value_marks.end;
        let container = self.frames[depth].start;

        if flags & (flag::CHECK | flag::FORBIDDEN | flag::TWICE) != 0 && self.violation.is_none() {
            let escaped = l.marks[value_marks.clone()].iter().any(|m| m.id() == ESCAPE);
            self.check(l, paths, here.id, flags, kind, start..end, escaped);
        }
        let in_array = self.frames[depth].start as usize > here.key.1 as usize;
        if (!key_marks.is_empty() || flags & flag::SEARCH != 0) && !in_array {
            let (s, e) = here.key;
            self.site(paths, depth, here, Kind::Key, s, e, flags, key_marks, container);
        }
        let reported = match kind {
            Kind::String | Kind::Number => {
                !value_marks.is_empty() || flags & (flag::REPORT | flag::OTHER) != 0
            }
            Kind::Object | Kind::Array => flags & flag::MEMBER != 0,
            _ => flags & flag::WHOLE != 0,
        };
        if reported {
            let (s, e) = (start as u32, end as u32);
            self.site(paths, depth, here, kind, s, e, flags, value_marks, container);
        }
        behind
    }

    /// The row of globs of a site.
    #[inline]
    pub(crate) fn row(&self, globs: &Globs, site: &Site) -> &[u64] {
        match globs.words() {
            0 => &[],
            words => &self.rows[site.row as usize..][..words],
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a site's fields")]
    fn site(
        &mut self,
        paths: &Paths,
        depth: usize,
        here: Here,
        kind: Kind,
        start: u32,
        end: u32,
        flags: u16,
        marks: Range<usize>,
        container: u32,
    ) {
        let from = self.keys.len() as u32;
        for frame in &self.frames[2..=depth.max(1)] {
            if frame.key.1 != 0 && !frame.array {
                self.keys.push(frame.key);
            }
        }
        if here.key.1 != 0 && self.keys[from as usize..].last() != Some(&here.key) {
            self.keys.push(here.key);
        }
        let path = from..self.keys.len() as u32;
        let marks = marks.start as u32..marks.end as u32;
        let row = self.rows.len() as u32;
        if paths.has_globs() {
            self.rows.extend_from_slice(paths.row(self.node(paths, here.id)));
        }
        self.sites.push(Site { kind, start, end, flags, marks, path, container, row });
    }

    #[expect(clippy::too_many_arguments, reason = "the walk's registers, not a concept")]
    #[inline]
    fn check(
        &mut self,
        l: &Line<'_>,
        paths: &Paths,
        id: u32,
        flags: u16,
        kind: Kind,
        raw: Range<usize>,
        escaped: bool,
    ) {
        let Some(schema) = &self.held.schema else { return };
        let node = self.schema_node(paths, id);
        let result = if flags & flag::TWICE != 0 {
            Err(Reason::DuplicateKey)
        } else if flags & flag::FORBIDDEN != 0 {
            Err(Reason::AdditionalProperties)
        } else {
            let text = &l.buf[raw.clone()];
            match kind {
                Kind::String if escaped => {
                    self.scratch.clear();
                    match decode::unescape(text, &mut self.scratch, &mut self.map) {
                        Ok(()) => schema.check_string(node, &self.scratch),
                        // The engine finds the broken escape when it judges the site.
                        Err(_) => Ok(()),
                    }
                }
                Kind::String => schema.check_string(node, text),
                Kind::Number => schema.check_number(node, text),
                Kind::True => schema.check_literal(node, Literal::True),
                Kind::False => schema.check_literal(node, Literal::False),
                Kind::Null => schema.check_literal(node, Literal::Null),
                Kind::Object => schema.check_object(node),
                Kind::Array => schema.check_array(node),
                Kind::Key => Ok(()),
            }
        };
        if let Err(reason) = result {
            self.violation = Some(Violation { reason, at: raw.start });
        }
    }

    /// The node for a value. By nodes, an id is a node; by states, a state has one.
    fn node(&self, paths: &Paths, id: u32) -> u32 {
        if self.walking_nodes { id } else { paths.states[id as usize].node }
    }

    fn schema_node(&self, paths: &Paths, id: u32) -> NodeId {
        paths.nodes[self.node(paths, id) as usize].schema
    }

    /// A container closes before `end` that was reported, or is compared.
    #[cold]
    pub(super) fn closed(
        &mut self,
        l: &Line<'_>,
        paths: &Paths,
        frame: Frame,
        flags: u16,
        end: usize,
    ) {
        if flags & flag::MEMBER != 0 {
            // Sites stand in the order of the event.
            let at = self.sites.partition_point(|site| site.start < frame.start);
            if let Some(site) = self.sites.get_mut(at).filter(|s| s.start == frame.start) {
                site.end = end as u32;
            }
        }
        if flags & flag::COMPARE != 0 {
            self.compare(l, paths, frame, end);
        }
    }

    /// Asks the schema about the event itself: a whole object, whose type it may not allow, or which
    /// may not be one of its `enum`.
    #[inline(never)]
    pub(super) fn check_event(&mut self, l: &Line<'_>) {
        let Some(schema) = &self.held.schema else { return };
        let root = schema.root();
        // What is in it does not matter where it may not stand at all.
        let result = schema.check_object(root).and_then(|()| {
            if self.violation.is_some() || !schema.compares_containers(root) {
                return Ok(());
            }
            schema.check_container(root, l.buf[l.start..l.end].trim_ascii_end())
        });
        if let Err(reason) = result {
            self.violation = Some(Violation { reason, at: l.start });
        }
    }

    /// Compares the container that closes before `end` with the schema's `enum` or `const`.
    fn compare(&mut self, l: &Line<'_>, paths: &Paths, frame: Frame, end: usize) {
        let Some(schema) = &self.held.schema else { return };
        let start = frame.start as usize;
        let node = self.schema_node(paths, frame.owner);
        if let Err(reason) = schema.check_container(node, &l.buf[start..end])
            && self.violation.is_none()
        {
            self.violation = Some(Violation { reason, at: start });
        }
    }
}
