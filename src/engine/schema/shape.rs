//! Patterns that are but classes and counts (`^[0-9a-f]{32}$`, `^[a-z][a-z0-9_]*$`), as
//! range checks of whole words.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::word::{splat, word};

/// The top bit of every byte of a word.
const TOPS: u64 = splat(0x80);

/// A set of ASCII bytes as at most four ranges, for eight bytes at a time.
///
/// A byte below 0x80 is at least `low` if adding `0x80 - low` sets its top bit, and above `high` if
/// adding `0x7f - high` does; no sum leaves its byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ranges {
    /// For each range, the two numbers to add; of the array only the first `len` count.
    add: [(u64, u64); 4],
    len: usize,
    /// A byte of the set, to fill up a word with.
    member: u8,
}

impl Ranges {
    /// `None` where there are none, more than four, or one beyond ASCII.
    fn new(ranges: &[(u32, u32)]) -> Option<Self> {
        if ranges.is_empty() || ranges.len() > 4 {
            return None;
        }
        let mut add = [(0, 0); 4];
        for (sums, &(low, high)) in add.iter_mut().zip(ranges) {
            let (low, high) = (u8::try_from(low).ok()?, u8::try_from(high).ok()?);
            *sums = (splat(0x80u8.checked_sub(low)?), splat(0x7fu8.checked_sub(high)?));
        }
        Some(Self { add, len: ranges.len(), member: ranges[0].0 as u8 })
    }

    /// Whether all of `s` is in the set.
    #[inline]
    fn all(&self, s: &[u8]) -> bool {
        match self.len {
            1 => self.all_of::<1>(s),
            2 => self.all_of::<2>(s),
            3 => self.all_of::<3>(s),
            _ => self.all_of::<4>(s),
        }
    }

    /// The same with the number of ranges known, and without an exit inside a loop: straight code
    /// that the compiler unrolls and vectorises.
    fn all_of<const N: usize>(&self, s: &[u8]) -> bool {
        let Some(add) = self.add.first_chunk::<N>() else { return false };
        // The top bit of each byte: set if the byte is ASCII and within a range.
        let within = |w: u64| {
            let low = w & !TOPS;
            let hit = add.iter().fold(0, |hit, (from, past)| hit | ((low + from) & !(low + past)));
            hit & !w
        };
        let Some(last) = s.last_chunk::<8>() else {
            return within(word(s, self.member)) & TOPS == TOPS;
        };
        let (blocks, rest) = s.as_chunks::<8>();
        let ok = blocks.iter().fold(TOPS, |ok, b| ok & within(u64::from_le_bytes(*b)));
        // What is left over is judged with the bytes before it, as a whole word.
        ok & (if rest.is_empty() { TOPS } else { within(u64::from_le_bytes(*last)) }) == TOPS
    }
}

/// A run of bytes of one set.
#[derive(Debug, Clone, Copy)]
struct Run {
    set: Ranges,
    len: usize,
}

/// Runs of fixed length, then one of any length between two bounds.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    fixed: Box<[Run]>,
    tail: Option<Ranges>,
    min: usize,
    max: usize,
}

/// More runs than this are left to the regex engine.
const MAX_RUNS: usize = 16;

impl Shape {
    /// The shape of a whole pattern; `None` if it is anything else than `^`, runs and `$`.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let [first, middle @ .., last] = &parts[..] else { return None };
        let anchored = matches!(first.kind(), HirKind::Look(Look::Start))
            && matches!(last.kind(), HirKind::Look(Look::End));
        if !anchored {
            return None;
        }
        let mut shape = Self { fixed: Box::default(), tail: None, min: 0, max: 0 };
        let mut fixed = Vec::new();
        for part in middle {
            shape.add(part, &mut fixed)?;
        }
        (fixed.len() <= MAX_RUNS).then(|| Self { fixed: fixed.into(), ..shape })
    }

    fn add(&mut self, part: &Hir, fixed: &mut Vec<Run>) -> Option<()> {
        match part.kind() {
            HirKind::Capture(group) => return self.add(&group.sub, fixed),
            HirKind::Concat(parts) => return parts.iter().try_for_each(|p| self.add(p, fixed)),
            _ => {}
        }
        if self.tail.is_some() {
            return None; // a variable run in the middle has more than one reading
        }
        match part.kind() {
            HirKind::Literal(text) => {
                for &b in &text.0 {
                    let set = Ranges::new(&[(b.into(), b.into())])?;
                    self.run(fixed, set, 1)?;
                }
                Some(())
            }
            HirKind::Class(class) => self.run(fixed, ranges(class)?, 1),
            HirKind::Repetition(r) => {
                let set = single(&r.sub)?;
                let (min, max) = (r.min as usize, r.max.map_or(usize::MAX, |m| m as usize));
                if min == max {
                    return self.run(fixed, set, min);
                }
                self.tail = Some(set);
                self.min = self.min.checked_add(min)?;
                self.max = self.max.saturating_add(max);
                Some(())
            }
            _ => None,
        }
    }

    fn run(&mut self, fixed: &mut Vec<Run>, set: Ranges, len: usize) -> Option<()> {
        self.min = self.min.checked_add(len)?;
        self.max = self.max.checked_add(len)?;
        match fixed.last_mut() {
            Some(run) if run.set == set => run.len += len,
            _ => fixed.push(Run { set, len }),
        }
        Some(())
    }

    /// Whether `s` has the shape.
    pub(super) fn matches(&self, s: &[u8]) -> bool {
        if s.len() < self.min || s.len() > self.max {
            return false;
        }
        let (mut rest, mut ok) = (s, true);
        for run in &self.fixed {
            // `min` is the sum of the runs at least, so there is enough left.
            let Some((head, tail)) = rest.split_at_checked(run.len) else { return false };
            ok &= run.set.all(head);
            rest = tail;
        }
        ok & self.tail.is_none_or(|set| set.all(rest))
    }
}

