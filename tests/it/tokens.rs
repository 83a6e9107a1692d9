//! JSON as tokens that together are the text: what an edit may change, and what it may not.

/// A piece of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Space(&'a [u8]),
    Punctuation(u8),
    /// With its quotes.
    String(&'a [u8]),
    /// A number or a literal.
    Bare(&'a [u8]),
}

/// The tokens of `json`, which is sound.
pub(crate) fn tokens(json: &[u8]) -> Vec<Token<'_>> {
    let (mut all, mut rest) = (Vec::new(), json);
    while let Some(&first) = rest.first() {
        let run = |is: fn(&u8) -> bool| rest.iter().position(|b| !is(b)).unwrap_or(rest.len());
        let len = match first {
            b' ' | b'\t' | b'\r' | b'\n' => run(u8::is_ascii_whitespace),
            b'"' => string_len(rest),
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1,
            _ => run(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).max(1),
        };
        let (token, behind) = rest.split_at(len);
        all.push(match first {
            b' ' | b'\t' | b'\r' | b'\n' => Token::Space(token),
            b'"' => Token::String(token),
            b'{' | b'}' | b'[' | b']' | b':' | b',' => Token::Punctuation(first),
            _ => Token::Bare(token),
        });
        rest = behind;
    }
    all
}

fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    while text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// How many tokens of `after` differ from `before`'s; fails where one differs in more than an edit
/// may: a string stays a string, a number becomes `null`, all else stays as it was written.
pub(crate) fn edits(before: &[u8], after: &[u8]) -> usize {
    let (a, b) = (tokens(before), tokens(after));
    assert_eq!(a.len(), b.len(), "{}\n{}", show(before), show(after));
    let differ = a.iter().zip(&b).filter(|(a, b)| a != b);
    differ
        .map(|(a, b)| match (a, b) {
            (Token::String(from), Token::String(to)) => assert!(
                is_edited(from, to),
                "{} became {}",
                show(from),
                show(to)
            ),
            (Token::Bare(from), Token::Bare(b"null")) => {
                assert!(from.first().is_some_and(|b| b"-0123456789".contains(b)), "{}", show(from));
            }
            _ => panic!("{a:?} became {b:?} in {}", show(before)),
        })
        .count()
}

/// Whether `to` is `from` with placeholders in the place of some of it.
fn is_edited(from: &[u8], to: &[u8]) -> bool {
    let (from, to) = (show(from), show(to));
    let mut parts = Vec::new();
    let mut rest = to.as_str();
    while let Some((kept, behind)) = rest.split_once("[REDACTED:") {
        let Some((_, behind)) = behind.split_once(']') else { break };
        parts.push(kept);
        rest = behind;
    }
    if parts.is_empty() || !from.ends_with(rest) {
        return false;
    }
    let mut from = &from[..from.len() - rest.len()];
    let Some(behind) = from.strip_prefix(parts[0]) else { return false };
    from = behind;
    parts[1..].iter().all(|kept| match from.split_once(kept) {
        Some((_, behind)) => {
            from = behind;
            true
        }
        None => false,
    })
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_an_edit_may_change() {
    let before = br#"{"a" : "x me@a.io y", "b":[1.50,true]}"#;
    assert_eq!(edits(before, before), 0);
    assert_eq!(edits(before, br#"{"a" : "x [REDACTED:email] y", "b":[null,true]}"#), 2);
    for wrong in [
        &br#"{"a" : "z [REDACTED:email] y", "b":[1.50,true]}"#[..],
        br#"{"a" : "x you y", "b":[1.50,true]}"#,
        br#"{"a" : null, "b":[1.50,true]}"#,
        br#"{"a" : "x me@a.io y", "b":[1.5,true]}"#,
        br#"{"a" : "x me@a.io y", "b":[1.50,null]}"#,
        br#"{"a": "x me@a.io y", "b":[1.50,true]}"#,
    ] {
        assert!(std::panic::catch_unwind(|| edits(before, wrong)).is_err(), "{}", show(wrong));
    }
}
