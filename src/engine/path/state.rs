//! States: the keys of an object so far, the prediction of the next one, and where walks begin.

use super::roots::{self, Root};
use super::table::Key;
use super::{LIMIT, NONE, PLAIN, Paths, ROOT, flag};

/// The keys of an object so far.
///
/// What [`Paths::predicted`] compares is one line of the cache: to load it is what the walk waits for.
#[repr(C, align(64))]
pub(crate) struct State {
    /// `"key":`, the first 32 bytes.
    key: [u64; 4],
    mask: [u64; 4],
    /// Length of `"key":`; 0 for the state before an object's first key.
    pub(crate) len: u32,
    /// The state that followed last time.
    pub(crate) next: u32,
    /// Before the first key of the object that is this key's value.
    pub(crate) child: u32,
    /// Of the elements of the array that is this key's value.
    pub(crate) elem: u32,
    before: u32,
    object: u32,
    pub(crate) node: u32,
    pub(crate) flags: u16,
    /// Whether the schema's required fields are not all there yet.
    pub(crate) incomplete: bool,
    seen: u64,
    /// Where the whole `"key":` stands in `Paths::keys`, if it is longer than 32 bytes.
    long: u32,
}

impl Paths {
    /// A state before the first key of the object at `node`, or of the elements at `node`.
    pub(super) fn fresh(&self, node: u32) -> State {
        State {
            key: [0; 4],
            mask: [0; 4],
            len: 0,
            next: NONE,
            child: NONE,
            elem: NONE,
            before: NONE,
            object: node,
            node,
            flags: self.nodes[node as usize].flags,
            incomplete: self.required(node) != 0,
            seen: 0,
            long: NONE,
        }
    }

    /// The length of `"key":` at `at` if it is the key that followed `state` last time.
    #[inline(always)]
    pub(crate) fn predicted(&self, state: u32, buf: &[u8], at: usize) -> Option<(u32, usize)> {
        let next = self.states[state as usize].next;
        let s = self.states.get(next as usize)?;
        let w = buf[at..at + 32].as_chunks::<8>().0;
        let differ = (0..4).fold(0, |d, i| d | (u64::from_le_bytes(w[i]) ^ s.key[i]) & s.mask[i]);
        if differ != 0 {
            return None;
        }
        let len = s.len as usize;
        if s.long != NONE {
            let whole = &self.keys[s.long as usize..s.long as usize + len];
            if buf.get(at..at + len) != Some(whole) {
                return None;
            }
        }
        Some((next, len))
    }

    /// The state after `key` (raw, without quotes) behind `from`; `None` when no more are kept.
    #[inline(never)]
    pub(crate) fn next(&mut self, from: u32, key: &[u8]) -> Option<u32> {
        let hash = Key::new(from, key).hash();
        let (states, keys) = (&self.states, &self.keys);
        let found = self.state_table.find(hash, |id| {
            let s = &states[id as usize];
            s.before == from && s.len as usize == key.len() + 3 && s.raw_key(keys) == key
        });
        let id = match found {
            Some(id) => id,
            None => self.add_state(from, key, hash)?,
        };
        self.states[from as usize].next = id;
        Some(id)
    }

    fn add_state(&mut self, from: u32, key: &[u8], hash: u64) -> Option<u32> {
        if self.states.len() >= LIMIT || self.keys.len() > LIMIT * 256 {
            return None;
        }
        let (object, seen) = {
            let s = &self.states[from as usize];
            (s.object, s.seen)
        };
        let node = self.node(object, key, NONE)?;
        let mut s = self.fresh(node);
        s.object = object;
        s.before = from;
        s.len = key.len() as u32 + 3;
        s.seen = seen | self.nodes[node as usize].required_bit;
        s.incomplete = self.required(object) & !s.seen != 0;
        if s.flags & flag::CONSTRAINED != 0 && self.stands_before(from, node) {
            s.flags |= flag::TWICE;
        }
        s.long = self.keys.len() as u32;
        self.keys.push(b'"');
        self.keys.extend_from_slice(key);
        self.keys.extend_from_slice(b"\":");
        let whole = &self.keys[s.long as usize..];
        let mut head = [0u8; 32];
        let mut mask = [0u8; 32];
        let n = whole.len().min(32);
        head[..n].copy_from_slice(&whole[..n]);
        mask[..n].fill(0xff);
        let words =
            |a: &[u8; 32]| std::array::from_fn(|i| u64::from_le_bytes(a.as_chunks::<8>().0[i]));
        s.key = words(&head);
        s.mask = words(&mask);
        if whole.len() <= 32 {
            self.keys.truncate(s.long as usize);
            s.long = NONE;
        }
        let id = self.states.len() as u32;
        self.states.push(s);
        self.state_table.insert(hash, id);
        Some(id)
    }

