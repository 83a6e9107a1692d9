//! Path globs, `user.*.email`, compiled so that a path's place in all of them is one row of bits.
//!
//! A bit stands for a place in a glob: the segments before it are matched. A key moves the bits of
//! the object's row on; a path keeps its row, so an event of known paths computes nothing. What lies
//! below a match is matched, too.

use super::flag;

/// The most segments that all globs have, with one more for each glob: a row is 128 bytes at most.
const MOST: usize = 1024;

/// What the rule of a glob does with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It speaks of what detectors find there.
    Findings,
    /// It keeps the value from detectors.
    Keep,
    /// It counts the value.
    Look,
    /// It takes the value.
    Take {
        /// A container at once, not only what is in it.
        containers: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(Vec<u8>),
    /// `*`: one key, or one index.
    One,
    /// `**`: any number of keys and indexes, also none.
    Many,
    /// Behind the last segment of the glob with this number.
    End(u16),
}

/// Globs, compiled.
#[derive(Debug, Default)]
pub(crate) struct Globs {
    segments: Vec<Segment>,
    /// Which bits stand behind a whole glob.
    ends: Vec<u64>,
    start: Vec<u64>,
    holds: Vec<Hold>,
}

/// The segments of a glob, or what is wrong with it and the fix.
pub fn segments(glob: &str) -> Result<Vec<&str>, String> {
    let all: Vec<_> = glob.split('.').collect();
    let wrong = |segment: &&&str| segment.is_empty() || segment.contains('*') && !is_star(segment);
    let Some(segment) = all.iter().find(wrong) else { return Ok(all) };
    if segment.is_empty() {
        return Err("an empty segment: write keys with one dot between, `user.*.email`".into());
    }
    if let Some(key) = segment.split_once("[").map(|(key, _)| key) {
        return Err(format!("arrays are reached through: write `{key}`, or `{key}.*`"));
    }
    Err(format!("`{segment}`: `*` and `**` stand alone between dots"))
}

fn is_star(segment: &str) -> bool {
    segment == "*" || segment == "**"
}

impl Globs {
    /// Compiles globs, each with what its rule does; their numbers are their places in `all`.
    pub(crate) fn new(all: &[(Option<&str>, Hold)]) -> Result<Self, String> {
        let mut globs = Self::default();
        let mut starts = Vec::new();
        for (number, &(glob, hold)) in all.iter().enumerate() {
            globs.holds.push(hold);
            let Some(glob) = glob else { continue };
            starts.push(globs.segments.len());
            globs.segments.extend(segments(glob)?.into_iter().map(|segment| match segment {
                "*" => Segment::One,
                "**" => Segment::Many,
                key => Segment::Key(key.as_bytes().to_vec()),
            }));
            let number = u16::try_from(number).map_err(|_| "too many rules")?;
            globs.segments.push(Segment::End(number));
        }
        if globs.segments.len() > MOST {
            return Err(format!("all paths together have more than {MOST} segments"));
        }
        let words = globs.segments.len().div_ceil(64);
        (globs.start, globs.ends) = (vec![0; words], vec![0; words]);
        for (at, _) in globs.segments.iter().enumerate().filter(|s| matches!(s.1, Segment::End(_)))
        {
            globs.ends[at / 64] |= 1 << (at % 64);
        }
        let mut start = std::mem::take(&mut globs.start);
        starts.into_iter().for_each(|at| globs.reach(at, &mut start));
        globs.start = start;
        Ok(globs)
    }

    /// The words of a row; 0 where there are no globs.
    #[inline(always)]
    pub(crate) fn words(&self) -> usize {
        self.start.len()
    }

    /// The row of the event itself.
    pub(crate) fn start(&self) -> &[u64] {
        &self.start
    }

    /// The part of the event's own row that belongs to the globs that `wanted` takes, by number.
    pub(crate) fn start_of(&self, wanted: impl Fn(usize) -> bool) -> Vec<u64> {
        let (mut row, mut first) = (vec![0; self.words()], 0);
        for (at, segment) in self.segments.iter().enumerate() {
            if let Segment::End(number) = segment {
                if wanted(usize::from(*number)) {
                    self.reach(first, &mut row);
                }
                first = at + 1;
            }
        }
        row
    }

    /// The row of the member `key` (decoded) of the object whose row is `from`, into `to`. A dotted
    /// key counts as one key, and as a path.
    pub(crate) fn member(&self, from: &[u64], key: &[u8], to: &mut [u64], spare: &mut Vec<u64>) {
        to.fill(0);
        self.step(from, Some(key), to);
        if !key.contains(&b'.') {
            return;
        }
        spare.clear();
        spare.extend_from_slice(from);
        spare.resize(2 * from.len(), 0);
        let (now, next) = spare.split_at_mut(from.len());
        for part in key.split(|&b| b == b'.') {
            next.fill(0);
            self.step(now, Some(part), next);
            now.copy_from_slice(next);
        }
        to.iter_mut().zip(now).for_each(|(to, now)| *to |= *now);
    }

    /// The row of the elements of the array whose row is `from`, into `to`: they are reached
    /// through, and have an index each.
    pub(crate) fn element(&self, from: &[u64], to: &mut [u64]) {
        to.copy_from_slice(from);
        self.step(from, None, to);
    }

    fn step(&self, from: &[u64], key: Option<&[u8]>, to: &mut [u64]) {
        for at in bits(from) {
            match &self.segments[at] {
                Segment::Key(wanted) if key != Some(wanted) => {}
                Segment::Key(_) | Segment::One => self.reach(at + 1, to),
                Segment::Many | Segment::End(_) => self.reach(at, to),
            }
        }
    }