/// The set of a part that is one byte long.
fn single(hir: &Hir) -> Option<Ranges> {
    match hir.kind() {
        HirKind::Class(class) => ranges(class),
        HirKind::Literal(text) => match text.0[..] {
            [b] => Ranges::new(&[(b.into(), b.into())]),
            _ => None,
        },
        HirKind::Capture(group) => single(&group.sub),
        _ => None,
    }
}

fn ranges(class: &Class) -> Option<Ranges> {
    let all: Vec<(u32, u32)> = match class {
        Class::Unicode(c) => c.iter().map(|r| (r.start().into(), r.end().into())).collect(),
        Class::Bytes(c) => c.iter().map(|r| (r.start().into(), r.end().into())).collect(),
    };
    Ranges::new(&all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(pattern: &str) -> Option<Shape> {
        Shape::of(&regex_syntax::parse(pattern).unwrap())
    }

    const SHAPES: [&str; 14] = [
        "^[0-9a-f]{32}$",
        "^[0-9a-f]{16}$",
        "^[a-z][a-z0-9_]*$",
        "^[a-z][a-z0-9_]*?$",
        "^[a-z]+$",
        "^[A-Za-z0-9_]{2,40}$",
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "^(?:req|res)?$", // alternation: no shape
        "^user-[0-9]{1,18}$",
        "^a*$",
        "^[0-9]{3}[0-9]{2}[0-9]*$",
        "^([a-z]{2})-([A-Z]{2})$",
        "^v[0-9]$",
        "^[a-c]{17,40}$",
    ];

    #[test]
    fn which_are_shapes() {
        for p in SHAPES {
            assert_eq!(shape(p).is_some(), !p.contains('|'), "{p}");
        }
        for p in [
            "[a-z]+",
            "^[a-z]+",
            "[a-z]+$",
            "^[a-z]*[0-9]$",
            "^[^a]$",
            "^.$",
            "^é$",
            "^(ab)+$",
            "(?m)^a+$",
            "^[acegi]$",
        ] {
            assert!(shape(p).is_none(), "{p}");
        }
    }

    proptest! {
        #[test]
        fn like_the_regex(i in 0..SHAPES.len(), s in "[a-f0-9]{14,36}|[a-z0-9_A-Z-]{0,50}|[a-cé]{10,42}|user-[0-9]{0,20}|a*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-fg]{11,12}") {
            let p = SHAPES[i];
            if let Some(shape) = shape(p) {
                prop_assert_eq!(shape.matches(s.as_bytes()), regex::Regex::new(p).unwrap().is_match(&s));
            }
        }

        #[test]
        fn one_byte_off(
            (p, s) in prop::sample::select(&SHAPES[..]).prop_flat_map(|p| {
                let inner = p.trim_start_matches('^').trim_end_matches('$');
                (Just(p), proptest::string::string_regex(inner).unwrap())
            }),
            at in any::<prop::sample::Index>(),
            b in 0u8..128,
        ) {
            let (Some(shape), Ok(regex)) = (shape(p), regex::Regex::new(p)) else { return Ok(()) };
            prop_assert!(shape.matches(s.as_bytes()));
            let mut s = s.into_bytes();
            if !s.is_empty() {
                let i = at.index(s.len());
                s[i] = b;
                let text = String::from_utf8(s).unwrap();
                prop_assert_eq!(shape.matches(text.as_bytes()), regex.is_match(&text));
            }
        }
    }
}
