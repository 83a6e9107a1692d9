//! From decoded offsets back to source offsets.

use std::ops::Range;

/// One decoded unit whose spelling differs from its value: an escape, a surrogate pair, a `%XX`.
#[derive(Debug, Clone, Copy)]
struct Atom {
    decoded: u32,
    source: u32,
    decoded_len: u8,
    source_len: u8,
}

impl Atom {
    fn decoded_end(self) -> usize {
        self.decoded as usize + usize::from(self.decoded_len)
    }

    fn source_end(self) -> usize {
        self.source as usize + usize::from(self.source_len)
    }
}

/// Breakpoints from decoded offsets back to source offsets.
///
/// Describes one decoding; between two breakpoints the bytes were copied as they are. A source of
/// 4 GiB or more isn't represented: the engine's limit on the event's size keeps it away.
#[derive(Debug, Clone, Default)]
pub(crate) struct OffsetMap {
    atoms: Vec<Atom>,
}

impl OffsetMap {
    /// The bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        self.atoms.capacity() * size_of::<Atom>()
    }

    /// Forgets every breakpoint (the map of a text that was copied as it is), keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.atoms.clear();
    }

    /// Notes that `source_len` bytes at `source` became `decoded_len` bytes at `decoded`.
    ///
    /// Calls must come in the order of the text.
    pub(super) fn push(&mut self, decoded: usize, decoded_len: u8, source: usize, source_len: u8) {
        // Below 4 GiB by the type's contract.
        let (decoded, source) = (decoded as u32, source as u32);
        self.atoms.push(Atom { decoded, source, decoded_len, source_len });
    }

    /// The source bytes that `decoded` came from, rounded outward: an escape, a surrogate pair or a
    /// `%XX` that is partly covered is wholly covered.
    pub(crate) fn source(&self, decoded: Range<usize>) -> Range<usize> {
        self.start(decoded.start)..self.end(decoded.end)
    }

    fn start(&self, at: usize) -> usize {
        match self.last(|a| a.decoded as usize <= at) {
            None => at,
            Some(a) if at < a.decoded_end() => a.source as usize,
            Some(a) => a.source_end() + (at - a.decoded_end()),
        }
    }

    fn end(&self, at: usize) -> usize {
        match self.last(|a| (a.decoded as usize) < at) {
            None => at,
            Some(a) => a.source_end() + at.saturating_sub(a.decoded_end()),
        }
    }

    fn last(&self, before: impl Fn(&Atom) -> bool) -> Option<Atom> {
        let n = self.atoms.partition_point(before);
        n.checked_sub(1).map(|i| self.atoms[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_outward() {
        // source: ab\u00e9cd, decoded: abécd (é is 2 bytes)
        let mut m = OffsetMap::default();
        m.push(2, 2, 2, 6);
        assert_eq!(m.source(0..2), 0..2);
        assert_eq!(m.source(1..3), 1..8);
        assert_eq!(m.source(3..4), 2..8);
        assert_eq!(m.source(3..3), 2..8);
        assert_eq!(m.source(2..2), 2..2);
        assert_eq!(m.source(4..4), 8..8);
        assert_eq!(m.source(4..6), 8..10);
        assert_eq!(m.source(0..6), 0..10);
        m.clear();
        assert_eq!(m.source(3..6), 3..6);
    }
}
