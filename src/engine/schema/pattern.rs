//! `pattern`: regular expressions of ECMA-262 (with the flag `u`) in the syntax of the regex crate.
//!
//! Same language, so the same strings match; what a finite automaton can't do is refused. One leniency,
//! as validators commonly have it: escaped ASCII punctuation (`\-`, `\_`) and a `{` that
//! begins no count stand for themselves.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;

use super::node::StringCheck;
use super::shape::Shape;

/// Compiles a pattern; the error says what is wrong and how to fix it.
pub(super) fn compile(pattern: &str) -> Result<StringCheck, String> {
    let translated = translate(pattern)?;
    // `(?-u:\B)` may hold inside a character, so the syntax isn't held to UTF-8; strings are UTF-8.
    let hir = ParserBuilder::new().utf8(false).build().parse(&translated);
    let hir = hir.map_err(|e| format!("pattern `{pattern}` is invalid: {}", reason(&e)))?;
    if let Some(shape) = Shape::of(&hir) {
        return Ok(StringCheck::Shape(shape));
    }
    let regex = RegexBuilder::new(&translated).build();
    let too_big = |_| format!("pattern `{pattern}` is too large: lower the counts in `{{n,m}}`");
    regex.map_err(too_big).map(|r: Regex| StringCheck::Regex(r))
}

fn reason(e: &regex_syntax::Error) -> String {
    match e {
        regex_syntax::Error::Parse(e) => e.kind().to_string(),
        regex_syntax::Error::Translate(e) => e.kind().to_string(),
        e => e.to_string(),
    }
}

/// `pattern` in the regex crate's syntax.
fn translate(pattern: &str) -> Result<String, String> {
    let mut t = Translator { rest: pattern.chars().peekable(), out: String::new(), repeats: false };
    match t.all() {
        Ok(()) => Ok(t.out),
        Err(what) => Err(format!("pattern `{pattern}`: {what}")),
    }
}

const LOOK_AROUND: &str = "look-around is not supported: say it with a plain pattern, `minLength`, \
                           `maxLength` or `enum`";
const BACKREFERENCE: &str = "back references are not supported: write the group out again";
const DIGITS: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// ECMA-262's WhiteSpace and LineTerminator.
const SPACE: &str =
    r"\t-\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}";

