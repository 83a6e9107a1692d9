//! Percent-encoding (RFC 3986, section 2.1).

use memchr::memchr;

use super::decoder::{Decoder, Decoding, EscapeError, Look};
use super::map::OffsetMap;

/// Decodes percent-encoding.
pub(crate) struct Percent;

impl Decoder for Percent {
    fn decoding(&self) -> Decoding {
        Decoding::Percent
    }

    fn sign(&self) -> Option<u8> {
        Some(b'%')
    }

    fn spot(&self, text: &[u8], _: Look) -> bool {
        memchr::memchr_iter(b'%', text).any(|at| hex2(text, at + 1).is_some())
    }

    fn decode(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        map: &mut OffsetMap,
    ) -> Result<bool, EscapeError> {
        Ok(percent(text, out, map))
    }

    /// What is decoded leaves more to look at in fewer bytes.
    fn cost(&self) -> usize {
        5
    }
}

/// Decodes the `%XX` sequences of `text` and appends the result to `out`; false, with `out` as it
/// was, if there is none.
///
/// `map` is cleared first; its offsets count from where `out` ended. A `%` without two
/// hexadecimal digits stays as it is, and so does `+` (a space only in form data). One level: `%2540`
/// becomes `%40`. The decoded bytes need not be UTF-8.
pub(crate) fn percent(text: &[u8], out: &mut Vec<u8>, map: &mut OffsetMap) -> bool {
    map.clear();
    let base = out.len();
    let (mut copied, mut at) = (0, 0);
    while let Some(run) = memchr(b'%', &text[at..]) {
        at += run;
        let Some(byte) = hex2(text, at + 1) else {
            at += 1;
            continue;
        };
        out.extend_from_slice(&text[copied..at]);
        map.push(out.len() - base, 1, at, 3);
        out.push(byte);
        at += 3;
        copied = at;
    }
    if copied == 0 {
        return false;
    }
    out.extend_from_slice(&text[copied..]);
    true
}

/// The byte that the two hexadecimal digits at `at` spell.
fn hex2(text: &[u8], at: usize) -> Option<u8> {
    let &[high, low] = text.get(at..at + 2)? else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(text: &str) -> Option<Vec<u8>> {
        let (mut out, mut map) = (b"before".to_vec(), OffsetMap::default());
        let any = percent(text.as_bytes(), &mut out, &mut map);
        let out = out.split_off(6);
        assert!(any || out.is_empty());
        any.then_some(out)
    }

    #[test]
    fn decodes_what_is_encoded() {
        assert_eq!(decode("jane%40example.org").unwrap(), b"jane@example.org");
        assert_eq!(decode("%C3%a9").unwrap(), "é".as_bytes());
        assert_eq!(decode("%ff%00").unwrap(), b"\xff\0");
        assert_eq!(decode("100%%20+%2540%").unwrap(), b"100% +%40%");
        assert_eq!(decode("%4g%40%4").unwrap(), b"%4g@%4");
    }

    #[test]
    fn leaves_the_rest() {
        for text in ["", "%", "100%", "%4", "%zz", "a%+1", "50% of 20%", "%é40"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn maps_back() {
        let (mut out, mut map) = (Vec::new(), OffsetMap::default());
        assert!(percent(b"u=jane%40example.org&x", &mut out, &mut map));
        assert_eq!(map.source(2..18), 2..20);
        assert_eq!(map.source(6..7), 6..9);
        assert_eq!(map.source(7..8), 9..10);
    }

    proptest! {
        #[test]
        fn round_trip(bytes in prop::collection::vec(any::<u8>(), 1..40), plain in any::<u64>(), a in 0..40usize, b in 0..40usize) {
            let keep = |i: usize, c: u8| plain >> (i % 64) & 1 == 1 && c.is_ascii_alphanumeric();
            let mut text = String::new();
            let mut starts = Vec::new();
            for (i, &c) in bytes.iter().enumerate() {
                starts.push(text.len());
                if keep(i, c) { text.push(c.into()) } else { text.push_str(&format!("%{c:02X}")) }
            }
            starts.push(text.len());
            let (mut out, mut map) = (Vec::new(), OffsetMap::default());
            if percent(text.as_bytes(), &mut out, &mut map) {
                prop_assert_eq!(&out, &bytes);
                let (a, b) = (a.min(b).min(bytes.len()), a.max(b).min(bytes.len()));
                prop_assert_eq!(map.source(a..b), starts[a]..starts[b]);
            } else {
                prop_assert_eq!(text.as_bytes(), &bytes[..]);
                prop_assert!(out.is_empty());
            }
        }
    }
}
