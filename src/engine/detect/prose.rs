//! Prose behind `name: `: words that tell of a secret and are none.
//!
//! `JWT token: expired` and `*v1.Secret: Get "https://…"` are sentences; nothing but their words
//! tells them from `password: hunter2`. The lists are the trade-off: a password that is one of
//! their words, not quoted, behind a colon and a space (or a flag's name), stays. So they hold
//! words that logs say of secrets, and that no secret but a careless one is; passwords that people
//! do choose (`secret`, `password`, `admin`, `test`) are not among them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// No word of the lists is longer.
const LONGEST: usize = 16;

/// States and outcomes: prose wherever they stand.
const STATES: &str = "\
    absent accepted active authorized available blank cached cancelled changed check compat \
    configured corrupt created deleted denied deprecated detected disabled empty enabled eof \
    error exhausted existing exists expired fail failed failure files forbidden found \
    generated ignored inactive incorrect insufficient invalid issued loaded malformed matched \
    mismatch missing no ok omitted optional outdated passed present provided received \
    refreshed rejected renewed required reset revoked rotated saved secrets set skipped stale \
    stored success successful timeout unauthorized unchanged unexpected unknown unset \
    unsupported unused updated used valid verified yes";

/// Openings: prose where something follows.
const OPENINGS: &str = "\
    a about after all already always an and any are as at bad because been before but by can \
    cannot contains could delete does expected expires for from get had has have head if in \
    into is it its may might must need needs never new not of old on only or patch please post \
    put retrying see shall should some that the their there these this to too trying unable \
    using waiting was were when which while will with without would you your";

/// Kinds of things, in front of a quoted name: `secret "db-token" not found`.
const KINDS: &str = "\
    configmap credential key password secret secrets token";

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
    let (next, lists) = (rest.trim_ascii_start(), Lists::of(word));
    lists.has(Lists::STATE)
        || lists.has(Lists::OPENING) && next.len() < rest.len() && !next.is_empty()
        || lists.has(Lists::KIND) && next.len() < rest.len() && is_quote(next)
}

/// Whether the word is one of the lists, whatever follows it.
pub(super) fn is_word_of_prose(word: &[u8]) -> bool {
    let lists = Lists::of(word);
    written_as_a_word(word) && (lists.has(Lists::STATE) || lists.has(Lists::OPENING))
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

/// The lists that a word is of, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lists(u8);

impl Lists {
    const STATE: Self = Self(1);
    const OPENING: Self = Self(2);
    const KIND: Self = Self(4);

    /// Those of a word in either case.
    fn of(word: &[u8]) -> Self {
        static ALL: LazyLock<Vec<(u128, Lists)>> = LazyLock::new(Lists::all);
        let Some(number) = number(word) else { return Self(0) };
        ALL.binary_search_by_key(&number, |entry| entry.0).map_or(Self(0), |at| ALL[at].1)
    }

    fn has(self, list: Self) -> bool {
        self.0 & list.0 != 0
    }

    /// Every word with its lists, sorted.
    fn all() -> Vec<(u128, Self)> {
        let mut all = BTreeMap::new();
        for (list, kind) in [(STATES, Self::STATE), (OPENINGS, Self::OPENING), (KINDS, Self::KIND)]
        {
            for number in list.split_ascii_whitespace().filter_map(|word| number(word.as_bytes())) {
                all.entry(number).or_insert(Self(0)).0 |= kind.0;
            }
        }
        all.into_iter().collect()
    }
}

/// A word of ASCII letters in either case as a number, which is compared in one step.
fn number(word: &[u8]) -> Option<u128> {
    let mut bytes = [0; LONGEST];
    let lower = bytes.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(u128::from_be_bytes(bytes))
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
    fn lists_hold_words_in_lower_case() {
        for (list, kind) in
            [(STATES, Lists::STATE), (OPENINGS, Lists::OPENING), (KINDS, Lists::KIND)]
        {
            for word in list.split_ascii_whitespace() {
                assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
                assert!(word.len() <= LONGEST && Lists::of(word.as_bytes()).has(kind), "{word}");
            }
        }
        assert_eq!(Lists::of(b"secrets"), Lists(Lists::STATE.0 | Lists::KIND.0));
        assert_eq!(Lists::of(b"hunter"), Lists(0));
    }
}
