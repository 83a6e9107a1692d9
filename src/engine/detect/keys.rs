//! The keys above a value, as context and vetoes read them.

use crate::engine::decode::{self, OffsetMap};
use crate::engine::path::words::{Fields, Name, Words};
use crate::engine::placeholder::Placeholders;

use super::budget::{Budget, KEY, NAME};

/// The keys from the event's root to a value; the last is its own.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) buf: &'a [u8],
    pub(crate) keys: &'a [(u32, u32)],
    /// Of the event in whose string this one stands.
    pub(crate) above: Option<&'a Keys<'a>>,
    /// The row of globs of the value (see `path::globs`).
    pub(crate) row: &'a [u64],
}

impl Keys<'_> {
    /// Whether one of the keys has it, nearest first.
    pub(super) fn any(
        &self,
        words: &mut Words,
        budget: &mut Budget,
        placeholders: &Placeholders,
        is: &dyn Fn(&Words) -> bool,
    ) -> bool {
        let own = self.keys.iter().rev().any(|&(s, e)| {
            budget.spend(KEY + (e - s) as usize);
            set(words, &self.buf[s as usize..e as usize], placeholders);
            is(words)
        });
        own || self.above.is_some_and(|a| a.any(words, budget, placeholders, is))
    }

    /// Whether one of the event's own keys is of `fields`.
    pub(crate) fn name(&self, fields: &Fields, words: &mut Words, budget: &mut Budget) -> bool {
        self.keys.iter().any(|&(s, e)| {
            budget.spend(NAME + (e - s) as usize);
            is_secret(fields, &self.buf[s as usize..e as usize], words)
        })
    }
}

/// Whether `fields` have a name, as it is spelt in JSON.
pub(crate) fn is_secret(fields: &Fields, raw: &[u8], words: &mut Words) -> bool {
    if !raw.contains(&b'\\') {
        return fields.judge(raw, words) == Name::Secret;
    }
    // A name with escapes is rare enough to be decoded into memory of its own.
    fields.judge(&decoded(raw), words) == Name::Secret
}

/// A raw key with its escapes decoded, if they can be.
fn decoded(raw: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    match decode::unescape(raw, &mut key, &mut OffsetMap::default()) {
        Ok(()) => key,
        Err(_) => raw.to_vec(),
    }
}

/// Takes the words of a raw key, of its escapes decoded and its placeholders left out.
fn set(words: &mut Words, raw: &[u8], placeholders: &Placeholders) {
    if !raw.iter().any(|b| matches!(b, b'\\' | b'[')) {
        return words.set(raw);
    }
    words.set(&placeholders.left_out_of(&decoded(raw)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_decoded() {
        for (raw, want) in [
            ("orderId", "orderid"),
            (r"\u006frder_id", "orderid"),
            ("[REDACTED:us_ssn]", ""),
            ("a [REDACTED:us_ssn#2] b", "ab"),
            ("a[0]", "a0"),
            ("[REDACTED:card]", "redactedcard"),
            (r"broken\u", "brokenu"),
        ] {
            let mut words = Words::default();
            set(&mut words, raw.as_bytes(), &Placeholders::new(["us_ssn"]));
            assert_eq!(words.joined, want, "{raw}");
        }
    }
}
