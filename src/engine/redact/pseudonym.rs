//! Pseudonyms: `[HMAC:2026-11:` + 32 letters + `]`, always the same for the same value and key.
//!
//! The letters are the first 128 bits of HMAC-SHA-256 over the decoded value, `a` to `p` for the
//! hexadecimal digits `0` to `f`. Without digits and capitals they are one lower-case word, in which
//! no shape, number or context word of a detector can stand.

use std::{fmt, num::NonZeroU32};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::engine::memory;

/// What every pseudonym begins with.
pub(crate) const OPEN: &[u8] = b"[HMAC:";
/// The letters of a pseudonym: two for each of 16 bytes.
pub(crate) const LETTERS: usize = 32;
/// The longest id of a key.
const LONGEST_ID: usize = 32;
/// The fewest bytes of a key.
const SHORTEST_KEY: usize = 16;
/// The longest pseudonym.
pub(crate) const LONGEST: usize = OPEN.len() + LONGEST_ID + 1 + LETTERS + 1;

/// A key that pseudonyms are made with, and the id by which they name it.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey {
    id: String,
    secret: Box<[u8]>,
}

/// The keys of one purpose: findings become pseudonyms by the active one, and what the previous ones
/// made is still known as a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    /// What rules call it.
    pub name: String,
    /// The key in use.
    pub active: PseudonymKey,
    /// Keys that were in use before.
    pub previous: Vec<PseudonymKey>,
}

/// Why something cannot be a key for pseudonyms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The id has other characters, or too many.
    #[error(
        "an id has 1 to {LONGEST_ID} letters, digits, `.`, `_` and `-`: write one like 2026-11"
    )]
    Id,
    /// Somebody may guess it.
    #[error(
        "a key of {0} bytes is too short: {SHORTEST_KEY} at least, as from `openssl rand -hex 32`"
    )]
    Short(usize),
}

