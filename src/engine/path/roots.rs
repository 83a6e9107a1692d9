//! Where paths begin: at the event, or, for JSON inside a string, at the string's own place, which
//! such JSON continues.

/// The most roots that are kept besides the event's.
pub(super) const MOST: usize = 256;

/// Where the next walk begins, and where others began.
#[derive(Default)]
pub(crate) struct Roots {
    pub(super) state: u32,
    pub(super) node: u32,
    /// The row that it begins with.
    pub(super) row: Vec<u64>,
    pub(super) known: Vec<Root>,
}

#[derive(Clone, Copy)]
pub(super) struct Root {
    pub(super) state: u32,
    pub(super) node: u32,
}

impl Roots {
    /// The state before the first key.
    #[inline(always)]
    pub(crate) fn state(&self) -> u32 {
        self.state
    }

    /// The node of the outermost object.
    #[inline(always)]
    pub(crate) fn node(&self) -> u32 {
        self.node
    }
}