    fn reach(&self, mut at: usize, row: &mut [u64]) {
        row[at / 64] |= 1 << (at % 64);
        while self.segments[at] == Segment::Many {
            at += 1;
            row[at / 64] |= 1 << (at % 64);
        }
    }

    /// The globs that hold where the row is `row`, the first one first.
    pub(crate) fn holding<'a>(&'a self, row: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
        let ends = row.iter().zip(&self.ends).enumerate();
        let at =
            ends.flat_map(|(word, (row, ends))| ones(row & ends).map(move |bit| 64 * word + bit));
        at.filter_map(|at| match self.segments.get(at) {
            Some(Segment::End(number)) => Some(usize::from(*number)),
            _ => None,
        })
    }

    /// The first glob that holds there and whose rule speaks of the value as a whole.
    pub(crate) fn whole(&self, row: &[u64]) -> Option<usize> {
        self.holding(row).find(|&number| self.holds[number] != Hold::Findings)
    }

    /// What is to be done with a value there.
    pub(super) fn flags(&self, row: &[u64], spare: &mut Vec<u64>) -> u16 {
        let mut flags = self.own_flags(row);
        spare.clear();
        spare.extend_from_slice(row);
        spare.resize(2 * row.len(), 0);
        let (now, next) = spare.split_at_mut(row.len());
        // Elements of elements, until nothing new holds there.
        loop {
            self.element(now, next);
            if now == next {
                return flags;
            }
            if self.own_flags(next) != 0 {
                flags |= flag::ELEMENTS;
            }
            now.copy_from_slice(next);
        }
    }

    fn own_flags(&self, row: &[u64]) -> u16 {
        match self.whole(row).map(|number| self.holds[number]) {
            None | Some(Hold::Keep | Hold::Findings) => 0,
            Some(Hold::Look) => flag::LOOK,
            Some(Hold::Take { containers: false }) => flag::WHOLE,
            Some(Hold::Take { containers: true }) => flag::WHOLE | flag::MEMBER,
        }
    }
}

fn bits(row: &[u64]) -> impl Iterator<Item = usize> + '_ {
    row.iter().enumerate().flat_map(|(word, &row)| ones(row).map(move |bit| 64 * word + bit))
}

fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `glob` holds at a path of keys; `None` is an element.
    fn holds(glob: &str, path: &[Option<&str>]) -> bool {
        let globs = Globs::new(&[(Some(glob), Hold::Keep)]).unwrap();
        let (mut row, mut spare) = (globs.start().to_vec(), Vec::new());
        for step in path {
            let mut next = vec![0; globs.words()];
            match step {
                Some(key) => globs.member(&row, key.as_bytes(), &mut next, &mut spare),
                None => globs.element(&row, &mut next),
            }
            row = next;
        }
        globs.whole(&row).is_some()
    }

    #[test]
    fn globs_hold_at_their_paths_and_below() {
        for (glob, path, wanted) in [
            ("a", &["a"][..], true),
            ("a", &["b"], false),
            ("a", &["a", "b", "c"], true),
            ("a", &["b", "a"], false),
            ("a.b", &["a"], false),
            ("a.*.c", &["a", "b", "c"], true),
            ("a.*.c", &["a", "c"], false),
            ("a.*.c", &["a", "b", "b", "c"], false),
            ("**.c", &["c"], true),
            ("**.c", &["a", "b", "c"], true),
            ("**.headers.*", &["headers"], false),
            ("**.headers.*", &["x", "headers", "cookie"], true),
            ("a.**.c", &["a", "c"], true),
            ("a.**.c", &["a", "b", "b", "c"], true),
            ("a.**.c", &["b", "c"], false),
            ("**", &["a"], true),
            ("a.**.**.c", &["a", "c"], true),
            // Elements are reached through, and have an index.
            ("a.b", &["a", "[]", "b"], true),
            ("a.*.b", &["a", "[]", "b"], true),
            ("a.*", &["a", "[]"], true),
            ("a.*", &["a"], false),
            ("a.*.*.b", &["a", "[]", "[]", "b"], true),
            // A dotted key is one key, and a path.
            ("db.password", &["db.password"], true),
            ("db.*", &["db.password"], true),
            ("*", &["db.password"], true),
            ("db.a.b", &["db.a", "b"], true),
            ("db.a", &["x.db.a"], false),
            ("**.a", &["x.db.a"], true),
            ("db", &["db.password"], true),
        ] {
            let path: Vec<_> = path.iter().map(|&k| (k != "[]").then_some(k)).collect();
            assert_eq!(holds(glob, &path), wanted, "{glob} at {path:?}");
        }
    }

    #[test]
    fn what_is_no_glob_is_told_with_its_mend() {
        for (glob, wanted) in [
            ("", "an empty segment"),
            ("a..b", "an empty segment"),
            (".a", "an empty segment"),
            ("a[*].b", "arrays are reached through: write `a`, or `a.*`"),
            ("a.head*", "`head*`: `*` and `**` stand alone"),
            ("***", "`***`: `*`"),
        ] {
            let what = segments(glob).unwrap_err();
            assert!(what.starts_with(wanted), "{glob}: {what}");
        }
    }

    #[test]
    fn many_globs_share_a_row() {
        let names: Vec<_> = (0..40).map(|n| format!("a.k{n}.**.z")).collect();
        let all: Vec<_> = names.iter().map(|n| (Some(n.as_str()), Hold::Findings)).collect();
        let globs = Globs::new(&all).unwrap();
        assert_eq!(globs.words(), 4);
        let (mut row, mut next) = (globs.start().to_vec(), vec![0; 4]);
        for key in ["a", "k37", "y", "z"] {
            globs.member(&row, key.as_bytes(), &mut next, &mut Vec::new());
            row.copy_from_slice(&next);
        }
        assert_eq!(globs.holding(&row).collect::<Vec<_>>(), [37]);
    }
}
