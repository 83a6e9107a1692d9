//! How a pass begins, and what must be true at its end.

use super::pass::{Pass, stop};
use super::{Frame, Full, Here, Line, Step, Walk};
use crate::engine::outcome::Reason;
use crate::engine::path::Paths;

impl<'a, const NODES: bool> Pass<'a, NODES> {
    /// A pass that has not begun.
    #[inline(always)]
    fn new(walk: &'a mut Walk, paths: &'a mut Paths, line: &Line<'a>) -> Self {
        walk.begin(NODES);
        let (state, node) = (paths.roots.state(), paths.roots.node());
        let here = Here { id: if NODES { node } else { state }, key: (0, 0) };
        walk.frames[1] = Frame { start: line.start as u32, ..Frame::default() };
        let mark_at = line.marks.first().map_or(usize::MAX, |m| m.at());
        // Field by field: to copy it whole right after it was made waits for the stores of its fields.
        let Line { buf, start, end, quotes, marks } = *line;
        Self {
            walk,
            paths,
            line: Line { buf, start, end, quotes, marks },
            at: line.start,
            quote: 0,
            mark: 0,
            mark_at,
            depth: 1,
            array: false,
            first: true,
            here,
            object: node,
        }
    }

    /// Walks one event.
    #[inline(always)]
    pub(super) fn over(walk: &'a mut Walk, paths: &'a mut Paths, line: &Line<'a>) -> Step<()> {
        let mut pass = Self::new(walk, paths, line);
        if line.buf[line.start] != b'{' {
            return pass.syntax();
        }
        pass.at += 1;
        pass.skip();
        let whole = pass.members();
        if !line.quotes.len().is_multiple_of(2) {
            return match whole {
                Ok(()) => stop(Reason::Trailing, pass.at),
                Err(Ok(_)) => stop(Reason::Unterminated, line.end),
                full => full,
            };
        }
        whole?;
        pass.skip();
        if pass.at != line.end {
            let over = pass.at > line.end;
            return stop(if over { Reason::Unterminated } else { Reason::Trailing }, pass.at);
        }
        if pass.quote != line.quotes.len() {
            return stop(Reason::Trailing, pass.at);
        }
        Ok(())
    }

    /// Walks the object or array that begins the line, whatever follows it. Returns where it ends.
    pub(super) fn prefix(walk: &'a mut Walk, paths: &'a mut Paths, line: &Line<'a>) -> Step<usize> {
        let mut pass = Self::new(walk, paths, line);
        match line.buf[line.start] {
            b'{' => {}
            b'[' => {
                pass.array = true;
                let root = pass.here.id;
                let element = if NODES {
                    pass.paths.elem_node(root, pass.depth as u32)
                } else {
                    pass.paths.elem(root)
                };
                pass.here.id = element.ok_or(Err(Full))?;
            }
            _ => return pass.syntax(),
        }
        pass.at += 1;
        pass.skip();
        pass.members()?;
        if pass.at > line.end {
            return stop(Reason::Unterminated, line.end);
        }
        Ok(pass.at)
    }
}
