//! Placeholders: `[REDACTED:email]`, and in keys `[REDACTED:email#2]`.
//!
//! What has the form of a placeholder may still be anybody's text (`[REDACTED:hunter2]`). Only ids
//! that a detector or a rule has, or that the policy lists, make one. A pseudonym
//! (`[HMAC:2026-11:…]`) counts as a placeholder if its id is that of a known key.

use std::collections::HashSet;

use super::redact::pseudonym;

/// What every placeholder begins with.
const OPEN: &[u8] = b"[REDACTED:";

/// No id is longer: what is longer is not looked through again and again.
const LONGEST: usize = 256;

/// Ids that every Tamis gives: those of a rule without a name, and of a header that is no text.
const OWN: [&str; 2] = ["path", "unreadable"];

/// The ids that make placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Placeholders {
    ids: HashSet<Box<[u8]>>,
    /// The ids of keys that pseudonyms are made with.
    keys: HashSet<Box<[u8]>>,
}

impl Placeholders {
    /// Those of `ids`, and of Tamis itself.
    pub(crate) fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let ids = ids.into_iter().chain(OWN).map(|id| id.as_bytes().into()).collect();
        Self { ids, keys: HashSet::new() }
    }

    /// These, and the pseudonyms that name one of the keys with these ids.
    pub(crate) fn with_keys<'a>(self, ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self { keys: ids.into_iter().map(|id| id.as_bytes().into()).collect(), ..self }
    }

    /// Those that count in a value; `key`: in a key, where they can be numbered.
    #[inline]
    pub(crate) fn of(&self, key: bool) -> Counted<'_> {
        Counted { known: self, numbered: key }
    }

    /// Whether a value is a placeholder, all of it.
    #[inline]
    pub(crate) fn is(&self, value: &[u8]) -> bool {
        self.of(false).is(value)
    }

    /// The end of the placeholder whose id `at` stands in.
    pub(crate) fn around(&self, text: &[u8], at: usize) -> Option<usize> {
        if let Some(end) = self.around_pseudonym(text, at) {
            return Some(end);
        }
        let low = at.saturating_sub(LONGEST);
        let before = text[low..at].iter().rev().take_while(|&&b| is_of_id(b)).count();
        let start = (at - before).checked_sub(OPEN.len())?;
        Some(start + self.of_key(&text[start..])?)
    }

    /// Where the placeholder begins and ends that has the byte at `at`.
    pub(crate) fn holding(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let low = at.saturating_sub(OPEN.len() + LONGEST);
        let start = low + memchr::memrchr(b'[', &text[low..=at])?;
        let end = start + self.of_key(&text[start..])?;
        (at < end).then_some((start, end))
    }

    /// The end of the pseudonym that `at` stands in, after its bracket.
    #[inline]
    pub(crate) fn around_pseudonym(&self, text: &[u8], at: usize) -> Option<usize> {
        self.enclosing(text, at).map(|(_, end)| end)
    }

    /// The pseudonym that `at` stands in, after its bracket.
    fn enclosing(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        if self.keys.is_empty() {
            return None;
        }
        let low = at.saturating_sub(pseudonym::LONGEST);
        let start = low + memchr::memrchr(b'[', &text[low..at])?;
        let end = start + self.pseudonym(&text[start..])?;
        (at < end).then_some((start, end))
    }

    /// The length of the placeholder that a key, or text in which one may stand, begins with.
    fn of_key(&self, text: &[u8]) -> Option<usize> {
        let Some(inside) = text.strip_prefix(OPEN) else { return self.pseudonym(text) };
        let len = inside.iter().take_while(|&&b| is_of_id(b)).count();
        let closed = inside.get(len) == Some(&b']');
        (closed && self.knows(&inside[..len])).then_some(OPEN.len() + len + 1)
    }

    /// The length of the pseudonym that `text` begins with.
    fn pseudonym(&self, text: &[u8]) -> Option<usize> {
        if self.keys.is_empty() {
            return None;
        }
        let (id, len) = pseudonym::at_start(text)?;
        self.keys.contains(id).then_some(len)
    }

    /// `text` with a space in place of each placeholder.
    pub(crate) fn left_out_of(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'[', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let placeholder = self.of_key(rest);
            out.push(if placeholder.is_some() { b' ' } else { b'[' });
            rest = &rest[placeholder.unwrap_or(1)..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// What follows the last placeholder in `text`; all of it where there is none.
    pub(crate) fn behind_last<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let mut places = memchr::memrchr_iter(b'[', text);
        places.find_map(|at| Some(&text[at + self.of_key(&text[at..])?..])).unwrap_or(text)
    }

    /// Whether `id`, with the number that a key has where several are one object's, makes one.
    fn knows(&self, id: &[u8]) -> bool {
        let name = match memchr::memchr(b'#', id) {
            None => id,
            Some(at) => {
                let number = &id[at + 1..];
                // Numbers are those of one object's keys.
                if number.is_empty() || number.len() > 9 || !number.iter().all(u8::is_ascii_digit) {
                    return false;
                }
                &id[..at]
            }
        };
        self.ids.contains(name)
    }
}

/// The placeholders that count in a text. A number hides digits, so only keys may have numbered ones:
/// there Tamis writes them, where one object has several.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) known: &'a Placeholders,
    numbered: bool,
}

