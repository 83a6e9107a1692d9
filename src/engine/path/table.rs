//! Small open-addressing tables: of hashes, and of keys that are stored elsewhere.

const K: u64 = 0x9E37_79B9_7F4A_7C15;
/// Twice the most entries that are ever kept.
const SLOTS: usize = 2 * super::LIMIT.next_power_of_two();

/// A key with an owner, its ends as two words: most keys have at most 16 bytes, and are told by them.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    bytes: &'a [u8],
    owner: u32,
    ends: [u64; 2],
}

impl<'a> Key<'a> {
    #[inline(always)]
    pub(super) fn new(owner: u32, bytes: &'a [u8]) -> Self {
        let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(first), Some(last)) => [u64::from_le_bytes(*first), u64::from_le_bytes(*last)],
            _ => [short(bytes), 0],
        };
        Self { bytes, owner, ends }
    }

    /// The key `buf[from..to]`; without a branch on its length, which no processor foresees where
    /// keys come in any order.
    #[inline(always)]
    pub(super) fn within(owner: u32, buf: &'a [u8], from: usize, to: usize) -> Self {
        let bytes = &buf[from..to];
        let (Some(first), Some(last)) = (
            buf.get(from..).and_then(|b| b.first_chunk::<8>()),
            buf.get(..to).and_then(|b| b.last_chunk::<8>()),
        ) else {
            return Self::new(owner, bytes);
        };
        let len = bytes.len();
        let long = if len < 8 { 0 } else { !0 };
        let first = u64::from_le_bytes(*first) & (long | !(!0 << ((8 * len) & 63)));
        Self { bytes, owner, ends: [first, u64::from_le_bytes(*last) & long] }
    }

    #[inline(always)]
    pub(super) fn hash(&self) -> u64 {
        let [first, last] = self.ends;
        let salt = u64::from(self.owner) << 40 | (self.bytes.len() as u64) << 56;
        let h = (first ^ last.rotate_left(29) ^ salt).wrapping_mul(K);
        h ^ h >> 32
    }
}

/// Up to 7 bytes as one number, the first one lowest.
fn short(key: &[u8]) -> u64 {
    key.iter().rev().fold(0, |word, b| word << 8 | u64::from(*b))
}

fn probe(hash: u64) -> impl Iterator<Item = usize> {
    (0..SLOTS).map(move |i| (hash as usize).wrapping_add(i) & (SLOTS - 1))
}

/// From hashes to ids.
pub(super) struct Hashes {
    /// A hash and `id + 1`; 0 is an empty slot.
    slots: Vec<(u64, u32)>,
}

impl Default for Hashes {
    fn default() -> Self {
        Self { slots: vec![(0, 0); SLOTS] }
    }
}

impl Hashes {
    pub(super) fn clear(&mut self) {
        self.slots.fill((0, 0));
    }

    /// The id under `hash` for which `is` holds.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        probe(hash)
            .map(|i| self.slots[i])
            .take_while(|slot| slot.1 != 0)
            .find(|slot| slot.0 == hash && is(slot.1 - 1))
            .map(|slot| slot.1 - 1)
    }

    /// Adds an id. The caller keeps to the limit.
    pub(super) fn insert(&mut self, hash: u64, id: u32) {
        if let Some(i) = probe(hash).find(|&i| self.slots[i].1 == 0) {
            self.slots[i] = (hash, id + 1);
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Slot {
    ends: [u64; 2],
    /// `id + 1`; 0 is an empty slot.
    id: u32,
    owner: u32,
    key_at: u32,
    key_len: u32,
}

/// From keys and their owners to ids.
pub(super) struct Keys {
    slots: Vec<Slot>,
    len: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS], len: 0 }
    }
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.len = 0;
    }

    /// The id of `key`; the keys' bytes stand in `keys`.
    #[inline(always)]
    pub(super) fn find(&self, key: &Key<'_>, keys: &[u8]) -> Option<u32> {
        for i in probe(key.hash()) {
            let s = &self.slots[i];
            let len = key.bytes.len();
            let differ = (s.ends[0] ^ key.ends[0])
                | (s.ends[1] ^ key.ends[1])
                | u64::from(s.owner ^ key.owner)
                | (s.key_len as usize ^ len) as u64;
            if differ == 0 && s.id != 0 {
                let at = s.key_at as usize;
                if len <= 16 || keys[at..at + len] == *key.bytes {
                    return Some(s.id - 1);
                }
            }
            if s.id == 0 {
                return None;
            }
        }
        None
    }

    /// Adds the id of a key that stands at `key_at`. The caller keeps to the limit.
    pub(super) fn insert(&mut self, key: &Key<'_>, id: u32, key_at: u32) {
        debug_assert!(self.len < SLOTS / 2);
        if let Some(i) = probe(key.hash()).find(|&i| self.slots[i].id == 0) {
            let key_len = key.bytes.len() as u32;
            self.slots[i] = Slot { ends: key.ends, id: id + 1, owner: key.owner, key_at, key_len };
            self.len += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_a_key_agree() {
        let buf = b"0123456789abcdefghijklmnopqrstuvwxyz";
        for from in 8..20 {
            for to in from..28 {
                let (a, b) = (Key::new(7, &buf[from..to]), Key::within(7, buf, from, to));
                assert_eq!((a.ends, a.hash()), (b.ends, b.hash()), "{from}..{to}");
            }
        }
    }

    #[test]
    fn finds_what_was_inserted_and_nothing_else() {
        let all = b"aabbaabbaabbaabbaabbccaabbaabbaabb";
        let mut keys = Keys::default();
        let mut inserted = vec![];
        for from in 0..all.len() {
            for to in from..=all.len() {
                let key = Key::new(from as u32 & 1, &all[from..to]);
                let known = (from & 1, &all[from..to]);
                let found = keys.find(&key, all);
                assert_eq!(found.is_some(), inserted.contains(&known));
                if found.is_none() && inserted.len() < super::super::LIMIT {
                    keys.insert(&key, inserted.len() as u32, from as u32);
                    inserted.push(known);
                }
            }
        }
    }
}
