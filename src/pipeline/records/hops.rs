//! How often a record was forwarded by this program, which a header of it says: what goes in a circle
//! of several clusters or topics is noticed by that alone.

use std::borrow::Cow;

use super::block::{Block, Record};

/// The header. Its value is a number in digits.
pub const HOP: &str = "__tamis.hop";

/// What the header says: most counts are one digit, which is written already.
pub(super) fn digits(hops: u32) -> Cow<'static, str> {
    const DIGITS: &str = "0123456789";
    let at = hops as usize;
    DIGITS.get(at..at.saturating_add(1)).map_or_else(|| hops.to_string().into(), Cow::Borrowed)
}

impl Block {
    /// How often a record was forwarded, by what its header says; a value that is no number says
    /// nothing.
    pub fn hops(&self, record: &Record) -> u32 {
        let mut said = self.headers(record).iter().filter(|header| self.is_hop(&header.name));
        let value = said.next_back().and_then(|header| header.value.as_ref());
        let text = value.and_then(|value| str::from_utf8(self.bytes(value)).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Whether a header's name is that one.
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
