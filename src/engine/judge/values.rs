//! Where JSON begins in a text, and how what is found in the text beside it is made to fit it.

use memchr::{memchr, memchr2};

use super::spoiled::spoiled;
use crate::engine::detect::{Finding, With};
use crate::engine::placeholder::Placeholders;
use crate::engine::policy::Numbers;

/// How an object or an array begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
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

/// What is looked for in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Objects.
    Objects,
    /// Objects, and arrays that begin with one.
    Meant,
    /// Every object and array.
    All,
}

/// The first place at or after `from` where what is looked for begins.
pub(super) fn next(text: &[u8], mut from: usize, look: Look) -> Option<(usize, Begins)> {
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
pub(super) fn begins(text: &[u8], at: usize, look: Look) -> Option<Begins> {
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

/// Whether a name follows, escaped, behind a bracket that has `rest`, a backslash, behind it.
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
pub(super) fn any_meant(text: &[u8], from: usize) -> bool {
    next(text, from, Look::Meant).is_some()
}

/// Whether the content of a JSON string, of which `is_simple` holds, may hold JSON that is looked
/// for; where all arrays are, also one without strings.
pub(super) fn may_hold(content: &[u8], look: Look) -> bool {
    let (arrays, mut from) = (look == Look::All, 0);
    let mut lead = true;
    while let Some(n) = memchr2(b'{', b'[', &content[from..]) {
        let at = from + n;
        // Also text that only begins as JSON does is judged decoded.
        lead = lead && blank(&content[from..at]) == n;
        let behind = &content[at + 1..];
        let behind = &behind[blank(behind)..];
        let quote = behind.starts_with(b"\\\"") || behind.starts_with(b"\\\\");
        let object = content[at] == b'{';
        let scalar = behind.first().is_some_and(|b| b"[{-tfn".contains(b) || b.is_ascii_digit());
        let odd = look != Look::Objects
            && behind.first().is_some_and(|b| *b > 0x7e || b",/#".contains(b));
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
pub(super) fn literal_end(text: &[u8], at: usize) -> usize {
    let mut from = at;
    while let Some(n) = memchr2(b'"', b'\\', &text[from..]) {
        if text[from + n] == b'"' {
            return from + n;
        }
        from = (from + n + 2).min(text.len());
    }
    text.len()
}

/// Findings of a text that is no JSON as a whole: made to fit the JSON that it holds.
pub(super) struct Fit<'a> {
    pub(super) text: &'a [u8],
    /// The objects and arrays in it.
    pub(super) values: &'a [(u32, u32)],
    /// Where JSON begins that breaks off.
    pub(super) broken: Option<usize>,
    pub(super) numbers: Numbers,
    pub(super) placeholders: &'a Placeholders,
}

impl Fit<'_> {
    /// `found[first..]` was found in the text, `found[..first]` in its values, which know better.
    pub(super) fn all(&self, found: &mut Vec<Finding>, first: usize) {
        let (inside, of_text) = found.split_at_mut(first);
        inside.sort_unstable_by_key(|f| f.start);
        of_text.sort_unstable_by_key(|f| f.start);
        let (mut value, mut tokens) = (0, Tokens::default());
        let mut kept = first;
        for i in first..found.len() {
            let mut f = found[i];
            while self.values.get(value).is_some_and(|v| v.1 as usize <= f.start) {
                value += 1;
            }
            // What was found in a decoding of the text is as it must be.
            let textual = matches!(
                f.with,
                With::Placeholder
                    | With::Truncated(_)
                    | With::Mask(_)
                    | With::FieldNull
                    | With::FieldGone
                    | With::Key(_)
            );
            let within = self.values.get(value).filter(|v| v.0 as usize <= f.start);
            let stays = match within {
                Some(_) if !textual => !is_covered(&found[..first], &f),
                Some(&(from, to)) => {
                    let token = tokens.at(self.text, (from as usize, to as usize), f.start);
                    self.cut_to(&mut f, token)
                        && !is_covered(&found[..first], &f)
                        && !self.is_settled(&f, token)
                }
                None => {
                    self.bare(&mut f);
                    true
                }
            } && !self.is_zero(&f);
            if stays {
                found[kept] = f;
                kept += 1;
            }
        }
        found.truncate(kept);
    }

    /// Makes `f` no more than the token that it begins in.
    fn cut_to(&self, f: &mut Finding, token: Token) -> bool {
        match token {
            Token::Other => return false,
            Token::Number(from, to) => {
                if (f.start, f.end) != (from, to) {
                    f.pseudonym = None;
                }
                (f.start, f.end) = (from, to);
                if !matches!(f.with, With::Key(_)) {
                    f.with = With::Number(0);
                }
            }
            Token::String(from, to) => {
                if f.start < from || f.end > to {
                    (f.start, f.end) = (f.start.max(from), f.end.min(to));
                    f.pseudonym = None;
                    if matches!(f.with, With::Mask(_) | With::Truncated(_)) {
                        f.with = With::Placeholder;
                    }
                }
                f.matched.1 = f.matched.1.min(to).max(f.end);
            }
        }
        f.start < f.end
    }

    /// Whether `f` is a numbered placeholder in a key.
    fn is_settled(&self, f: &Finding, token: Token) -> bool {
        let Token::String(_, end) = token else { return false };
        let after = self.text.get(end + 1..).unwrap_or_default();
        let key = after.trim_ascii_start().starts_with(b":");
        key && self.placeholders.of(true).are_all(&self.text[f.start..f.end])
    }

    /// What is found where JSON that breaks off has a value without quotes is replaced by a value.
    fn bare(&self, f: &mut Finding) {
        let changes = With::Placeholder == f.with
            || matches!(f.with, With::Mask(_) | With::FieldNull | With::FieldGone);
        let ends = self.text[f.end..].first().is_none_or(|b| b" \t\r\n,]}".contains(b));
        if !changes || !ends {
            return;
        }
        let before = self.text[..f.start].trim_ascii_end();
        let Some((sign, before)) = before.split_last() else { return };
        let quotes = match sign {
            b':' => quotes(before.trim_ascii_end()),
            b',' | b'[' => self.broken.filter(|at| *at < f.start).map(|_| 0),
            _ => None,
        };
        let Some(quotes) = quotes else { return };
        let value = &self.text[f.start..f.end];
        let digits = value.iter().all(|b| b.is_ascii_digit() || b"+-.eE".contains(b));
        if digits {
            f.with = With::Number(quotes);
        } else if *sign == b':' {
            f.with = With::Quoted(quotes);
        }
    }

    /// Whether `f` is what redacted numbers become.
    fn is_zero(&self, f: &Finding) -> bool {
        let zero = self.numbers == Numbers::Zero && matches!(f.with, With::Number(_));
        zero && &self.text[f.start..f.end] == b"0"
    }
}

/// How often the quote that ends `name` is escaped, if one does.
fn quotes(name: &[u8]) -> Option<u8> {
    let (last, name) = name.split_last()?;
    let slashes = name.iter().rev().take_while(|b| **b == b'\\').count();
    (*last == b'"').then(|| (slashes + 1).ilog2().min(8) as u8)
}

/// Whether one of `found`, sorted, has all of `f`.
fn is_covered(found: &[Finding], f: &Finding) -> bool {
    let before = found.partition_point(|o| o.start <= f.start);
    found[..before].last().is_some_and(|o| f.end <= o.end)
}

/// A piece of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Without its quotes.
    String(usize, usize),
    Number(usize, usize),
    Other,
}

/// The tokens of valid JSON, one after another.
#[derive(Default)]
struct Tokens {
    /// Where the last one began and ended, and what it was.
    from: usize,
    to: usize,
    last: Option<Token>,
}

impl Tokens {
    /// The token of the value `value` that `at` is in. Places must come in order.
    fn at(&mut self, text: &[u8], value: (usize, usize), at: usize) -> Token {
        if self.to < value.0 {
            *self = Self { from: value.0, to: value.0, last: None };
        }
        while self.to <= at && self.to < value.1 {
            self.from = self.to;
            let (token, to) = token(&text[..value.1], self.from);
            (self.to, self.last) = (to, Some(token));
        }
        match self.last {
            Some(token) if self.from <= at && at < self.to => token,
            _ => Token::Other,
        }
    }
}

fn token(text: &[u8], from: usize) -> (Token, usize) {
    match text[from] {
        b'"' => {
            let to = literal_end(text, from + 1);
            (Token::String(from + 1, to), to + 1)
        }
        b'-' | b'0'..=b'9' => {
            let number = |b: &&u8| b.is_ascii_digit() || b"+-.eE".contains(b);
            let to = from + text[from..].iter().take_while(number).count();
            (Token::Number(from, to), to)
        }
        _ => (Token::Other, from + 1),
    }
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
