//! Edits, and the splice.

/// A raw byte range of the buffer, and the range of the replacements' bytes that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) with: (u32, u32),
}

/// Appends `buf[from..to]` with `edits` (sorted, apart from each other) made, to `out`.
pub(crate) fn splice(
    buf: &[u8],
    from: usize,
    to: usize,
    edits: &[Edit],
    replacements: &[u8],
    out: &mut Vec<u8>,
) {
    let mut at = from;
    for e in edits {
        out.extend_from_slice(&buf[at..e.start]);
        out.extend_from_slice(&replacements[e.with.0 as usize..e.with.1 as usize]);
        at = e.end;
    }
    out.extend_from_slice(&buf[at..to]);
}
