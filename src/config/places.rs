//! Lines and columns of a text.

use super::Spot;

/// Where the lines of a text begin, and how many characters precede each of its blocks. A position
/// is computed for every value, and a text may have thousands of values on one line.
pub(super) struct Places {
    lines: Vec<usize>,
    characters: Vec<usize>,
}

impl Places {
    const BLOCK: usize = 256;

    pub(super) fn of(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        let (mut characters, mut so_far) = (vec![0], 0);
        for block in text.as_bytes().chunks(Self::BLOCK) {
            so_far += starts(block);
            characters.push(so_far);
        }
        Self { lines, characters }
    }

    pub(super) fn spot(&self, text: &str, at: usize) -> Spot {
        let at = at.min(text.len());
        let line = self.lines.partition_point(|&start| start <= at);
        let start = self.lines[line - 1];
        let before = |at: usize| {
            let block = at / Self::BLOCK;
            self.characters[block] + starts(&text.as_bytes()[block * Self::BLOCK..at])
        };
        Spot { line, column: before(at) - before(start) + 1 }
    }
}

/// Returns the number of characters that begin in `bytes`.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b & 0xC0 != 0x80).count()
}
