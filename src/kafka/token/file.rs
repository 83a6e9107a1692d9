//! Reads a token from a file.

use std::{fs::File, io::Read as _};

use super::{NoToken, Token, expiry};

/// How long a token is used before the file is read again, in milliseconds.
const AGAIN: u64 = 60_000;
/// The maximum length of a token.
const LONGEST: u64 = 64 << 10;
const KEY: &str = "kafka.sasl.token_file";

pub(super) fn read(path: &str, now: u64) -> Result<Token, NoToken> {
    let passing = |what: String| NoToken { what: format!("{KEY} {path}: {what}"), lasts: false };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|error| passing(error.to_string()))?;
    let text = text.trim().to_owned();
    if text.is_empty() || text.len() as u64 >= LONGEST || text.contains(char::is_whitespace) {
        return Err(passing("the file does not contain a token".into()));
    }
    let until = expiry(&text);
    if until.is_some_and(|until| until <= now) {
        return Err(passing("the token in the file has expired".into()));
    }
    Ok(Token { text, since: now, until: until.map_or(now + AGAIN, |until| until.min(now + AGAIN)) })
}
