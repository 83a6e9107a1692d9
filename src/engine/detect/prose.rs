//! Prose behind `name: `: words that tell of a secret and are none.
//!
//! `JWT token: expired` and `*v1.Secret: Get "https://…"` are sentences; nothing but their words
//! tells them from `password: hunter2`. The lists are the trade-off: a password that is one of
//! their words, not quoted, behind a colon and a space (or a flag's name), stays. So they hold
//! words that logs say of secrets, and that no secret but a careless one is; passwords that people
//! do choose (`secret`, `password`, `admin`, `test`) are not among them.

use std::sync::LazyLock;

/// No word of the lists is longer.
const LONGEST: usize = 16;

/// States and outcomes: prose wherever they stand.
static STATES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "\
    absent accepted active authorized available blank cached cancelled changed check compat \
    configured corrupt created deleted denied deprecated detected disabled empty enabled eof \
    error exhausted existing exists expired fail failed failure files forbidden found \
    generated ignored inactive incorrect insufficient invalid issued loaded malformed matched \
    mismatch missing no ok omitted optional outdated passed present provided received \
    refreshed rejected renewed required reset revoked rotated saved secrets set skipped stale \
    stored success successful timeout unauthorized unchanged unexpected unknown unset \
    unsupported unused updated used valid verified yes",
    )
});

/// Openings: prose where something follows.
static OPENINGS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "\
    a about after all already always an and any are as at bad because been before but by can \
    cannot contains could delete does expected expires for from get had has have head if in \
    into is it its may might must need needs never new not of old on only or patch please post \
    put retrying see shall should some that the their there these this to too trying unable \
    using waiting was were when which while will with without would you your",
    )
});

/// Kinds of things, in front of a quoted name: `secret "db-token" not found`.
static KINDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "\
    configmap credential key password secret secrets token",
    )
});

/// Whether `text` goes on in prose: its first word is one of the lists, written as words are.
pub(super) fn is_prose(text: &[u8]) -> bool {
    let len = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (word, mut rest) = text.split_at(len);
    if !written_as_a_word(word) {
        return false;
    }
    while let [b'.' | b',' | b':' | b';' | b'!' | b'?' | b')', behind @ ..] = rest {
        rest = behind;
    }
    if !rest.first().is_none_or(|&b| b.is_ascii_whitespace() || b"\"'`\\".contains(&b)) {
        return false;
    }
    let next = rest.trim_ascii_start();
    is_one_of(&STATES, word)
        || is_one_of(&OPENINGS, word) && next.len() < rest.len() && !next.is_empty()
        || is_one_of(&KINDS, word) && next.len() < rest.len() && is_quote(next)
}

/// Whether the word is one of the lists, whatever follows it.
pub(super) fn is_word_of_prose(word: &[u8]) -> bool {
    written_as_a_word(word) && (is_one_of(&STATES, word) || is_one_of(&OPENINGS, word))
}

fn is_quote(text: &[u8]) -> bool {
    let slashes = text.iter().take_while(|&&b| b == b'\\').count();
    matches!(text.get(slashes), Some(b'"' | b'\'' | b'`'))
}

/// `expired`, `Expired` or `EXPIRED`, not `exPired`.
fn written_as_a_word(word: &[u8]) -> bool {
    let Some((first, rest)) = word.split_first() else { return false };
    rest.iter().all(u8::is_ascii_lowercase)
        || first.is_ascii_uppercase() && rest.iter().all(u8::is_ascii_uppercase)
}

fn is_one_of(list: &LazyLock<Vec<&str>>, word: &[u8]) -> bool {
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let lower: &[u8] = lower;
    list.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok()
}

fn words(list: &'static str) -> Vec<&'static str> {
    list.split_ascii_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_told_from_secrets() {
        for prose in [
            "expired",
            "Expired.",
            "EOF",
            "YES)",
            "missing or too short",
            "Get \"https://x\"",
            "the one",
            "secret \"db-token\" not found",
            "secret \\\"db\\\" not found",
            "not found",
            "invalid, retry",
            "files systemd",
        ] {
            assert!(is_prose(prose.as_bytes()), "{prose}");
        }
        for secret in [
            "",
            "hunter2",
            "secret",
            "password",
            "secret next",
            "correct horse",
            "the",
            "exPired",
            "expired2",
            "expired-1",
            "get",
            "missing=1",
            "yes&a",
            "set.by@x.org",
            "1",
            "\"x\"",
        ] {
            assert!(!is_prose(secret.as_bytes()), "{secret}");
        }
    }

    #[test]
    fn lists_are_sorted_and_in_lower_case() {
        for list in [&STATES, &OPENINGS, &KINDS] {
            assert!(list.windows(2).all(|w| w[0] < w[1]), "{list:?}");
            let lower = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase());
            assert!(list.iter().all(|w| lower(w) && w.len() <= LONGEST), "{list:?}");
        }
    }
}
