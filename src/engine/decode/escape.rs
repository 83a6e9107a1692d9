//! JSON string escapes (RFC 8259, section 7), both ways.

use memchr::memchr;

use super::decoder::{Decoder, Decoding, EscapeError};
use super::map::OffsetMap;

/// Decodes the content of a JSON string.
pub(crate) struct Escapes;

impl Decoder for Escapes {
    fn decoding(&self) -> Decoding {
        Decoding::Escapes
    }

    fn decode(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        map: &mut OffsetMap,
    ) -> Result<bool, EscapeError> {
        unescape(text, out, map).map(|()| true)
    }

    fn escapes_quotes(&self) -> bool {
        true
    }
}

/// What a one-letter escape stands for; 0 where there is no such escape.
const SIMPLE: [u8; 256] = {
    let mut t = [0; 256];
    t[b'"' as usize] = b'"';
    t[b'\\' as usize] = b'\\';
    t[b'/' as usize] = b'/';
    t[b'b' as usize] = 0x08;
    t[b'f' as usize] = 0x0c;
    t[b'n' as usize] = b'\n';
    t[b'r' as usize] = b'\r';
    t[b't' as usize] = b'\t';
    t
};

/// Whether the escapes of JSON string content are valid and hide nothing from whoever reads the raw
/// bytes: `\n`, `\r`, `\t`, `\"`, `\/`, a `\\` that no escape follows, and `&`, `<` and `>` as
/// careful encoders write them (`\u0026`). `starts` tells whether a token may start with the bytes
/// behind one of the last three, whose raw spelling ends in a letter or digit; `slash` whether one
/// behind these bytes may belong to a token's opening.
pub(crate) fn is_simple(
    raw: &[u8],
    starts: impl Fn(&[u8]) -> bool,
    slash: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut at = 0;
    while let Some(n) = memchr(b'\\', &raw[at..]) {
        at += n + 2;
        match raw.get(at - 1) {
            // A tab may stand between a name and its sign.
            Some(b't') if is_before_sign(&raw[at..]) => return false,
            Some(b'n' | b'r' | b't' | b'"') => {}
            Some(b'/') if !slash(&raw[..at - 2]) => {}
            Some(b'\\') if !matches!(raw.get(at), Some(b'"' | b'\\')) => {}
            Some(b'u') => {
                let (code, behind) = raw[at..].split_at_checked(4).unwrap_or_default();
                if !matches!(code, b"0026" | b"003c" | b"003e" | b"003C" | b"003E")
                    || starts(behind)
                {
                    return false;
                }
                at += 4;
            }
            _ => return false,
        }
    }
    true
}

/// Whether a sign stands here, or behind a few spaces.
fn is_before_sign(raw: &[u8]) -> bool {
    let spaces = raw.iter().take(8).take_while(|b| **b == b' ').count();
    matches!(raw.get(spaces), Some(b'=' | b':'))
}

/// Decodes the content of a JSON string (no quotes around it) and appends it to `out`.
///
/// `map` is cleared first; its offsets count from where `out` ended. On an error `out` is as it was.
/// Only escapes are judged: UTF-8, raw quotes and raw control characters pass as they are.
pub(crate) fn unescape(
    raw: &[u8],
    out: &mut Vec<u8>,
    map: &mut OffsetMap,
) -> Result<(), EscapeError> {
    let base = out.len();
    map.clear();
    out.reserve(raw.len());
    let mut at = 0;
    while let Some(run) = memchr(b'\\', &raw[at..]) {
        out.extend_from_slice(&raw[at..at + run]);
        at += run;
        // Escapes come in clusters (`\n\t`, `\"…\"`): no new search while one follows the other.
        while raw.get(at) == Some(&b'\\') {
            let decoded = out.len() - base;
            let simple = raw.get(at + 1).map_or(0, |&b| SIMPLE[usize::from(b)]);
            if simple != 0 {
                out.push(simple);
                map.push(decoded, 1, at, 2);
                at += 2;
                continue;
            }
            let (c, len) = unicode(raw, at).inspect_err(|_| out.truncate(base))?;
            let mut utf8 = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
            map.push(decoded, c.len_utf8() as u8, at, len);
            at += usize::from(len);
        }
    }
    out.extend_from_slice(&raw[at..]);
    Ok(())
}

