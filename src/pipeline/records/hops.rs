//! Counts how many times this program forwarded a record, in a header. This is the only way to
//! detect a cycle between several clusters or topics.

use std::borrow::Cow;

use super::block::{Block, Record};

/// The header. Its value is a decimal number.
pub const HOP: &str = "__tamis.hop";

/// Returns the value of the header. Most counts have one digit, and need no allocation.
pub(super) fn digits(hops: u32) -> Cow<'static, str> {
    const DIGITS: &str = "0123456789";
    let at = hops as usize;
    DIGITS.get(at..at.saturating_add(1)).map_or_else(|| hops.to_string().into(), Cow::Borrowed)
}

impl Block {
    /// Returns how many times a record was forwarded, according to its header. A value that is not
    /// a number is ignored.
    pub fn hops(&self, record: &Record) -> u32 {
        let mut said = self.headers(record).iter().filter(|header| self.is_hop(&header.name));
        let value = said.next_back().and_then(|header| header.value.as_ref());
        let text = value.and_then(|value| str::from_utf8(self.bytes(value)).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Returns whether the name is that of the header.
    pub fn is_hop(&self, name: &std::ops::Range<usize>) -> bool {
        self.bytes(name) == HOP.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn a_count_is_written_in_digits() {
        for hops in [0, 1, 9, 10, 42, u32::MAX] {
            assert_eq!(digits(hops), hops.to_string());
        }
    }
}
