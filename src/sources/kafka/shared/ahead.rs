//! Records of a partition that are durable although earlier ones are not. They are read again
//! together with those, but not sent again.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::records::Piece;

/// The maximum number of remembered ranges of records, and of lines. The rest may be sent twice.
const MOST: usize = 1 << 16;

/// Durable records, and durable lines of records.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Ranges from the key up to the value.
    runs: BTreeMap<i64, i64>,
    lines: BTreeSet<(i64, u32)>,
}

impl Ahead {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.lines.is_empty()
    }

    pub(super) fn has(&self, piece: Piece) -> bool {
        match piece {
            Piece { offset, line: None } => {
                self.runs.range(..=offset).next_back().is_some_and(|(_, end)| offset < *end)
            }
            Piece { offset, line: Some(line) } => self.lines.contains(&(offset, line)),
        }
    }

    pub(super) fn insert(&mut self, piece: Piece) {
        if self.has(piece) {
            return;
        }
        let Piece { offset, line } = piece;
        if let Some(line) = line {
            if self.lines.len() < MOST {
                self.lines.insert((offset, line));
            }
            return;
        }
        let end = self.runs.remove(&(offset + 1)).unwrap_or(offset + 1);
        let room = self.runs.len() < MOST;
        match self.runs.range_mut(..=offset).next_back() {
            Some((_, before)) if *before == offset => *before = end,
            _ if room => drop(self.runs.insert(offset, end)),
            _ => {}
        }
    }

    /// Forgets everything before this offset, because it is acknowledged.
    pub(super) fn forget_before(&mut self, offset: i64) {
        if self.is_empty() {
            return;
        }
        let last = self.runs.range(..offset).next_back().map(|(_, end)| *end);
        self.runs = self.runs.split_off(&offset);
        if let Some(end) = last.filter(|end| *end > offset) {
            self.runs.insert(offset, end);
        }
        self.lines = self.lines.split_off(&(offset, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(offset: i64) -> Piece {
        Piece { offset, line: None }
    }

    #[test]
    fn runs_grow_together_and_what_is_before_goes() {
        let mut ahead = Ahead::default();
        for offset in [5, 7, 6, 9, 3, 9] {
            ahead.insert(own(offset));
        }
        assert_eq!(ahead.runs, [(3, 4), (5, 8), (9, 10)].into());
        let has: Vec<_> = (0..12).filter(|offset| ahead.has(own(*offset))).collect();
        assert_eq!(has, [3, 5, 6, 7, 9]);
        let line = |offset, line| Piece { offset, line: Some(line) };
        ahead.insert(line(6, 2));
        ahead.insert(line(9, 1));
        assert!(ahead.has(line(6, 2)) && !ahead.has(line(6, 1)) && !ahead.has(line(7, 2)));
        ahead.forget_before(6);
        assert_eq!(ahead.runs, [(6, 8), (9, 10)].into());
        assert!(ahead.has(line(6, 2)));
        ahead.forget_before(8);
        assert_eq!(ahead.runs, [(9, 10)].into());
        assert!(!ahead.has(line(6, 2)) && ahead.has(line(9, 1)));
        ahead.forget_before(10);
        assert!(ahead.is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let mut ahead = Ahead::default();
        (0..2 * MOST as i64).for_each(|n| ahead.insert(own(2 * n)));
        (0..2 * MOST as u32).for_each(|line| ahead.insert(Piece { offset: 1, line: Some(line) }));
        assert_eq!((ahead.runs.len(), ahead.lines.len()), (MOST, MOST));
    }
}
