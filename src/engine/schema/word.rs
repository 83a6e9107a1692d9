//! Up to eight bytes as one word, for comparisons of all of them at once.

/// The byte `b` in every place.
pub(super) const fn splat(b: u8) -> u64 {
    u64::from_le_bytes([b; 8])
}

/// A string of up to 8 bytes, filled up with `fill`; of a longer one, the first 8.
#[inline]
pub(super) fn word(s: &[u8], fill: u8) -> u64 {
    if let Some(eight) = s.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    let fill = splat(fill) << (8 * s.len());
    // Two loads that overlap, rather than a loop over bytes.
    if let (Some(head), Some(tail)) = (s.first_chunk::<4>(), s.last_chunk::<4>()) {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        return fill | u64::from(head) | u64::from(tail) << (8 * (s.len() - 4));
    }
    let place = |i: usize| s.get(i).map_or(0, |&b| u64::from(b) << (8 * i));
    fill | place(0) | place(1) | place(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length() {
        let s = b"abcdefghi";
        for n in 0..=9 {
            let mut want = [0xee; 8];
            want[..n.min(8)].copy_from_slice(&s[..n.min(8)]);
            assert_eq!(word(&s[..n], 0xee), u64::from_le_bytes(want));
        }
    }
}
