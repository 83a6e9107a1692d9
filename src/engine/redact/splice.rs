//! Edits, and the splice.

/// A raw byte range of the buffer, and the range of the replacements' bytes that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) with: (u32, u32),
}

/// The edits of one event.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    /// Sorted, apart from each other.
    pub(crate) list: Vec<Edit>,
    /// What takes their places.
    pub(crate) replacements: Vec<u8>,
}

impl Edits {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.replacements.clear();
    }

    /// What takes the place of `edit`.
    pub(crate) fn replacement(&self, edit: &Edit) -> &[u8] {
        &self.replacements[edit.with.0 as usize..edit.with.1 as usize]
    }

    /// Appends `buf[from..to]` with the edits made to `out`.
    pub(crate) fn splice(&self, buf: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
        let mut at = from;
        for edit in &self.list {
            out.extend_from_slice(&buf[at..edit.start]);
            out.extend_from_slice(self.replacement(edit));
            at = edit.end;
        }
        out.extend_from_slice(&buf[at..to]);
    }
}