/// Judges the escapes of `raw` without decoding them.
///
/// `raw` may be a whole line, where backslashes stand only inside strings; one outside a string
/// is judged like any other, which is the grammar's business.
pub(crate) fn check_escapes(raw: &[u8]) -> Result<(), EscapeError> {
    let mut at = 0;
    while let Some(run) = memchr(b'\\', &raw[at..]) {
        at += run;
        while raw.get(at) == Some(&b'\\') {
            let simple = raw.get(at + 1).map_or(0, |&b| SIMPLE[usize::from(b)]);
            at += if simple != 0 { 2 } else { usize::from(unicode(raw, at)?.1) };
        }
    }
    Ok(())
}

/// The `\uXXXX`, or the pair of them, at `at`: its character and its length in the source.
#[inline(never)]
fn unicode(raw: &[u8], at: usize) -> Result<(char, u8), EscapeError> {
    let high = hex4(raw, at).ok_or(EscapeError::Invalid(at))?;
    if let Some(c) = char::from_u32(high) {
        return Ok((c, 6));
    }
    let low = hex4(raw, at + 6).filter(|low| (0xdc00..0xe000).contains(low));
    match low {
        Some(low) if high < 0xdc00 => {
            let c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            // A high and a low half make 0x10000 to 0x10ffff: always a scalar value.
            Ok((char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 12))
        }
        _ => Err(EscapeError::LoneSurrogate(at)),
    }
}

/// The code unit of the `\uXXXX` at `at`.
fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = raw.get(at..at + 6)? else { return None };
    digits.iter().try_fold(0, |n, &d| Some(n << 4 | char::from(d).to_digit(16)?))
}

