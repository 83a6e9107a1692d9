//! The keys above a value, as context and vetoes read them.

use crate::engine::decode::{self, OffsetMap};
use crate::engine::path::words::Words;

use super::value::without_placeholders;

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
    pub(super) fn any(&self, words: &mut Words, is: &dyn Fn(&Words) -> bool) -> bool {
        let own = self.keys.iter().rev().any(|&(s, e)| {
            set(words, &self.buf[s as usize..e as usize]);
            is(words)
        });
        own || self.above.is_some_and(|a| a.any(words, is))
    }
}

/// Takes the words of a raw key, of its escapes decoded and its placeholders left out.
fn set(words: &mut Words, raw: &[u8]) {
    if !raw.iter().any(|b| matches!(b, b'\\' | b'[')) {
        return words.set(raw);
    }
    // Rare enough for memory of its own.
    let mut key = Vec::new();
    if !raw.contains(&b'\\') || decode::unescape(raw, &mut key, &mut OffsetMap::default()).is_err()
    {
        key = raw.to_vec();
    }
    words.set(&without_placeholders(&key));
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
            (r"broken\u", "brokenu"),
        ] {
            let mut words = Words::default();
            set(&mut words, raw.as_bytes());
            assert_eq!(words.joined, want, "{raw}");
        }
    }
}
