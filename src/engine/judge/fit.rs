//! Findings of a text that holds JSON, made to fit it.

use crate::engine::decode::json::literal_end;
use crate::engine::detect::{Finding, With};
use crate::engine::placeholder::Placeholders;
use crate::engine::policy::Numbers;

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
