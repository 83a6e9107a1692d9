//! The value of an assignment: where it ends, with quotes, in brackets, or bare.

use crate::engine::placeholder::Counted;

/// Behind `=`, `:`, `=>`, `:=` and the spaces, control characters and colours that follow.
pub(super) fn value_start(text: &[u8], at: usize, high: usize) -> Option<usize> {
    let mut i = at + 1;
    match text.get(i).filter(|_| i < high) {
        // `==` compares, `::` is a path.
        Some(b'=') if text[at] == b'=' => return None,
        Some(b':') => return None,
        Some(b'=' | b'>') => i += 1,
        _ => {}
    }
    loop {
        i += match &text[i..high] {
            [b'\r', b'\n', ..] => return Some(i),
            [b' ' | b'\t' | b'\r' | 0x0c, ..] => 1,
            rest => match control(rest) {
                0 => return Some(i),
                len => len,
            },
        };
    }
}

/// The length of the control character, or of the terminal's escape sequence, at the start of `text`;
/// 0 where there is none, or white space.
fn control(text: &[u8]) -> usize {
    match text {
        [0x1b, b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|b| matches!(b, 0x20..=0x3f)).count();
            2 + rest.len().min(parameters + 1)
        }
        [b, ..] if b.is_ascii_control() && !b.is_ascii_whitespace() => 1,
        _ => 0,
    }
}

/// Names whose value runs to the end of its line: HTTP headers.
pub(super) fn line_long(name: &[u8]) -> bool {
    let last = name.rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or(name);
    ["authorization", "cookie"].iter().any(|n| last.eq_ignore_ascii_case(n.as_bytes()))
}

/// The value that begins at `start`, without its quotes and without the scheme of an
/// `Authorization`.
pub(super) fn value(
    text: &[u8],
    mut start: usize,
    limit: usize,
    line_long: bool,
    placeholders: Counted<'_>,
) -> (usize, usize) {
    // In decoded text that was escaped twice, quotes still have their backslash.
    let slashes = text[start..limit].iter().take_while(|&&b| b == b'\\').count();
    let quote_at = start + slashes;
    if let Some(&q @ (b'"' | b'\'' | b'`')) = text[..limit].get(quote_at) {
        let from = quote_at + 1;
        let end = closing_quote(text, from, limit, q, slashes);
        return (scheme(text, from, end), end);
    }
    if let Some(b'{' | b'[') = text[..limit].get(start)
        && !line_long
        && placeholders.at_start(&text[start..limit]).is_none()
    {
        let end = closing_bracket(text, start, limit);
        return (start, end + bare(&text[end..limit]));
    }
    start = scheme(text, start, limit);
    if line_long {
        let len = text[start..limit]
            .iter()
            .take_while(|b| !matches!(b, b'\n' | b'\r' | b'"' | b'\''))
            .count();
        let len = text[start..start + len].trim_ascii_end().len();
        return (start, start + len);
    }
    // What follows a placeholder, or a bracket, and is no end of a value is of the same value.
    let first = start + placeholders.at_start(&text[start..limit]).unwrap_or(0);
    (start, first + bare(&text[first..limit]))
}

/// The length of a value without quotes.
fn bare(rest: &[u8]) -> usize {
    let end = |b: u8| b.is_ascii_whitespace() || b"&;\"'`<>|}\\".contains(&b);
    let mut len = 0;
    while let Some(&b) = rest.get(len) {
        let mut wide = 0;
        while let more @ 1.. = control(&rest[len + wide..]) {
            wide += more;
        }
        let behind = &rest[len + wide.max(1)..];
        let ends = match b {
            b',' => behind.first().is_none_or(u8::is_ascii_whitespace) || names(behind),
            // A value may hold one, and may have one behind it.
            _ if wide > 0 => behind.first().is_none_or(|&b| end(b)) || names(behind),
            _ => end(b),
        };
        if ends {
            break;
        }
        len += wide.max(1);
    }
    let trailing = rest[..len]
        .iter()
        .rev()
        .take_while(|b| matches!(b, b')' | b']' | b'.' | b',' | b':'))
        .count();
    len - trailing
}

/// Whether another `name=` or `name:` begins here.
fn names(rest: &[u8]) -> bool {
    let n = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b)).count();
    n > 0 && matches!(rest.get(n), Some(b'=' | b':'))
}

/// Skips `Bearer `, `Basic ` and their like.
pub(super) fn scheme(text: &[u8], start: usize, end: usize) -> usize {
    for s in ["bearer", "basic", "digest", "token", "apikey", "negotiate", "aws4-hmac-sha256"] {
        let behind = start + s.len();
        if behind < end
            && text[start..behind].eq_ignore_ascii_case(s.as_bytes())
            && text[behind] == b' '
        {
            let spaces = text[behind..end].iter().take_while(|&&b| b == b' ').count();
            return behind + spaces;
        }
    }
    start
}

/// The place of the quote that closes, or the end. `slashes`: backslashes before the opening one.
fn closing_quote(text: &[u8], from: usize, limit: usize, q: u8, slashes: usize) -> usize {
    let mut i = from;
    while let Some(n) = memchr::memchr(q, &text[i..limit]) {
        let at = i + n;
        let before = text[from..at].iter().rev().take_while(|&&b| b == b'\\').count();
        if before == slashes || (slashes == 0 && before % 2 == 0) {
            return at - before.min(slashes);
        }
        i = at + 1;
    }
    limit
}

/// Behind the bracket that closes the one at `start`, or the end.
fn closing_bracket(text: &[u8], start: usize, limit: usize) -> usize {
    let mut depth = 0usize;
    for (i, b) in text[start..limit].iter().enumerate() {
        match b {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return start + i + 1;
                }
            }
            _ => {}
        }
    }
    limit
}

/// Values that say that there is none, or only where it would come from.
pub(super) fn names_nothing(value: &[u8]) -> bool {
    const WORDS: [&str; 10] =
        ["null", "none", "nil", "true", "false", "undefined", "empty", "n/a", "{}", "[]"];
    WORDS.iter().any(|w| value.eq_ignore_ascii_case(w.as_bytes()))
        || value.iter().all(|b| b"*.-_#?".contains(b))
        || value.len() > 2 && value.iter().all(|b| b"xX".contains(b))
        || value.starts_with(b"${")
        || value.starts_with(b"{{")
        || value.starts_with(b"$(")
        || matches!(value, [b'%', b's' | b'd' | b'v' | b'q'])
}