/// What an escape stands for.
enum Escape {
    Char(char),
    /// The content of a class, and whether the class is negated.
    Set(String, bool),
    /// `\p{…}` or `\P{…}`, as the regex crate writes it.
    Property(String),
    /// `\b` or `\B`, as the regex crate writes it.
    Boundary(&'static str),
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// What was written last may be repeated.
    repeats: bool,
}

impl Translator<'_> {
    fn all(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            match c {
                '^' | '$' | '|' => self.put(c, false),
                ')' => self.put(c, true),
                '(' => self.group()?,
                '[' => self.class()?,
                '\\' => self.escaped()?,
                '.' => self.put_str(r"[^\n\r\u{2028}\u{2029}]"),
                '*' | '+' | '?' => self.repeat(&c.to_string())?,
                '{' => match self.count() {
                    Some(count) => self.repeat(&count)?,
                    None => self.put_char('{'),
                },
                _ => self.put_char(c),
            }
        }
        Ok(())
    }

    fn put(&mut self, c: char, repeats: bool) {
        self.out.push(c);
        self.repeats = repeats;
    }

    fn put_str(&mut self, s: &str) {
        self.out.push_str(s);
        self.repeats = true;
    }

    fn put_char(&mut self, c: char) {
        write_char(&mut self.out, c);
        self.repeats = true;
    }

    /// Writes a quantifier, and the `?` that makes it lazy.
    fn repeat(&mut self, quantifier: &str) -> Result<(), String> {
        if !self.repeats {
            return Err(format!(
                "`{quantifier}` has nothing to repeat: escape it with a backslash"
            ));
        }
        self.out.push_str(quantifier);
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        self.repeats = false;
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}` after a `{`; without one nothing is taken.
    fn count(&mut self) -> Option<String> {
        let mut ahead = self.rest.clone();
        let mut count = String::from("{");
        loop {
            let c = ahead.next()?;
            count.push(c);
            match c {
                '0'..='9' => {}
                ',' if count.len() > 2 && count.matches(',').count() == 1 => {}
                '}' if count.len() > 2 => break,
                _ => return None,
            }
        }
        self.rest = ahead;
        Some(count)
    }

    /// After a `(`. No group captures, as nothing refers to one.
    fn group(&mut self) -> Result<(), String> {
        self.put(' ', false);
        self.out.pop();
        if self.rest.next_if_eq(&'?').is_some() {
            match (self.rest.next(), self.rest.peek()) {
                (Some(':'), _) => {}
                (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')) => {
                    return Err(LOOK_AROUND.into());
                }
                (Some('<'), _) => {
                    let name: String = self.rest.by_ref().take_while(|&c| c != '>').collect();
                    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
                    if name.is_empty() || !name.chars().all(word) {
                        return Err(format!("`(?<{name}>` is no group name"));
                    }
                }
                (c, _) => {
                    let c = c.map(String::from).unwrap_or_default();
                    return Err(format!("`(?{c}` is not a group of ECMA-262: write `(?:`"));
                }
            }
        }
        self.out.push_str("(?:");
        Ok(())
    }

    /// After a backslash, outside a class.
    fn escaped(&mut self) -> Result<(), String> {
        match self.escape(false)? {
            Escape::Char(c) => self.put_char(c),
            Escape::Property(p) => self.put_str(&p),
            Escape::Set(set, negated) => {
                self.put_str(&format!("[{}{set}]", if negated { "^" } else { "" }));
            }
            Escape::Boundary(b) => {
                self.put_str(b);
                self.repeats = false;
            }
        }
        Ok(())
    }

    /// After a `[`.
    fn class(&mut self) -> Result<(), String> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut class = String::new();
        while self.rest.next_if_eq(&']').is_none() {
            let low = self.member()?;
            let mut ahead = self.rest.clone();
            let range = ahead.next() == Some('-') && !matches!(ahead.peek(), None | Some(']'));
            if !range {
                write_member(&mut class, low);
                continue;
            }
            self.rest = ahead;
            match (low, self.member()?) {
                (Escape::Char(a), Escape::Char(b)) if a > b => {
                    return Err(format!("`{a}-{b}` is out of order: write `{b}-{a}`"));
                }
                (Escape::Char(a), Escape::Char(b)) => {
                    write_char(&mut class, a);
                    class.push('-');
                    write_char(&mut class, b);
                }
                _ => return Err("a range ends in a class escape: put the `-` last".into()),
            }
        }
        match (class.is_empty(), negated) {
            (true, true) => self.put_str(r"[\s\S]"),
            (true, false) => self.put_str(r"[^\s\S]"),
            _ => self.put_str(&format!("[{}{class}]", if negated { "^" } else { "" })),
        }
        Ok(())
    }

    fn member(&mut self) -> Result<Escape, String> {
        match self.rest.next() {
            None => Err("a `[` has no `]`".into()),
            Some('\\') => self.escape(true),
            Some(c) => Ok(Escape::Char(c)),
        }
    }

    /// After a backslash.
    fn escape(&mut self, in_class: bool) -> Result<Escape, String> {
        let Some(c) = self.rest.next() else {
            return Err("a backslash at the end escapes nothing: write two".into());
        };
        Ok(match c {
            'd' | 'D' => Escape::Set(DIGITS.into(), c == 'D'),
            'w' | 'W' => Escape::Set(WORD.into(), c == 'W'),
            's' | 'S' => Escape::Set(SPACE.into(), c == 'S'),
            'b' if in_class => Escape::Char('\x08'),
            'b' => Escape::Boundary(r"(?-u:\b)"),
            'B' if !in_class => Escape::Boundary(r"(?-u:\B)"),
            't' => Escape::Char('\t'),
            'n' => Escape::Char('\n'),
            'v' => Escape::Char('\x0b'),
            'f' => Escape::Char('\x0c'),
            'r' => Escape::Char('\r'),
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => Escape::Char('\0'),
            'c' => match self.rest.next() {
                Some(x) if x.is_ascii_alphabetic() => Escape::Char(char::from(x as u8 & 31)),
                _ => return Err("`\\c` wants a letter: `\\cJ`".into()),
            },
            'x' => Escape::Char(
                self.hex(2).and_then(char::from_u32).ok_or("`\\x` wants 2 hex digits")?,
            ),
            'u' => Escape::Char(self.unicode()?),
            'p' | 'P' => Escape::Property(self.property(c)?),
            '1'..='9' | 'k' => return Err(BACKREFERENCE.into()),
            _ if c.is_ascii_punctuation() => Escape::Char(c),
            _ => return Err(format!("`\\{c}` is no escape of ECMA-262: write `{c}`")),
        })
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let digit = |n: u32, c: Option<char>| Some(n << 4 | c?.to_digit(16)?);
        (0..digits).try_fold(0, |n, _| digit(n, self.rest.next()))
    }

    /// After `\u`: four digits, a surrogate pair of them, or `{…}`.
    fn unicode(&mut self) -> Result<char, String> {
        const WANTS: &str = "`\\u` wants 4 hex digits, or 1 to 6 in braces, that make a character";
        if self.rest.next_if_eq(&'{').is_some() {
            let digits: String = self.rest.by_ref().take_while(|&c| c != '}').collect();
            let code = u32::from_str_radix(&digits, 16).ok();
            return Ok(code.and_then(char::from_u32).ok_or(WANTS)?);
        }
        let high = self.hex(4).ok_or(WANTS)?;
        if let Some(c) = char::from_u32(high) {
            return Ok(c);
        }
        let low = (self.rest.next() == Some('\\') && self.rest.next() == Some('u'))
            .then(|| self.hex(4))
            .flatten()
            .ok_or(WANTS)?;
        let pair = char::decode_utf16([high as u16, low as u16]).next();
        Ok(pair.and_then(Result::ok).ok_or(WANTS)?)
    }

    /// After `\p` or `\P`.
    fn property(&mut self, p: char) -> Result<String, String> {
        if self.rest.next() != Some('{') {
            return Err(format!("`\\{p}` wants a Unicode property in braces: `\\{p}{{Letter}}`"));
        }
        let name: String = self.rest.by_ref().take_while(|&c| c != '}').collect();
        Ok(format!("\\{p}{{{name}}}"))
    }
}

fn write_member(class: &mut String, member: Escape) {
    match member {
        Escape::Char(c) => write_char(class, c),
        Escape::Set(set, false) => class.push_str(&set),
        Escape::Set(set, true) => class.push_str(&format!("[^{set}]")),
        Escape::Property(p) => class.push_str(&p),
        Escape::Boundary(_) => {} // not read inside a class
    }
}

/// A character that stands for itself, in a class too.
fn write_char(out: &mut String, c: char) {
    if c.is_ascii_alphanumeric() || !c.is_ascii() {
        out.push(c);
    } else {
        // Writing to a string doesn't fail.
        let _ = write!(out, "\\x{:02x}", c as u32);
    }
}
