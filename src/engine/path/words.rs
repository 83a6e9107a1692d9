//! Words of a key: `userPassword`, `user-password`, `USER_PASSWORD` are *user password*.

use std::collections::HashSet;
use std::sync::Arc;

use crate::engine::memory;
use crate::engine::placeholder::Placeholders;

/// Calls `word` for each word of `key`, in order, as it stands: words end at what is no letter or
/// digit, between a lower-case and an upper-case letter (`userName`), before the last capital of a
/// run (`HTTPServer` is *HTTP Server*), and between letters and digits.
pub(crate) fn each(key: &[u8], mut word: impl FnMut(&[u8])) {
    let mut start = None;
    for i in 0..=key.len() {
        let Some(&b) = key.get(i).filter(|b| b.is_ascii_alphanumeric()) else {
            if let Some(s) = start.take() {
                word(&key[s..i]);
            }
            continue;
        };
        if let Some(s) = start {
            let before = key[i - 1];
            let next_is_lower = key.get(i + 1).is_some_and(u8::is_ascii_lowercase);
            let cut = b.is_ascii_digit() != before.is_ascii_digit()
                || b.is_ascii_uppercase() && before.is_ascii_lowercase()
                || b.is_ascii_uppercase() && before.is_ascii_uppercase() && next_is_lower;
            if cut {
                word(&key[s..i]);
                start = Some(i);
            }
        } else {
            start = Some(i);
        }
    }
}

/// The words of a key in lower case, joined: `("userpassword", [0, 4])` with each word's start.
#[derive(Debug, Default, Clone)]
pub(crate) struct Words {
    pub(crate) joined: String,
    pub(crate) starts: Vec<usize>,
    /// What they are the words of: the same key is asked about again and again.
    key: Vec<u8>,
}

impl Words {
    /// The bytes of memory that it holds.
    pub(crate) fn memory(&self) -> usize {
        self.joined.capacity() + memory::of(&self.starts) + memory::of(&self.key)
    }

    pub(crate) fn of(key: &[u8]) -> Self {
        let mut w = Words::default();
        w.set(key);
        w
    }

    /// Takes `key`'s words in place of its own, in the same memory.
    pub(crate) fn set(&mut self, key: &[u8]) {
        if self.key == key {
            return;
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        self.joined.clear();
        self.starts.clear();
        each(key, |word| {
            self.starts.push(self.joined.len());
            self.joined.extend(word.iter().map(|b| b.to_ascii_lowercase() as char));
        });
    }

    /// Whether some run of whole words, joined, is `phrase` (itself joined).
    pub(crate) fn contain(&self, phrase: &str) -> bool {
        self.starts.iter().any(|&s| {
            let rest = &self.joined[s..];
            rest.starts_with(phrase)
                && (rest.len() == phrase.len() || self.starts.contains(&(s + phrase.len())))
        })
    }
}

/// A phrase as packs write it (`api key`), joined and in lower case.
pub(crate) fn phrase(p: &str) -> String {
    Words::of(p.as_bytes()).joined
}

/// The bytes at a key's end that are looked at.
const KEY: usize = 128;

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Name {
    /// It is a secret.
    Secret,
    /// It looks like one, and is excepted by name.
    Excepted,
    /// Nothing.
    #[default]
    Other,
}

/// Names of fields whose value is a secret: the key's last words decide.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    names: HashSet<String>,
    not: HashSet<String>,
    /// Names of 6 letters and more also count at the end of a longer word (`dbpassword`).
    suffixes: Vec<String>,
    placeholders: Arc<Placeholders>,
}

impl Fields {
    /// `names` and `not` as packs write them.
    pub(crate) fn new(names: &[String], not: &[String], placeholders: &Arc<Placeholders>) -> Self {
        let joined = |l: &[String]| l.iter().map(|p| phrase(p)).collect::<HashSet<_>>();
        let names = joined(names);
        let suffixes = ["password", "passwd", "passphrase", "secret", "apikey"]
            .iter()
            .filter(|s| names.contains(**s))
            .map(|s| (*s).to_owned())
            .collect();
        Self { names, not: joined(not), suffixes, placeholders: Arc::clone(placeholders) }
    }

    /// What stands in keys and values in place of what was redacted.
    pub(crate) fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// Whether the value of `key` is a secret.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.judge(key, &mut Words::default()) == Name::Secret
    }

    /// What `key` says of its value; `w` is scratch space.
    pub(crate) fn judge(&self, key: &[u8], w: &mut Words) -> Name {
        if self.names.is_empty() {
            return Name::Other;
        }
        let key = &key[key.len().saturating_sub(KEY)..];
        // What follows a placeholder in a key that was redacted before decides.
        w.set(self.placeholders.behind_last(key));
        // `password2` is a password.
        while let Some(&last) = w.starts.last() {
            if !w.joined[last..].bytes().all(|b| b.is_ascii_digit()) {
                break;
            }
            w.joined.truncate(last);
            w.starts.pop();
        }
        let Some(&last) = w.starts.last() else { return Name::Other };
        let tails = || w.starts.iter().map(|&s| &w.joined[s..]);
        if tails().any(|t| self.not.contains(t)) {
            return Name::Excepted;
        }
        let secret = tails().any(|t| self.names.contains(t) && !by_chance(key, t))
            || self.suffixes.iter().any(|s| w.joined[last..].ends_with(s.as_str()));
        if secret { Name::Secret } else { Name::Other }
    }
}

/// Whether a short name stands at the end of a random id (`01WMG2F7HXKN9FD9SMMRJ5CVC3`): right
/// behind a digit.
fn by_chance(key: &[u8], name: &str) -> bool {
    let end = key.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |i| i + 1);
    let before = end.checked_sub(name.len() + 1).map(|i| key[i]);
    name.len() < 5
        && before.is_some_and(|b| b.is_ascii_digit())
        && key[end - name.len()..end].eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(k: &str) -> Vec<String> {
        let mut v = vec![];
        each(k.as_bytes(), |w| v.push(String::from_utf8_lossy(w).into_owned()));
        v
    }

    #[test]
    fn keys_split_into_words() {
        assert_eq!(words("userPassword"), ["user", "Password"]);
        assert_eq!(words("USER_PASSWORD"), ["USER", "PASSWORD"]);
        assert_eq!(words("x-api-key2"), ["x", "api", "key", "2"]);
        assert_eq!(words("HTTPServerURL"), ["HTTP", "Server", "URL"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn the_last_words_decide() {
        let s = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let known = Arc::new(Placeholders::new(["api_token"]));
        let names = s(&["password", "api key", "token", "cvc"]);
        let f = Fields::new(&names, &s(&["next token"]), &known);
        for yes in [
            "password",
            "userPassword",
            "DB_PASSWORD",
            "dbpassword",
            "apiKey",
            "apikey",
            "x-api-key",
            "auth.token",
            "password2",
            "access_token",
            "card_cvc",
            "card2_cvc",
            "[REDACTED:password]",
            "[REDACTED:api_token]_password",
        ] {
            assert!(f.has(yes.as_bytes()), "{yes}");
        }
        for no in [
            "password_reset_at",
            "prompt_tokens",
            "nextToken",
            "next_token",
            "key",
            "tokenizer",
            "",
            "[REDACTED:api_token]",
            "01WMG2F7HXKN9FD9SMMRJ5CVC3",
        ] {
            assert!(!f.has(no.as_bytes()), "{no}");
        }
    }
}
