//! From hits to marks: each gate's table tells which shapes may stand there.

use super::gate::{self, Gate};
use super::{Gates, Index, Mark, SIGNS};

/// Scratch space: the hits that the first look left, and the seldom gates' marks.
#[derive(Default)]
pub(super) struct Sieved {
    left: Vec<u32>,
    /// The marks of the gates that open seldom.
    seldom: Vec<Mark>,
}

impl Sieved {
    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        self.left.capacity() * size_of::<u32>() + self.seldom.capacity() * size_of::<Mark>()
    }
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
        let seldom = &mut self.sieved.seldom;
        seldom.clear();
        // The gate of the last hit, and where.
        let mut last = (Gate::At, 0);
        for &at in self.seldom.as_slice() {
            let at = at as usize;
            match buf[at] {
                sign @ (b'\\' | b'%') => seldom.push(Mark::new(at, SIGNS | u16::from(sign))),
                _ => {
                    // An address has many colons and one anchor.
                    if last.0 == Gate::Colon && same_groups(buf, last.1, at) {
                        last.1 = at;
                        continue;
                    }
                    if let Some((gate, anchor)) = gate::seldom(buf, at) {
                        gates.exact[gate as usize].find(buf, anchor, seldom);
                        last = (gate, at);
                    }
                }
            }
        }
        sort(marks);
        sort(seldom);
        merge(marks, seldom);
        marks.dedup();
        while marks.last().is_some_and(|m| m.at() >= end) {
            marks.pop();
        }
    }
}

impl Index {
    /// In text a control character, a no-break space or a colour may stand between a name and its
    /// sign, and a colour, which ends in a letter, before a token: adds the marks of these in
    /// `buf[start..end]`. Few texts have one, so the scan does not look for them.
    #[inline]
    pub(super) fn resolve_controls(
        &mut self,
        buf: &[u8],
        (start, end): (usize, usize),
        gates: &Gates,
    ) {
        let text = &buf[start..end];
        let plain = || self.highs.as_slice().is_empty() || memchr::memchr(0xc2, text).is_none();
        if self.controls.is_empty() && memchr::memchr(0x7f, text).is_none() && plain() {
            return;
        }
        self.beside_controls(buf, (start, end), gates);
    }

    #[cold]
    #[inline(never)]
    fn beside_controls(&mut self, buf: &[u8], (start, end): (usize, usize), gates: &Gates) {
        let (before, exact) = (self.marks.len(), &gates.exact[Gate::Assign as usize]);
        for at in memchr::memchr2_iter(b'=', b':', &buf[start..end]).map(|at| start + at) {
            let name = gate::before_controls(buf, at);
            if name < at {
                exact.find_beside(buf, name, at, &mut self.marks);
            }
        }
        for at in memchr::memchr_iter(b'm', &buf[start..end]).map(|at| start + at + 1) {
            if at < end && gate::colour_at_end(&buf[start..at]) > 0 {
                for gate in [Gate::Run, Gate::Caps, Gate::Colon, Gate::Literal] {
                    gates.exact[gate as usize].find_first(buf, at, &mut self.marks);
                }
            }
        }
        if self.marks.len() > before {
            sort(&mut self.marks);
            self.marks.dedup();
        }
    }
}

/// Each gate's marks come nearly in order.
fn sort(marks: &mut [Mark]) {
    if !marks.is_sorted() {
        marks.sort_unstable();
    }
}

/// Takes the sorted `others` into the sorted `marks`.
fn merge(marks: &mut Vec<Mark>, others: &[Mark]) {
    let (mut own, mut other) = (marks.len(), others.len());
    marks.extend_from_slice(others);
    for at in (0..marks.len()).rev() {
        if other == 0 {
            return;
        }
        if own > 0 && marks[own - 1] > others[other - 1] {
            own -= 1;
            marks[at] = marks[own];
        } else {
            other -= 1;
            marks[at] = others[other];
        }
    }
}

/// Whether only hex digits stand between a colon that opened the gate and the one at `at`.
fn same_groups(buf: &[u8], colon: usize, at: usize) -> bool {
    at - colon <= 5 && buf[at] == b':' && buf[colon + 1..at].iter().all(u8::is_ascii_hexdigit)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merged_is_sorted(a in prop::collection::vec(0usize..20, 0..9), b in prop::collection::vec(0usize..20, 0..9)) {
            let marks = |places: &[usize]| places.iter().map(|&at| Mark::new(at, 1)).collect::<Vec<_>>();
            let (mut own, mut others) = (marks(&a), marks(&b));
            let mut wanted = [own.clone(), others.clone()].concat();
            wanted.sort_unstable();
            sort(&mut own);
            sort(&mut others);
            merge(&mut own, &others);
            prop_assert_eq!(own, wanted);
        }
    }
}