/// Appends `text` to `out` as the content of a JSON string: `"`, `\` and control characters
/// escaped, everything else (UTF-8 too) as it is. No quotes are added.
pub(crate) fn escape_into(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len());
    let mut rest = text;
    loop {
        let (run, tail) = rest.split_at(plain(rest));
        out.extend_from_slice(run);
        let Some((&b, tail)) = tail.split_first() else { return };
        rest = tail;
        let short = match b {
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            b'"' | b'\\' => b,
            _ => {
                let digit = |n: u8| b"0123456789abcdef"[usize::from(n)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(b >> 4), digit(b & 15)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

/// How many bytes at the start of `text` need no escape.
fn plain(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (i, w) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*w));
        if special != 0 {
            return 8 * i + special.trailing_zeros() as usize / 8;
        }
    }
    let escaped = |&b: &u8| b < 0x20 || b == b'"' || b == b'\\';
    8 * words.len() + rest.iter().position(escaped).unwrap_or(rest.len())
}

/// The top bit of the first byte that must be escaped; bits above it mean nothing, and zero none.
fn special(w: u64) -> u64 {
    const fn splat(b: u8) -> u64 {
        u64::from_le_bytes([b; 8])
    }
    // A byte below `limit` borrows from its top bit; one that had the bit set before isn't below.
    let below = |w: u64, limit: u8| w.wrapping_sub(splat(limit)) & !w;
    let hits = below(w, 0x20) | below(w ^ splat(b'"'), 1) | below(w ^ splat(b'\\'), 1);
    hits & splat(0x80)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(raw: &str) -> Result<String, EscapeError> {
        let (mut out, mut map) = (b"before".to_vec(), OffsetMap::default());
        let r = unescape(raw.as_bytes(), &mut out, &mut map);
        assert_eq!(check_escapes(raw.as_bytes()), r);
        assert!(out.starts_with(b"before"));
        r.map(|()| String::from_utf8(out.split_off(6)).unwrap())
    }

    #[test]
    fn every_escape() {
        assert_eq!(decode(r#"a\"\\\/\b\f\n\r\tz"#).unwrap(), "a\"\\/\x08\x0c\n\r\tz");
        assert_eq!(decode(r"\u0040\u00e9\u20AC\ud83d\ude00").unwrap(), "@é€😀");
        assert_eq!(decode(r"\u0000").unwrap(), "\0");
        assert_eq!(decode("").unwrap(), "");
        assert_eq!(decode("plain é").unwrap(), "plain é");
    }

    #[test]
    fn refused() {
        use EscapeError::{Invalid, LoneSurrogate};
        for (raw, want) in [
            (r"\", Invalid(0)),
            (r"ab\x41", Invalid(2)),
            (r"\'", Invalid(0)),
            (r"\N", Invalid(0)),
            (r"\u12", Invalid(0)),
            (r"\u12g4", Invalid(0)),
            (r"\u+123", Invalid(0)),
            (r"\U0041", Invalid(0)),
            (r"\n\ud800", LoneSurrogate(2)),
            (r"\ud800x", LoneSurrogate(0)),
            (r"\ud800\n", LoneSurrogate(0)),
            (r"\ud800\u0041", LoneSurrogate(0)),
            (r"\ud800\ud800\udc00", LoneSurrogate(0)),
            (r"\udc00", LoneSurrogate(0)),
            (r"\udc00\ud800", LoneSurrogate(0)),
            (r"\ud83d\ude0", LoneSurrogate(0)),
        ] {
            assert_eq!(decode(raw), Err(want), "{raw}");
        }
    }

    #[test]
    fn whole_lines() {
        assert_eq!(check_escapes(br#"{"a":"\n","b\u00e9":"C:\\"}"#), Ok(()));
        assert_eq!(check_escapes(br#"{"a":"\d"}"#), Err(EscapeError::Invalid(6)));
    }

    #[test]
    fn escapes_only_what_it_must() {
        let mut out = Vec::new();
        escape_into("\"\\/\x01\x1f\x7f\u{2028}é\n\tok".as_bytes(), &mut out);
        assert_eq!(out, "\\\"\\\\/\\u0001\\u001f\x7f\u{2028}é\\n\\tok".as_bytes());
    }

    /// Text, with how each character is spelled: as it is, short, or `\uXXXX`.
    fn spelled() -> impl Strategy<Value = String> {
        let piece = (prop_oneof![any::<char>(), "[ -~\n\t\"\\\\]".prop_map(first)], 0..3u8);
        prop::collection::vec(piece, 0..40)
            .prop_map(|pieces| pieces.into_iter().map(|(c, how)| spell(c, how)).collect::<String>())
    }

    fn first(s: String) -> char {
        s.chars().next().unwrap()
    }

    fn spell(c: char, how: u8) -> String {
        let json = serde_json::to_string(&c).unwrap();
        let plain = json[1..json.len() - 1].to_owned();
        match how {
            0 => c.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect(),
            1 if c == '/' => "\\/".into(),
            _ => plain,
        }
    }

    proptest! {
        #[test]
        fn like_serde_json(raw in spelled()) {
            let want: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
            prop_assert_eq!(decode(&raw), Ok(want));
        }

        #[test]
        fn judges_like_serde_json(raw in r"(\\[u\\/bfnrtxd0]?|u|d8[0-9]{2}|dc[0-9]{2}|[0-9a-f]{1,4}|é)*") {
            let want = serde_json::from_str::<String>(&format!("\"{raw}\""));
            prop_assert_eq!(decode(&raw).ok(), want.ok());
        }

        #[test]
        fn escaped_comes_back(text in any::<String>()) {
            let mut raw = Vec::new();
            escape_into(text.as_bytes(), &mut raw);
            let raw = String::from_utf8(raw).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{raw}\"")).unwrap(), text.as_str());
            prop_assert_eq!(decode(&raw).unwrap(), text);
        }

        #[test]
        fn the_map_covers(raw in spelled(), a in 0..200usize, b in 0..200usize) {
            let (mut out, mut map) = (Vec::new(), OffsetMap::default());
            unescape(raw.as_bytes(), &mut out, &mut map).unwrap();
            let (a, b) = (a.min(out.len()), b.min(out.len()));
            let (a, b) = (a.min(b), a.max(b));
            let src = map.source(a..b);
            prop_assert!(src.start <= src.end && src.end <= raw.len());
            // The source decodes alone, and to text that covers what was asked for.
            let (mut part, mut scratch) = (Vec::new(), OffsetMap::default());
            unescape(&raw.as_bytes()[src.clone()], &mut part, &mut scratch).unwrap();
            let (mut head, mut head_map) = (Vec::new(), OffsetMap::default());
            unescape(&raw.as_bytes()[..src.start], &mut head, &mut head_map).unwrap();
            let covered = head.len()..head.len() + part.len();
            prop_assert!(covered.start <= a && b <= covered.end);
            prop_assert_eq!(&part[a - covered.start..b - covered.start], &out[a..b]);
            // And no more than the character around either end.
            prop_assert!(a - covered.start < 4 && covered.end - b < 4);
        }

        #[test]
        fn total(raw in prop::collection::vec(any::<u8>(), 0..64)) {
            let (mut out, mut map) = (Vec::new(), OffsetMap::default());
            let r = unescape(&raw, &mut out, &mut map);
            prop_assert_eq!(check_escapes(&raw), r);
            prop_assert!(r.is_ok() || out.is_empty());
        }
    }
}