    fn stands_before(&self, mut state: u32, node: u32) -> bool {
        while state != NONE {
            let s = &self.states[state as usize];
            if s.len != 0 && s.node == node {
                return true;
            }
            state = s.before;
        }
        false
    }

    /// The state before the first key of the object that is `of`'s value.
    #[inline]
    pub(crate) fn child(&mut self, of: u32) -> Option<u32> {
        let c = self.states[of as usize].child;
        if c != NONE { Some(c) } else { self.add_inner(of, false) }
    }

    /// The state of the elements of the array that is `of`'s value.
    #[inline]
    pub(crate) fn elem(&mut self, of: u32) -> Option<u32> {
        let c = self.states[of as usize].elem;
        if c != NONE { Some(c) } else { self.add_inner(of, true) }
    }

    #[inline(never)]
    fn add_inner(&mut self, of: u32, array: bool) -> Option<u32> {
        if self.states.len() >= LIMIT {
            return None;
        }
        let mut node = self.states[of as usize].node;
        if array {
            node = self.elem_node(node, NONE)?;
        }
        let id = self.states.len() as u32;
        let s = self.fresh(node);
        self.states.push(s);
        let owner = &mut self.states[of as usize];
        *(if array { &mut owner.elem } else { &mut owner.child }) = id;
        Some(id)
    }

    /// The next walk begins at the row `row`.
    pub(crate) fn begin_at(&mut self, row: &[u64]) {
        if row.is_empty() || self.roots.row == row {
            return;
        }
        self.roots.row.clear();
        self.roots.row.extend_from_slice(row);
        let known = self.roots.known.iter();
        let found = known.copied().find(|r| self.row(r.node) == row);
        if let Some(Root { state, node }) = found {
            (self.roots.state, self.roots.node) = (state, node);
        } else if !self.add_root() {
            // Forgets everything, and adds it.
            self.reset();
        }
    }

    /// All roots are forgotten but the event's; where the walk begins is found again.
    pub(super) fn forget_roots(&mut self) {
        self.roots.known.clear();
        (self.roots.state, self.roots.node) = (ROOT, 0);
        if self.roots.row != self.rules.globs.start() {
            // There is room: nothing else is known.
            self.add_root();
        }
    }

    fn add_root(&mut self) -> bool {
        let (number, id) = (self.roots.known.len(), self.node_table.len() as u32 + 1);
        if number >= roots::MOST || self.states.len() >= LIMIT || id as usize >= LIMIT {
            return false;
        }
        // It has no key: it takes a place in the table, of an owner that no key and no array has.
        self.node_table.insert(&Key::new(!((LIMIT + number) as u32), b""), id, 0);
        self.nodes[id as usize] = PLAIN;
        self.row.clear();
        self.row.extend_from_slice(&self.roots.row);
        self.keep_row(id);
        let state = self.states.len() as u32;
        let fresh = self.fresh(id);
        self.states.push(fresh);
        debug_assert_ne!(id, NONE);
        self.roots.known.push(Root { state, node: id });
        (self.roots.state, self.roots.node) = (state, id);
        true
    }
}

impl State {
    /// The key without quotes and colon, if it is short; long ones are in `keys`.
    fn raw_key<'a>(&'a self, keys: &'a [u8]) -> ShortOrLong<'a> {
        if self.long != NONE {
            let at = self.long as usize;
            return ShortOrLong::Long(&keys[at + 1..at + self.len as usize - 2]);
        }
        let mut b = [0u8; 32];
        for (chunk, w) in b.as_chunks_mut::<8>().0.iter_mut().zip(self.key) {
            *chunk = w.to_le_bytes();
        }
        ShortOrLong::Short(b, self.len as usize - 2)
    }
}

enum ShortOrLong<'a> {
    Short([u8; 32], usize),
    Long(&'a [u8]),
}

impl PartialEq<[u8]> for ShortOrLong<'_> {
    fn eq(&self, o: &[u8]) -> bool {
        match self {
            Self::Short(b, end) => &b[1..*end] == o,
            Self::Long(l) => *l == o,
        }
    }
}

impl PartialEq<&[u8]> for ShortOrLong<'_> {
    fn eq(&self, o: &&[u8]) -> bool {
        self == *o
    }
}
