//! A chunk: a run of whole lines in one buffer, with margins that let the index read whole blocks.

use std::sync::Arc;

use super::KeyBlock;

/// Bytes before the data, all `\n`: the first block's look-back.
pub(crate) const HEAD: usize = 64;
/// Bytes after the data, all `\n`: the last block's over-read and the walk's sentinel.
pub(crate) const TAIL: usize = 256;

/// A run of whole lines in one contiguous buffer.
///
/// Life: [`clear`](Chunk::clear), then [`spare`](Chunk::spare) and [`commit`](Chunk::commit) as
/// input arrives, then [`seal`](Chunk::seal); the engine takes sealed chunks only.
pub struct Chunk {
    buf: Vec<u8>,
    len: usize,
    sealed: bool,
    note: (u16, u16),
    key_block: KeyBlock,
    sources: Vec<(u32, u16)>,
    origin: Option<Arc<str>>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Chunk {
    /// An empty chunk with room for `capacity` bytes of data.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buf = Vec::with_capacity(HEAD + capacity + TAIL);
        buf.resize(HEAD, b'\n');
        Self {
            buf,
            len: 0,
            sealed: false,
            note: (0, 0),
            key_block: KeyBlock::default(),
            sources: Vec::new(),
            origin: None,
        }
    }

    /// A sealed chunk that holds a copy of `data`.
    pub fn from_bytes(data: &[u8]) -> Self {
        let mut c = Self::with_capacity(data.len() + 1);
        c.extend(data);
        c.seal();
        c
    }

    /// Forgets the data, keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
        self.sealed = false;
        self.note = (0, 0);
        self.key_block = KeyBlock::default();
        self.sources.clear();
        self.origin = None;
    }

    /// The name of what all lines come from. The engine does not look at it.
    pub fn origin(&self) -> Option<&Arc<str>> {
        self.origin.as_ref()
    }

    /// Sets what [`origin`](Self::origin) returns.
    pub fn set_origin(&mut self, name: Arc<str>) {
        self.origin = Some(name);
    }

    /// The lines that are added from now on come from the source with this number, of those that
    /// [`Engine::set_sources`](super::Engine::set_sources) tells; without a word, from the first.
    pub fn begin_source(&mut self, source: u16) {
        if self.sources.last().map_or(0, |(_, last)| *last) != source {
            self.sources.push((self.len as u32, source));
        }
    }

    /// Where sources begin in the data.
    pub(crate) fn sources(&self) -> &[(u32, u16)] {
        &self.sources
    }

    /// What is known of the input before the data and behind it, where lines belong together. The
    /// engine does not look at it.
    pub fn note(&self) -> (u16, u16) {
        self.note
    }

    /// Sets what [`note`](Self::note) says.
    pub fn set_note(&mut self, before: u16, behind: u16) {
        self.note = (before, behind);
    }

    /// The private key that is open before the first line.
    pub fn key_block(&self) -> KeyBlock {
        self.key_block
    }

    /// Sets what [`key_block`](Self::key_block) returns: what the lines before came to, by
    /// [`Output::key_block`](super::Output::key_block).
    pub fn continue_key_block(&mut self, before: KeyBlock) {
        self.key_block = before;
    }

    /// Gives memory beyond `capacity` bytes of data back to the allocator (after an oversize line).
    pub fn shrink_to(&mut self, capacity: usize) {
        if self.buf.capacity() > HEAD + capacity + TAIL {
            self.buf.truncate(HEAD + self.len.min(capacity));
            self.buf.shrink_to(HEAD + capacity + TAIL);
        }
    }

    /// Makes room for exactly `n` more bytes of data, and for the ends of a line and of the chunk.
    pub fn reserve(&mut self, n: usize) {
        let wanted = HEAD + self.len + n + 1 + TAIL;
        self.buf.reserve_exact(wanted.saturating_sub(self.buf.len()));
    }

    /// Room for `n` more bytes behind the data, to read into; then [`commit`](Self::commit).
    pub fn spare(&mut self, n: usize) -> &mut [u8] {
        let at = HEAD + self.len;
        if self.buf.len() < at + n {
            self.buf.resize(at + n, 0);
        }
        &mut self.buf[at..at + n]
    }

    /// Takes the first `n` bytes of what [`spare`](Self::spare) gave as data.
    pub fn commit(&mut self, n: usize) {
        self.sealed = false;
        self.len += n;
        assert!(HEAD + self.len <= self.buf.len(), "committed more than spare() gave");
    }

    /// Appends a copy of `data`.
    pub fn extend(&mut self, data: &[u8]) {
        self.spare(data.len()).copy_from_slice(data);
        self.commit(data.len());
    }

    /// Keeps the first `len` bytes of the data.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.sealed = false;
    }

    /// Ends the last line with `\n` where that is missing, and writes the tail margin.
    pub fn seal(&mut self) {
        if self.data().last().is_some_and(|&b| b != b'\n') {
            self.extend(b"\n");
        }
        self.spare(TAIL).fill(b'\n');
        self.sealed = true;
    }

    /// The data, without margins. A sealed chunk's data is empty or ends with `\n`.
    pub fn data(&self) -> &[u8] {
        &self.buf[HEAD..HEAD + self.len]
    }

    /// The bytes of memory that this chunk holds.
    pub fn memory(&self) -> usize {
        self.buf.capacity()
    }

    /// The data with its margins, and where the data ends in it. Data starts at [`HEAD`].
    pub(crate) fn padded(&self) -> (&[u8], usize) {
        assert!(self.sealed, "the engine takes sealed chunks");
        (&self.buf[..HEAD + self.len + TAIL], HEAD + self.len)
    }
}
