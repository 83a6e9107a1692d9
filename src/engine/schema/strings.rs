//! The strings of an `enum` or a `const`.

use super::word::word;

/// A set of strings. Those of up to 8 bytes are compared as one word each.
#[derive(Debug, Clone, Default)]
pub(super) struct Strings {
    short: Box<[u64]>,
    /// Sorted.
    long: Box<[Box<[u8]>]>,
}

impl Strings {
    pub(super) fn new<'a>(strings: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut short, mut long) = (Vec::new(), Vec::new());
        for s in strings {
            match packed(s.as_bytes()) {
                Some(w) => short.push(w),
                None => long.push(s.as_bytes().into()),
            }
        }
        long.sort_unstable();
        Self { short: short.into(), long: long.into() }
    }

    /// Whether the UTF-8 string `s` is one of them.
    pub(super) fn has(&self, s: &[u8]) -> bool {
        match packed(s) {
            Some(w) => self.short.iter().fold(false, |hit, &x| hit | (x == w)),
            None => self.long.binary_search_by(|x| (**x).cmp(s)).is_ok(),
        }
    }
}

/// A string of up to 8 bytes as a word, filled up with 0xff, which no UTF-8 string holds; `None`
/// for a longer one.
fn packed(s: &[u8]) -> Option<u64> {
    (s.len() <= 8).then(|| word(s, 0xff))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn has_what_it_was_given() {
        let all = [
            "",
            "a",
            "a\0",
            "ab",
            "abc",
            "abcd",
            "abcde",
            "abcdefg",
            "abcdefgh",
            "abcdefghi",
            "é",
            "trace",
        ];
        for (i, one) in all.iter().enumerate() {
            let rest = Strings::new(all.iter().copied().filter(|s| s != one));
            assert!(!rest.has(one.as_bytes()), "{one:?}");
            assert!(all.iter().enumerate().all(|(j, s)| i == j || rest.has(s.as_bytes())));
        }
        assert!(!Strings::default().has(b""));
    }

    proptest! {
        #[test]
        fn like_a_list(set in prop::collection::vec("[ab\0é]{0,10}", 0..12), s in "[ab\0é]{0,10}") {
            let strings = Strings::new(set.iter().map(String::as_str));
            prop_assert_eq!(strings.has(s.as_bytes()), set.contains(&s));
        }
    }
}
