//! What the scan reports: marks of candidates and signs, and line ends.

/// The first id that shapes may not have. A mark with it or a higher one is no candidate: a sign stands
/// there, whose byte is the lower half.
pub(crate) const SIGNS: u16 = 0xff00;
/// The id of a backslash.
pub(crate) const ESCAPE: u16 = SIGNS | b'\\' as u16;

/// A place that the walk must report: a candidate, a backslash or a percent sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

impl Mark {
    pub(crate) fn new(at: usize, id: u16) -> Self {
        Self((at as u64) << 16 | u64::from(id))
    }
    pub(crate) fn at(self) -> usize {
        (self.0 >> 16) as usize
    }
    pub(crate) fn id(self) -> u16 {
        self.0 as u16
    }
}

/// The end of a line, and how many quotes stand before it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineEnd {
    pub(crate) at: u32,
    pub(crate) quotes: u32,
}
