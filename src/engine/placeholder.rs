//! Placeholders: `[REDACTED:email]`, and in keys `[REDACTED:email#2]`.
//!
//! What has the form of a placeholder may still be anybody's text (`[REDACTED:hunter2]`). Only ids
//! that a detector or a rule has, or that the policy lists, make one.

use std::collections::HashSet;

/// What every placeholder begins with.
const OPEN: &[u8] = b"[REDACTED:";

/// No id is longer: what is longer is not looked through again and again.
const LONGEST: usize = 256;

/// Ids that every Tamis gives: those of a rule without a name, and of a header that is no text.
const OWN: [&str; 2] = ["path", "unreadable"];

/// The ids that make placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Placeholders(HashSet<Box<[u8]>>);

impl Placeholders {
    /// Those of `ids`, and of Tamis itself.
    pub(crate) fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self(ids.into_iter().chain(OWN).map(|id| id.as_bytes().into()).collect())
    }

    /// Whether `text` is a placeholder, all of it.
    #[inline]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        self.at_start(text) == Some(text.len())
    }

    /// The length of the placeholder that a value begins with.
    #[inline]
    pub(crate) fn at_start(&self, value: &[u8]) -> Option<usize> {
        let len = self.of_key(value)?;
        // Only keys are numbered.
        (!value[..len].contains(&b'#')).then_some(len)
    }

    /// The end of the placeholder whose id `at` stands in.
    pub(crate) fn around(&self, text: &[u8], at: usize) -> Option<usize> {
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

    /// Where the placeholder begins that `text` ends with.
    pub(crate) fn at_end(&self, text: &[u8]) -> Option<usize> {
        let inside = text.strip_suffix(b"]")?;
        let low = inside.len().saturating_sub(LONGEST);
        let len = inside[low..].iter().rev().take_while(|&&b| is_of_id(b)).count();
        let start = (inside.len() - len).checked_sub(OPEN.len())?;
        self.is(&text[start..]).then_some(start)
    }

    /// Whether what is to be replaced was replaced before: all of it, or the password behind a user.
    pub(crate) fn are_all(&self, found: &[u8]) -> bool {
        if memchr::memchr(b'[', found).is_none() {
            return false;
        }
        let behind = &found[self.at_start(found).unwrap_or(0)..];
        let password = memchr::memchr(b':', behind).map_or(&[][..], |colon| &behind[colon + 1..]);
        self.is(found) || self.is(password)
    }

    /// The length of the placeholder that a key, or text in which one may stand, begins with.
    fn of_key(&self, text: &[u8]) -> Option<usize> {
        let inside = text.strip_prefix(OPEN)?;
        let len = inside.iter().take_while(|&&b| is_of_id(b)).count();
        let closed = inside.get(len) == Some(&b']');
        (closed && self.knows(&inside[..len])).then_some(OPEN.len() + len + 1)
    }

    /// `text` with a space in place of each placeholder.
    pub(crate) fn left_out_of(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = memchr::memmem::find(rest, OPEN) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            let len = match self.of_key(rest) {
                Some(len) => {
                    out.push(b' ');
                    len
                }
                None => {
                    out.extend_from_slice(OPEN);
                    OPEN.len()
                }
            };
            rest = &rest[len..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// What follows the last placeholder in `text`; all of it where there is none.
    pub(crate) fn behind_last<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        if memchr::memchr(b'[', text).is_none() {
            return text;
        }
        let mut places = memchr::memmem::rfind_iter(text, OPEN);
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
        self.0.contains(name)
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
        assert_eq!(known().at_end(b"//[REDACTED:email]"), Some(2));
        for text in ["[REDACTED:x]", "[REDACTED:email] ", "]", "email]", "[[REDACTED:email#2]"] {
            assert_eq!(known().at_end(text.as_bytes()), None, "{text}");
        }
        assert_eq!(known().around(b"x [REDACTED:email] y", 14), Some(18));
        assert_eq!(known().around(b"x [REDACTED:mails] y", 14), None);
        assert_eq!(known().around(b"email] y", 2), None);
        for (at, wanted) in [(1, None), (2, Some((2, 18))), (17, Some((2, 18))), (18, None)] {
            assert_eq!(known().holding(b"x [REDACTED:email] y", at), wanted, "{at}");
        }
    }
}
