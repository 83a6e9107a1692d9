//! JSON in a text: where it begins.

use memchr::{memchr, memchr2};

use super::decoder::{Decoder, Decoding, EscapeError, Look};
use super::map::OffsetMap;
use super::spoiled::spoiled;

/// Decodes a text that holds JSON to one in which the JSON can be walked.
pub(crate) struct Json;

impl Decoder for Json {
    fn decoding(&self) -> Decoding {
        Decoding::Json
    }

    /// JSON that begins the text counts, too, if it only may be JSON.
    fn spot(&self, text: &[u8], look: Look) -> bool {
        let lead = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
        begins(text, lead, look).is_some() || next(text, 0, look).is_some()
    }

    /// A walk ends at a newline; in JSON that can only be white space.
    fn decode(
        &self,
        text: &[u8],
        out: &mut Vec<u8>,
        map: &mut OffsetMap,
    ) -> Result<bool, EscapeError> {
        map.clear();
        out.extend(text.iter().map(|&b| if b == b'\n' { b' ' } else { b }));
        Ok(true)
    }
}

/// How an object or an array begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// `{"` or `[{"`: nothing but JSON begins so.
    Meant,
    /// `[1`, `["a`: this may be JSON, or a text in brackets.
    Perhaps,
    /// `{\"`: JSON in a string literal, whose escapes the text still has.
    Escaped,
    /// `{/* … */"`, `{,"`, `{\x22`, a no-break space before the name: JSON, but for what no walk
    /// gets over. Where no rule speaks of JSON in texts, it is text like any other.
    Spoiled,
}

/// The first place at or after `from` where what is looked for begins.
pub(crate) fn next(text: &[u8], mut from: usize, look: Look) -> Option<(usize, Begins)> {
    loop {
        let rest = text.get(from..)?;
        from += match look {
            Look::Objects => memchr(b'{', rest)?,
            Look::Meant | Look::All => memchr2(b'{', b'[', rest)?,
        };
        let begins = begins(text, from, look);
        if let Some(begins) = begins.filter(|b| *b != Begins::Perhaps || look == Look::All) {
            return Some((from, begins));
        }
        from += 1;
    }
}

/// How the bracket at `at` begins JSON, if it does.
pub(crate) fn begins(text: &[u8], at: usize, look: Look) -> Option<Begins> {
    let (first, second) = inside(text, at);
    let begins = match (*text.get(at)?, first?) {
        (b'{', b'"') => Some(Begins::Meant),
        (b'{' | b'[', b'\\') => is_escaped(&text[second..]).then_some(Begins::Escaped),
        (b'[', b'{') if inside(text, second).0 == Some(b'"') => Some(Begins::Meant),
        (b'[', b'"' | b'[' | b'{' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            Some(Begins::Perhaps)
        }
        _ => None,
    };
    let odd = begins.is_none() && look != Look::Objects && text[at] == b'{';
    begins.or_else(|| (odd && spoiled(&text[second..])).then_some(Begins::Spoiled))
}

/// Whether an escaped name follows a bracket. `rest`, which begins with a backslash, is after it.
fn is_escaped(mut rest: &[u8]) -> bool {
    loop {
        let slashes = rest.iter().take_while(|b| **b == b'\\').count();
        rest = match &rest[slashes..] {
            [b'"', ..] => return true,
            [b'u', b'0', b'0', b'2', b'2', ..] => return slashes > 0,
            // What is printed with indents begins with a new line.
            [b'n' | b'r' | b't' | b'f', rest @ ..] if slashes > 0 => rest.trim_ascii_start(),
            _ => return false,
        };
    }
}