impl Counted<'_> {
    /// Whether `text` is a placeholder, all of it.
    #[inline]
    pub(crate) fn is(self, text: &[u8]) -> bool {
        self.at_start(text) == Some(text.len())
    }

    /// The length of the placeholder that `text` begins with.
    #[inline]
    pub(crate) fn at_start(self, text: &[u8]) -> Option<usize> {
        let len = self.known.of_key(text)?;
        (self.numbered || !text[..len].contains(&b'#')).then_some(len)
    }

    /// Where the placeholder begins that `text` ends with.
    pub(crate) fn at_end(self, text: &[u8]) -> Option<usize> {
        let inside = text.strip_suffix(b"]")?;
        if let Some((start, _)) = self.known.enclosing(text, inside.len()) {
            return Some(start);
        }
        let low = inside.len().saturating_sub(LONGEST);
        let len = inside[low..].iter().rev().take_while(|&&b| is_of_id(b)).count();
        let start = (inside.len() - len).checked_sub(OPEN.len())?;
        self.is(&text[start..]).then_some(start)
    }

    /// Whether what is to be replaced was replaced before: all of it, or the password behind a user.
    pub(crate) fn are_all(self, found: &[u8]) -> bool {
        if memchr::memchr(b'[', found).is_none() {
            return false;
        }
        let behind = &found[self.at_start(found).unwrap_or(0)..];
        let password = memchr::memchr(b':', behind).map_or(&[][..], |colon| &behind[colon + 1..]);
        self.is(found) || self.is(password)
    }
}

/// Whether ids and their numbers have this byte.
fn is_of_id(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'#'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Placeholders {
        Placeholders::new(["email", "acme_token"])
    }

    #[test]
    fn only_known_ids_make_placeholders() {
        for yes in ["email", "acme_token", "path", "unreadable"] {
            assert!(known().is(format!("[REDACTED:{yes}]").as_bytes()), "{yes}");
        }
        for no in ["hunter2", "", "email#2", "email#", "email#x", "email2", "emai", "#email"] {
            assert!(!known().is(format!("[REDACTED:{no}]").as_bytes()), "{no}");
        }
        for no in ["[REDACTED:email", "[REDACTED:email] ", " [REDACTED:email]", "REDACTED:email]"] {
            assert!(!known().is(no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn forged_ones_are_text_like_any_other() {
        let without = |text: &str| String::from_utf8(known().left_out_of(text.as_bytes())).unwrap();
        assert_eq!(without("a[REDACTED:email#2]b[REDACTED:x]c"), "a b[REDACTED:x]c");
        assert_eq!(without("[REDACTED:[REDACTED:email]"), "[REDACTED: ");
        for text in ["[REDACTED:email#]", "[REDACTED:email#x]", "[REDACTED:email#2#3]"] {
            assert_eq!(without(text), text);
        }
        let behind = |text| String::from_utf8(known().behind_last(text).to_vec()).unwrap();
        assert_eq!(behind(b"[REDACTED:email]_password"), "_password");
        assert_eq!(behind(b"[REDACTED:email]_[REDACTED:password]"), "_[REDACTED:password]");
        assert_eq!(behind(b"[REDACTED:password]"), "[REDACTED:password]");
        assert_eq!(known().of(false).at_end(b"//[REDACTED:email]"), Some(2));
        for text in ["[REDACTED:x]", "[REDACTED:email] ", "]", "email]", "[[REDACTED:email#2]"] {
            assert_eq!(known().of(false).at_end(text.as_bytes()), None, "{text}");
        }
        assert_eq!(known().around(b"x [REDACTED:email] y", 14), Some(18));
        assert_eq!(known().around(b"x [REDACTED:mails] y", 14), None);
        assert_eq!(known().around(b"email] y", 2), None);
        for (at, wanted) in [(1, None), (2, Some((2, 18))), (17, Some((2, 18))), (18, None)] {
            assert_eq!(known().holding(b"x [REDACTED:email] y", at), wanted, "{at}");
        }
    }

    #[test]
    fn pseudonyms_of_known_keys_are_placeholders() {
        let pseudonym = "[HMAC:2026-11:gaoedbfjbooalghpanikcgkkmlpflhhp]";
        let known = known().with_keys(["2026-11"]);
        assert!(known.is(pseudonym.as_bytes()));
        assert!(!known.is(pseudonym.replace("11", "12").as_bytes()));
        assert!(!Placeholders::new(["email"]).is(pseudonym.as_bytes()));
        let text = format!("//{pseudonym}");
        assert_eq!(known.of(false).at_end(text.as_bytes()), Some(2));
        for at in 3..text.len() {
            assert_eq!(known.around(text.as_bytes(), at), Some(text.len()), "{at}");
        }
        for at in [0, 1, 2, text.len()] {
            assert_eq!(known.around(text.as_bytes(), at), None, "{at}");
        }
        let key = format!("a{pseudonym}b[REDACTED:email#2]c[x]");
        assert_eq!(known.left_out_of(key.as_bytes()), b"a b c[x]");
        assert_eq!(known.behind_last(format!("{pseudonym}_password").as_bytes()), b"_password");
        assert!(known.of(false).are_all(format!("ada:{pseudonym}").as_bytes()));
        assert!(!known.of(false).are_all(format!("{pseudonym}x").as_bytes()));
    }
}
