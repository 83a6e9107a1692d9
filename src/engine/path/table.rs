//! A small open-addressing table from hashes to ids, for keys that are stored elsewhere.

/// A hash of an id and a key: multiply and fold, 8 bytes at a time.
pub(super) fn hash(id: u32, key: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut h = (u64::from(id) << 32 | key.len() as u64).wrapping_mul(K);
    let (chunks, rest) = key.as_chunks::<8>();
    for c in chunks {
        h = (h.rotate_left(5) ^ u64::from_le_bytes(*c)).wrapping_mul(K);
    }
    if !rest.is_empty() {
        let mut last = [0u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        h = (h.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(K);
    }
    h ^ h >> 29
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    /// `id + 1`; 0 is an empty slot.
    id: u32,
    owner: u32,
    key_at: u32,
    key_len: u32,
}

const EMPTY: Slot = Slot { hash: 0, id: 0, owner: 0, key_at: 0, key_len: 0 };
/// Twice the most entries that are ever kept.
const SLOTS: usize = 2 * super::LIMIT.next_power_of_two();

pub(super) struct Table {
    slots: Vec<Slot>,
    len: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { slots: vec![EMPTY; SLOTS], len: 0 }
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(EMPTY);
        self.len = 0;
    }

    fn probe(hash: u64) -> impl Iterator<Item = usize> {
        (0..SLOTS).map(move |i| (hash as usize).wrapping_add(i) & (SLOTS - 1))
    }

    /// The id under `hash` for which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        for i in Self::probe(hash) {
            let s = &self.slots[i];
            if s.id == 0 {
                return None;
            }
            if s.hash == hash && is(s.id - 1) {
                return Some(s.id - 1);
            }
        }
        None
    }

    /// The id of `key` of `owner`, whose bytes stand in `keys`.
    pub(super) fn find_key(&self, hash: u64, owner: u32, key: &[u8], keys: &[u8]) -> Option<u32> {
        for i in Self::probe(hash) {
            let s = &self.slots[i];
            if s.id == 0 {
                return None;
            }
            let at = s.key_at as usize;
            if s.hash == hash
                && s.owner == owner
                && s.key_len as usize == key.len()
                && keys[at..at + key.len()] == *key
            {
                return Some(s.id - 1);
            }
        }
        None
    }

    /// Adds an id. The caller keeps to the limit.
    pub(super) fn insert(&mut self, hash: u64, id: u32) {
        self.insert_key(hash, id, 0, 0, 0);
    }

    /// Adds the id of a key of `owner` that stands at `key_at`.
    pub(super) fn insert_key(&mut self, hash: u64, id: u32, owner: u32, key_at: u32, key_len: u32) {
        debug_assert!(self.len < SLOTS / 2);
        if let Some(i) = Self::probe(hash).find(|&i| self.slots[i].id == 0) {
            self.slots[i] = Slot { hash, id: id + 1, owner, key_at, key_len };
            self.len += 1;
        }
    }
}
