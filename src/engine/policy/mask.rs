//! Masks: stars in place of characters, but for some at the ends.

use std::ops::Range;

/// What of a masked finding is replaced, and by how many stars. Stars need no escape in any
/// spelling, and what stays is not spelt anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mask {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) stars: u32,
}

/// The mask of the characters `range` of `text`; `None`: it is masked so already.
///
/// At most half of the characters stay: the first ones first, then the last ones.
pub(crate) fn mask(text: &[u8], range: Range<usize>, first: u16, last: u16) -> Option<Mask> {
    let begins = |at: &usize| text[*at] & 0xC0 != 0x80;
    let count = range.clone().filter(begins).count();
    let first = usize::from(first).min(count / 2);
    let last = usize::from(last).min(count / 2 - first);
    let place = |n: usize| range.clone().filter(begins).nth(n).unwrap_or(range.end);
    let (from, to) = (place(first), place(count - last));
    let stars = (count - first - last) as u32;
    let masked = text[from..to].iter().all(|&b| b == b'*');
    (!masked).then_some(Mask { from, to, stars })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, first: u16, last: u16) -> String {
        match mask(text.as_bytes(), 0..text.len(), first, last) {
            None => text.into(),
            Some(m) => {
                format!("{}{}{}", &text[..m.from], "*".repeat(m.stars as usize), &text[m.to..])
            }
        }
    }

    #[test]
    fn at_most_half_of_the_characters_stay() {
        for (text, first, last, wanted) in [
            ("4111111111111111", 0, 4, "************1111"),
            ("ada@example.com", 2, 0, "ad*************"),
            ("ada@example.com", 2, 4, "ad*********.com"),
            ("abcd", 9, 9, "ab**"),
            ("abcd", 0, 9, "**cd"),
            ("abcd", 1, 9, "a**d"),
            ("abc", 0, 4, "**c"),
            ("a", 1, 1, "*"),
            ("éàü日", 1, 1, "é**日"),
            ("", 1, 1, ""),
        ] {
            let once = masked(text, first, last);
            assert_eq!(once, wanted);
            assert_eq!(masked(&once, first, last), once, "masked again");
        }
    }
}
