//! A small open-addressing table from hashes to ids, for keys that are stored elsewhere.

const K: u64 = 0x9E37_79B9_7F4A_7C15;

/// A hash of an id and a key: of its length, its first and its last 8 bytes, for whole keys are
/// compared anyway.
#[inline(always)]
pub(super) fn hash(id: u32, key: &[u8]) -> u64 {
    let bytes = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
        }
        _ => short(key),
    };
    let h = (bytes ^ (u64::from(id) << 40 | (key.len() as u64) << 56)).wrapping_mul(K);
    h ^ h >> 32
}

/// Up to 7 bytes as one number.
#[inline(always)]
fn short(key: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    match key {
        [] => 0,
        [a] => u64::from(*a),
        [a, b] => u64::from(*a) << 8 | u64::from(*b),
        [a, b, c, ..] => u64::from(*a) << 16 | u64::from(*b) << 8 | u64::from(*c),
    }
}

/// Whether two keys are the same; most have 3 to 16 bytes, for which a call would cost more.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>(), a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(x), Some(y), Some(v), Some(w)) => x == y && v == w && (a.len() <= 16 || a == b),
        _ => short(a) == short(b),
    }
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
    #[inline(always)]
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
                && same(&keys[at..at + key.len()], key)
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
