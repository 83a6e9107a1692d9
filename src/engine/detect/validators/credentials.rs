//! HTTP credentials behind a scheme's name: `Bearer` (RFC 6750) and `Basic` (RFC 7617).

/// `Bearer x` where x is no word of a sentence, `Basic x` where x is base64 of `user:password`.
pub(super) fn http_credentials(text: &[u8]) -> bool {
    let Some(space) = text.iter().position(|&b| b == b' ') else { return false };
    let (scheme, value) = (&text[..space], text[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"basic") { is_user_and_password(value) } else { opaque(value) }
}

/// A token, no word: it has a digit, or it is long and mixes cases.
fn opaque(value: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| value.iter().any(class);
    (value.len() >= 6 && has(u8::is_ascii_digit))
        || (value.len() >= 24 && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
}

/// Base64 (either alphabet, padded or not, perhaps cut) of printable text with a colon in it.
fn is_user_and_password(value: &[u8]) -> bool {
    let (mut bits, mut held, mut colon) = (0u32, 0, false);
    for &byte in value {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => return false,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            let decoded = (bits >> held) & 0xff;
            if decoded < 0x20 || decoded == 0x7f {
                return false;
            }
            colon |= decoded == u32::from(b':');
        }
    }
    colon
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        for good in [
            "Bearer abc123",
            "bearer  0123456789abcdef",
            "Bearer aBcDeFgHiJkLmNoPqRsTuVwXyZ",
            "Basic dXNlcjpwYXNzd29yZA==",
            "basic dXNlcjpwYXNz",
            "Basic OnNlY3JldA",
        ] {
            assert!(http_credentials(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn sentences() {
        for bad in [
            "Bearer authentication",
            "Bearer realm",
            "Bearer token",
            "Basic authentication",
            "Basic internationalization",
            "Basic Zm9vYmFy",
            "Bearer",
            "Basic ",
            "",
        ] {
            assert!(!http_credentials(bad.as_bytes()), "{bad}");
        }
    }
}