/// The first byte after the bracket at `at` that is no white space, and where it is.
fn inside(text: &[u8], at: usize) -> (Option<u8>, usize) {
    let rest = text.get(at + 1..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    (rest.get(blank).copied(), at + 1 + blank)
}

/// Whether JSON that is meant to be such begins anywhere from `from` on.
pub(crate) fn any_meant(text: &[u8], from: usize) -> bool {
    next(text, from, Look::Meant).is_some()
}

/// Whether the content of a JSON string, of which `is_simple` holds, may hold JSON that is looked
/// for; where all arrays are, also one without strings.
pub(crate) fn may_hold(content: &[u8], look: Look) -> bool {
    let (arrays, mut from) = (look == Look::All, 0);
    let mut lead = true;
    while let Some(n) = memchr2(b'{', b'[', &content[from..]) {
        let at = from + n;
        // Also text that only begins as JSON does is judged decoded.
        lead = lead && blank(&content[from..at]) == n;
        let after = &content[at + 1..];
        let after = &after[blank(after)..];
        let quote = after.starts_with(b"\\\"") || after.starts_with(b"\\\\");
        let object = content[at] == b'{';
        let scalar = after.first().is_some_and(|b| b"[{-tfn".contains(b) || b.is_ascii_digit());
        let odd =
            look != Look::Objects && after.first().is_some_and(|b| *b > 0x7e || b",/#".contains(b));
        if lead || object && (quote || odd) || arrays && !object && (quote || scalar) {
            return true;
        }
        lead = false;
        from = at + 1;
    }
    false
}

/// How many bytes of white space begin the content of a JSON string, escaped or not.
fn blank(content: &[u8]) -> usize {
    let mut rest = content;
    while let [b' ', r @ ..] | [b'\\', b'n' | b'r' | b't', r @ ..] = rest {
        rest = r;
    }
    content.len() - rest.len()
}

/// The end of the string literal in whose content `at` is: before the quote that closes it.
pub(crate) fn literal_end(text: &[u8], at: usize) -> usize {
    let mut from = at;
    while let Some(n) = memchr2(b'"', b'\\', &text[from..]) {
        if text[from + n] == b'"' {
            return from + n;
        }
        from = (from + n + 2).min(text.len());
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_json_begins() {
        use Begins::{Escaped, Meant, Perhaps, Spoiled};
        for (text, look, want) in [
            ("INFO {\"a\":1}", Look::Objects, Some((5, Meant))),
            ("INFO { \n\"a\":1}", Look::Objects, Some((5, Meant))),
            ("map[a:{b}] {} {0}", Look::All, None),
            ("[main] [INFO] {x}", Look::All, None),
            ("[12] {\"a\":1}", Look::All, Some((0, Perhaps))),
            ("[12] {\"a\":1}", Look::Meant, Some((5, Meant))),
            ("x [{\"a\":1}]", Look::Meant, Some((2, Meant))),
            ("x [{\"a\":1}]", Look::Objects, Some((3, Meant))),
            ("x [{}]", Look::All, Some((2, Perhaps))),
            ("b=\"{\\\"a\\\":1}\"", Look::Objects, Some((3, Escaped))),
            ("b=\"{\\n  \\\"a\\\":1}\"", Look::Objects, Some((3, Escaped))),
            ("{\\t\\u0022a", Look::Objects, Some((0, Escaped))),
            ("{\\n  a", Look::All, None),
            ("{n\"", Look::All, None),
            ("{\\x", Look::Objects, None),
            ("{\\x22a", Look::Objects, None),
            ("{\\x22a", Look::Meant, Some((0, Spoiled))),
            ("x {/*c*/ \"a\":1}", Look::Objects, None),
            ("x {/*c*/ \"a\":1}", Look::Meant, Some((2, Spoiled))),
            ("{ // c\n\"a\":1}", Look::All, Some((0, Spoiled))),
            ("{#c\r\n\"a\":1}", Look::All, Some((0, Spoiled))),
            ("{,\"a\":1}", Look::All, Some((0, Spoiled))),
            ("b=\"{/*c*/\\\"a\\\":1}\"", Look::Objects, None),
            ("b=\"{/*c*/\\\"a\\\":1}\"", Look::All, Some((3, Spoiled))),
            ("b=\"{\\u00A0\\\"a\\\":1}\"", Look::All, Some((3, Spoiled))),
            ("{\u{a0}\"a\":1}", Look::All, Some((0, Spoiled))),
            ("{\u{feff}\u{200b}\0\"a\":1}", Look::All, Some((0, Spoiled))),
            ("{é\"a\"} {/* c } {#if} {a, \"b\"} {'a':1}", Look::All, None),
            ("{", Look::All, None),
        ] {
            assert_eq!(next(text.as_bytes(), 0, look), want, "{text}");
        }
    }

    #[test]
    fn strings_that_may_hold_json() {
        for (content, look, want) in [
            (r#"INFO {\"a\":1}"#, Look::Objects, true),
            (r#"INFO {\n \"a\":1}"#, Look::Objects, true),
            (r"\n [x", Look::Objects, true),
            (r"at f {\n  x}", Look::Objects, false),
            (r"at f {/*x*/}", Look::Objects, false),
            (r#"a {/*x*/\"a\":1}"#, Look::Meant, true),
            ("a {\u{a0}\\\"a\\\":1}", Look::Meant, true),
            (r"a [1,2]\n", Look::Objects, false),
            (r"a [1,2]\n", Look::All, true),
            (r"a [main]\n", Look::All, false),
        ] {
            assert_eq!(may_hold(content.as_bytes(), look), want, "{content}");
        }
    }
}
