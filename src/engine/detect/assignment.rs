//! Assignments in text: `password=…`, `Password: …`, `--token=…`, `"password"=>"…"`,
//! `Authorization: Bearer …`, query parameters, connection strings, HTTP heads.

mod value;

use super::budget::Budget;
use super::pack::Step;
use super::prose::is_prose;
use crate::engine::index::gate::{before_controls, colour_at_end};
use crate::engine::path::words::Name;
use crate::engine::placeholder::{Counted, Placeholders};
use value::{line_long, names_nothing, scheme, value, value_start};

/// An assignment's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Where the name begins.
    pub(super) from: usize,
    /// The value, without quotes.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The longest name that is looked at.
const NAME: usize = 64;

/// The assignment around the equals sign or colon at `at` in `text[low..high]`. `judge` says what a
/// name says of its value.
pub(super) fn find(
    text: &[u8],
    (low, high): (usize, usize),
    at: usize,
    judge: impl FnOnce(&[u8], &mut Budget) -> Name,
    placeholders: Counted<'_>,
    budget: &mut Budget,
) -> Result<Assignment, Step> {
    let (from, name_end) = name(text, low, at, placeholders.known).ok_or(Step::Shape)?;
    let name = &text[from..name_end];
    match judge(name, budget) {
        Name::Secret => {}
        Name::Excepted => return Err(Step::Veto),
        Name::Other => return Err(Step::Shape),
    }
    let colon = text[at] == b':';
    if colon && (complains(text, low, from) || is_type(text, low, from, name)) {
        return Err(Step::Veto);
    }
    let begin = value_start(text, at, high).ok_or(Step::Regex)?;
    let spaced = at + 1 < begin && text[at + 1..begin].iter().all(|b| b" \t".contains(b));
    let quoted = text[name_end..at].iter().any(|b| b"\"'`".contains(b));
    // Before the value is looked through, which may be long. (No quote is a word of prose.)
    if colon && spaced && !quoted && is_prose(&text[scheme(text, begin, high)..high]) {
        return Err(Step::Veto);
    }
    let limit = high.min(begin.saturating_add(budget.left()).saturating_add(1));
    let (start, mut end) = value(text, begin, limit, line_long(name), placeholders);
    budget.spend(end - begin);
    if in_userinfo(text, low, from) {
        end = userinfo_end(text, start, end).ok_or(Step::Veto)?;
    }
    let value = &text[start..end];
    if value.is_empty() || names_nothing(value) {
        return Err(Step::Regex);
    }
    if is_directory(name, value) {
        return Err(Step::Veto);
    }
    if placeholders.is(value) {
        return Err(Step::AllowList);
    }
    Ok(Assignment { from, start, end })
}

/// The shell's variable for the working directory, whose name means a password elsewhere.
pub(crate) fn is_directory(name: &[u8], value: &[u8]) -> bool {
    matches!(name, b"PWD" | b"OLDPWD") && value.starts_with(b"/")
}

/// The name before the sign: `password`, `"password"`, `['password']`, `--db.password`.
fn name(text: &[u8], low: usize, at: usize, placeholders: &Placeholders) -> Option<(usize, usize)> {
    let mut end = before_controls(text, at).max(low);
    let mut closing = 0;
    while end > low
        && closing < 4
        && matches!(text[end - 1], b' ' | b'"' | b'\'' | b'`' | b']' | b'\\')
    {
        end -= 1;
        closing += 1;
    }
    let stop = low.max(end.saturating_sub(NAME));
    let len = text[stop..end]
        .iter()
        .rev()
        .take_while(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b))
        .count();
    let from = (end - len + colour(text, low, end - len)).min(end);
    // `[REDACTED:api_token]: …` is no name.
    let placeholder = placeholders.around(&text[low..], from - low).is_some();
    (from < end && !placeholder).then_some((from, end))
}

/// The length of the end of a colour (`36m` of `\x1b[1;36m`) that a name seems to begin with.
fn colour(text: &[u8], low: usize, from: usize) -> usize {
    let digits = text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let end = (from + digits + 1).min(text.len());
    if colour_at_end(&text[low..end]) > 0 { digits + 1 } else { 0 }
}

/// `Unexpected token: …`, `invalid password: …` speak about a secret and hold none.
fn complains(text: &[u8], low: usize, from: usize) -> bool {
    let before = &text[low.max(from.saturating_sub(16))..from];
    let word = before.trim_ascii_end();
    if word.len() == before.len() {
        return false;
    }
    ["unexpected", "invalid", "missing", "expired", "unknown", "bad", "wrong", "no"].iter().any(
        |w| {
            word.len() >= w.len() && {
                let (head, tail) = word.split_at(word.len() - w.len());
                tail.eq_ignore_ascii_case(w.as_bytes())
                    && head.last().is_none_or(|b| !b.is_ascii_alphanumeric())
            }
        },
    )
}

/// `*v1.Secret: …` speaks of a type.
fn is_type(text: &[u8], low: usize, from: usize, name: &[u8]) -> bool {
    text[low..from].last() == Some(&b'*') && name.contains(&b'.')
}

/// Whether the name stands in what may be the user and password of a URL: behind `://`, and
/// nothing that ends them between.
fn in_userinfo(text: &[u8], low: usize, from: usize) -> bool {
    let before = &text[low.max(from.saturating_sub(NAME))..from];
    let end = before.iter().rposition(|b| b.is_ascii_whitespace() || b"/?#@\"<>".contains(b));
    end.is_some_and(|i| before[..=i].ends_with(b"://"))
}

