//! From hits to marks: each gate's table tells which shapes may stand there.

use super::gate::{self, Gate};
use super::{ESCAPE, Gates, Index, Mark, PERCENT};

/// Where gates opened, and those of the places that the first look left.
#[derive(Default)]
pub(super) struct Sieved {
    left: Vec<u32>,
}

impl Index {
    /// The gates that opened, for `explain`: place (as the gate reports it) and gate.
    pub(crate) fn hits<'a>(&'a self, buf: &'a [u8]) -> impl Iterator<Item = (usize, Gate)> + 'a {
        let often = self.often.as_slice().iter().map(|&at| gate::often(buf, at as usize));
        let seldom = self.seldom.as_slice().iter().filter_map(|&at| gate::seldom(buf, at as usize));
        let literals = self.literals.as_slice().iter().map(|&at| (Gate::Literal, at as usize));
        often.chain(seldom).chain(literals).map(|(gate, anchor)| (anchor, gate))
    }

    /// Looks every hit up in its gate's table. Compiled for any processor: an instruction set with
    /// gathers has the compiler use them, which costs more than the loads.
    #[inline(never)]
    pub(super) fn resolve(&mut self, buf: &[u8], end: usize, gates: &Gates) {
        let marks = &mut self.marks;
        let often = |at: u32| gate::often(buf, at as usize);
        for &at in self.sieved.first_look(buf, self.often.as_slice(), gates, often) {
            let (gate, anchor) = often(at);
            gates.exact[gate as usize].find(buf, anchor, marks);
        }
        let literal = |at: u32| (Gate::Literal, at as usize);
        for &at in self.sieved.first_look(buf, self.literals.as_slice(), gates, literal) {
            gates.exact[Gate::Literal as usize].find(buf, at as usize, marks);
        }
        let mut last = (Gate::Colon, usize::MAX);
        for &at in self.seldom.as_slice() {
            let at = at as usize;
            match buf[at] {
                b'\\' => marks.push(Mark::new(at, ESCAPE)),
                b'%' => marks.push(Mark::new(at, PERCENT)),
                _ => {
                    // An address has many colons and one anchor.
                    let found = gate::seldom(buf, at).filter(|found| *found != last);
                    if let Some((gate, anchor)) = found {
                        gates.exact[gate as usize].find(buf, anchor, marks);
                        last = (gate, anchor);
                    }
                }
            }
        }
        marks.sort_unstable();
        marks.dedup();
        while marks.last().is_some_and(|m| m.at() >= end) {
            marks.pop();
        }
    }
}

impl Sieved {
    /// The hits that the tables' first look leaves: few. No branch depends on the data, for no
    /// processor would foresee it.
    #[inline(always)]
    fn first_look(
        &mut self,
        buf: &[u8],
        hits: &[u32],
        gates: &Gates,
        place: impl Fn(u32) -> (Gate, usize),
    ) -> &[u32] {
        if self.left.len() < hits.len() {
            self.left.resize(hits.len().next_power_of_two(), 0);
        }
        let mut n = 0;
        for &hit in hits {
            let (gate, anchor) = place(hit);
            self.left[n] = hit;
            n += usize::from(gates.exact[gate as usize].may_find(buf, anchor));
        }
        &self.left[..n]
    }
}