impl PseudonymKey {
    /// A key with an id of letters, digits, `.`, `_` and `-`. White space at the end of `secret`
    /// is not part of the key.
    ///
    /// # Errors
    /// The id is not one, or the key is too short.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, KeyError> {
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_of_id) {
            return Err(KeyError::Id);
        }
        let secret = secret.trim_ascii_end();
        if secret.len() < SHORTEST_KEY {
            return Err(KeyError::Short(secret.len()));
        }
        Ok(Self { id: id.to_owned(), secret: secret.into() })
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How long its pseudonyms are.
    pub fn pseudonym_len(&self) -> usize {
        OPEN.len() + self.id.len() + 1 + LETTERS + 1
    }

    /// What `value` becomes.
    pub fn pseudonym(&self, value: &[u8]) -> String {
        let mut text = Vec::new();
        if let Some(maker) = Maker::new(self) {
            maker.append(value, &mut text);
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

/// The key itself is never shown.
impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PseudonymKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key, ready to make pseudonyms.
pub(crate) struct Maker {
    /// `[HMAC:id:`
    opening: Box<[u8]>,
    hmac: Hmac<Sha256>,
}

impl Maker {
    /// `None` for a key of a length that HMAC does not take, of which there is none.
    pub(crate) fn new(key: &PseudonymKey) -> Option<Self> {
        let hmac = Hmac::new_from_slice(&key.secret).ok()?;
        let opening = [OPEN, key.id.as_bytes(), b":"].concat().into();
        Some(Self { opening, hmac })
    }

    pub(crate) fn append(&self, value: &[u8], out: &mut Vec<u8>) {
        let mut hmac = self.hmac.clone();
        hmac.update(value);
        out.extend_from_slice(&self.opening);
        for byte in &hmac.finalize().into_bytes()[..LETTERS / 2] {
            out.extend_from_slice(&[b'a' + (byte >> 4), b'a' + (byte & 15)]);
        }
        out.push(b']');
    }
}

/// The id and the length of the pseudonym that `text` begins with, whoever made it.
pub(crate) fn at_start(text: &[u8]) -> Option<(&[u8], usize)> {
    let inside = text.strip_prefix(OPEN)?;
    let id = inside.iter().take(LONGEST_ID + 1).take_while(|&&b| is_of_id(b)).count();
    let (id, rest) = inside.split_at(id);
    let (letters, end) = rest.strip_prefix(b":")?.split_at_checked(LETTERS)?;
    let whole = (1..=LONGEST_ID).contains(&id.len())
        && letters.iter().all(|b| matches!(b, b'a'..=b'p'))
        && end.first() == Some(&b']');
    whole.then(|| (id, OPEN.len() + id.len() + 1 + LETTERS + 1))
}

/// The letters of a pseudonym.
pub(crate) fn letters(pseudonym: &[u8]) -> Option<[u8; LETTERS]> {
    pseudonym.strip_suffix(b"]")?.last_chunk().copied()
}

fn is_of_id(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"._-".contains(&b)
}

/// The number of a pseudonym among those of one event.
pub(crate) type Number = Option<NonZeroU32>;

/// The pseudonyms of one event, as its findings name them.
#[derive(Default)]
pub(crate) struct Pseudonyms {
    text: Vec<u8>,
    /// Where each ends, and the number of its key.
    made: Vec<(u32, u16)>,
}

impl Pseudonyms {
    /// The bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        memory::of(&self.text) + memory::of(&self.made)
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.made.clear();
    }

    /// Makes that of `value` by `maker`, whose number is `key`.
    pub(crate) fn add(&mut self, key: u16, maker: &Maker, value: &[u8]) -> Number {
        maker.append(value, &mut self.text);
        self.made.push((self.text.len() as u32, key));
        NonZeroU32::new(self.made.len() as u32)
    }

    pub(crate) fn get(&self, number: Number) -> Option<&[u8]> {
        let at = number?.get() as usize;
        let from = at.checked_sub(2).map_or(0, |before| self.made[before].0 as usize);
        Some(&self.text[from..self.made.get(at - 1)?.0 as usize])
    }

    /// The number of the key that made it.
    pub(crate) fn key(&self, number: Number) -> Option<u16> {
        Some(self.made.get(number?.get() as usize - 1)?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> PseudonymKey {
        PseudonymKey::new(id, b"0123456789abcdef \r\n").unwrap()
    }

    #[test]
    fn a_pseudonym_is_hmac_sha256_in_letters() {
        // RFC 4231, test case 6: 60e431591ee0b67f0d8a26aacbf5b77f…
        let rfc = PseudonymKey::new("k", &[0xaa; 131]).unwrap();
        let made = rfc.pseudonym(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(made, "[HMAC:k:gaoedbfjbooalghpanikcgkkmlpflhhp]");
        assert_eq!(at_start(made.as_bytes()), Some((&b"k"[..], rfc.pseudonym_len())));
        assert_eq!(letters(made.as_bytes()).as_ref(), Some(b"gaoedbfjbooalghpanikcgkkmlpflhhp"));
    }

    #[test]
    fn white_space_at_the_end_is_not_part_of_a_key() {
        let bare = PseudonymKey::new("k", b"0123456789abcdef").unwrap();
        assert_eq!(key("k"), bare);
        assert_ne!(bare.pseudonym(b"x"), PseudonymKey::new("k", &[7; 16]).unwrap().pseudonym(b"x"));
        assert_eq!(format!("{bare:?}"), "PseudonymKey { id: \"k\", .. }");
    }

    #[test]
    fn ids_and_keys_that_cannot_be_are_refused() {
        for id in ["", "a b", "a:b", "a]", "\u{e9}", &"x".repeat(33)] {
            assert_eq!(PseudonymKey::new(id, &[7; 16]), Err(KeyError::Id), "{id}");
        }
        assert_eq!(PseudonymKey::new("k", b"0123456789abcde \n"), Err(KeyError::Short(15)));
    }

    #[test]
    fn only_whole_pseudonyms_are_read() {
        let made = key("2026-11.a_B").pseudonym(b"ada@example.com");
        assert_eq!(at_start(format!("{made} x").as_bytes()).unwrap().1, made.len());
        for no in [&made[1..], &made[..made.len() - 1], &made.replace(']', "a]"), "[HMAC::a]"] {
            assert_eq!(at_start(no.as_bytes()), None, "{no}");
        }
        let longest = key(&"x".repeat(LONGEST_ID)).pseudonym(b"");
        assert_eq!(at_start(longest.as_bytes()).unwrap().1, LONGEST);
    }

    #[test]
    fn findings_name_them_by_number() {
        let (maker, mut all) = (Maker::new(&key("k")).unwrap(), Pseudonyms::default());
        let numbers = [all.add(3, &maker, b"x"), all.add(4, &maker, b"y")];
        for (number, value, of) in [(numbers[0], b"x", 3), (numbers[1], b"y", 4)] {
            let wanted = key("k").pseudonym(value);
            assert_eq!(all.get(number), Some(wanted.as_bytes()));
            assert_eq!(all.key(number), Some(of));
        }
        assert_eq!((all.get(None), all.key(None)), (None, None));
    }
}