/// Where the value ends that begins in the user and password of a URL: before the last `@` of
/// them; `None` where it is a port (`http://token:8080/`).
fn userinfo_end(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let value = &text[start..end];
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let authority = value.iter().take_while(|b| !b"/?#\"<>".contains(b)).count();
    if digits > 0 && digits == authority {
        return None;
    }
    Some(memchr::memrchr(b'@', &value[..authority]).map_or(end, |i| start + i))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::path::words::{Fields, Words};

    fn found(text: &str) -> Option<&str> {
        let names = ["password", "token", "api key", "authorization", "cookie", "pwd"];
        let known = Placeholders::new(["secret_assignment", "npm_token"]).into();
        let fields = Fields::new(&names.map(String::from), &[], &known);
        let (mut words, mut budget) = (Words::default(), Budget::default());
        budget.begin(text.len(), 0);
        (0..text.len()).filter(|&i| matches!(text.as_bytes()[i], b'=' | b':')).find_map(|i| {
            let judge = |name: &[u8], _: &mut Budget| fields.judge(name, &mut words);
            let a = find(text.as_bytes(), (0, text.len()), i, judge, known.of(false), &mut budget)
                .ok()?;
            Some(&text[a.start..a.end])
        })
    }

    #[test]
    fn values_end_where_they_should() {
        for (text, value) in [
            ("password=hunter2", "hunter2"),
            ("Password: hunter2 next", "hunter2"),
            ("--token=abc --x=1", "abc"),
            ("token: 'a b'", "a b"),
            (r#""password"=>"x\"y""#, r#"x\"y"#),
            (r#"\"password\":\"x\",\"a\":1"#, "x"),
            ("Authorization: Bearer abc.def", "abc.def"),
            ("GET / HTTP/1.1\r\nCookie: a=b; c=d\r\nHost: x", "a=b; c=d"),
            ("Server=x;Pwd=y;Database=z", "y"),
            ("/x?api_key=K1&b=2", "K1"),
            ("password=a,b", "a,b"),
            ("password=a, user=b", "a"),
            ("password=a,user=b", "a"),
            ("Authorization: { }null", "{ }null"),
            ("(password=abc)", "abc"),
            ("config['password'] = 'x'", "x"),
            ("password := \"x\"", "x"),
            ("password: correct horse", "correct"),
            ("password=\0hunter2 x", "hunter2"),
            ("password: \x01\0 hunter2 x", "hunter2"),
            ("password\0=hunter2 x", "hunter2"),
            ("\"password\"\x01 : 'hunter2' x", "hunter2"),
            ("\x1b[36mpassword\x1b[0m=hunter2 x", "hunter2"),
            ("\x1b[mapi_key=K1", "K1"),
            ("\x1b[1;36mapi_key\x1b[0m=\x1b[mK1", "K1"),
            ("password=\x7f'a b'", "a b"),
            ("password=\rhunter2 x", "hunter2"),
            ("password=\x0chunter2\x0cx", "hunter2"),
            ("password=\x1b[1;32mhunter2\x1b[0m x", "hunter2"),
            ("password=\x1b[1mhun\x1b[0mter2\x1b[0m", "hun\x1b[0mter2"),
            ("password=hun\0ter2 x", "hun\0ter2"),
            ("A=b\0PASSWORD=x\0C=d", "x"),
            ("A=b\0PASSWORD=x\0", "x"),
            ("password=x\0 y", "x"),
            ("password=x\x1b[0m\x1b[K\n", "x"),
            ("password: secret", "secret"),
            ("password=expired", "expired"),
            ("password: 'expired'", "expired"),
            ("\"password\": expired", "expired"),
            ("https://x-token:abc@example.com/a/b.git", "abc"),
            ("https://token:a@b@example.com", "a@b"),
            ("https://example.com/?token=a@b", "a@b"),
            ("\"password\":{\"current\":\"x\"},\"a\":1", "{\"current\":\"x\"}"),
            ("password=[REDACTED:hunter2_trombone] x", "[REDACTED:hunter2_trombone]"),
            ("password=[REDACTED:npm_token]hunter2 x", "[REDACTED:npm_token]hunter2"),
            ("password=[hunter2]3 x", "[hunter2]3"),
            ("password=[hunter2], user=b", "[hunter2]"),
            ("[REDACTED:password: hunter2]", "hunter2"),
            ("[REDACTED:my_token]: hunter2", "hunter2"),
        ] {
            assert_eq!(found(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_assignment() {
        for text in [
            "prompt_tokens=12",
            "Unexpected token: }",
            "password=",
            "password=\0",
            "password=\r\nhunter2",
            "password=\0\nhunter2",
            "password=\x1b[0m\n",
            "password: null",
            "if password == x",
            "password::reset",
            "password=[REDACTED:secret_assignment]",
            "(password=[REDACTED:secret_assignment]).",
            "https://x-token:[REDACTED:npm_token]@example.com/a/b.git",
            "password=${DB_PASSWORD}",
            "password=****",
            "time: 12:30",
            "[REDACTED:npm_token]: x",
            "PWD=/home/x OLDPWD=/",
            "JWT token: expired",
            "(using password: YES)",
            "list *v1.Token: abc",
            "http://token:8080/x",
            "password: the old one",
            "cookie: disabled",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
