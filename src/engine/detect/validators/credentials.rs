//! Values of flags, and HTTP credentials behind a scheme's name: `Bearer` (RFC 6750) and `Basic` (RFC 7617).

use crate::engine::detect::prose::is_word_of_prose;

/// `Bearer x` where x is no word of a sentence, `Basic x` where x is base64 of `user:password`.
pub(super) fn http_credentials(text: &[u8]) -> bool {
    let Some(space) = text.iter().position(|&b| b == b' ') else { return false };
    let (scheme, value) = (&text[..space], text[space..].trim_ascii());
    // Whether that is a placeholder is decided where their ids are known.
    if memchr::memmem::find(value, b"[REDACTED:").is_some() {
        return true;
    }
    if scheme.eq_ignore_ascii_case(b"basic") { is_user_and_password(value) } else { opaque(value) }
}

/// What may be the value of `--password value`: no prose (`--password is required`), no word for a
/// flag, no template and no mask.
pub(super) fn flag_value(text: &[u8]) -> bool {
    const NOUNS: [&str; 9] =
        ["option", "options", "flag", "flags", "argument", "parameter", "value", "and", "stdin"];
    let Some(space) = text.iter().position(|&b| b == b' ') else { return false };
    let value = text[space..].trim_ascii();
    let word = value.strip_suffix(b".").or(value.strip_suffix(b",")).unwrap_or(value);
    !word.is_empty()
        && !is_word_of_prose(word)
        && !NOUNS.iter().any(|n| word.eq_ignore_ascii_case(n.as_bytes()))
        // `docker build --secret id=npmrc,src=…` names one.
        && !value.starts_with(b"id=")
        && !value.iter().all(|b| b"*.xX".contains(b))
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
    fn values_of_flags() {
        for good in ["--token abc", "--password hunter2", "--pass 'is x'", "--secret secret"] {
            assert!(flag_value(good.as_bytes()), "{good}");
        }
        for bad in ["--token", "--password is", "--token flag,", "--secret id=x", "--pass ****"] {
            assert!(!flag_value(bad.as_bytes()), "{bad}");
        }
    }

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
