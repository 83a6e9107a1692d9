//! JSON as a tree that knows where everything stands and how numbers were spelled: for reading
//! schemas, and for comparing containers with `enum` and `const`. Not for events at large.

use super::number::Decimal;
use crate::engine::decode::{OffsetMap, unescape};

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 128;

/// A value and where it stands in its text.
#[derive(Debug, Clone)]
pub(super) struct Json {
    pub(super) at: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As it was spelled.
    Number(String),
    /// Decoded.
    String(String),
    Array(Vec<Json>),
    /// In the order of the text, duplicate keys included.
    Object(Vec<Member>),
}

#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) at: usize,
    pub(super) key: String,
    pub(super) value: Json,
}

/// Why a text was not read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadError {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

impl Json {
    /// Reads `text`, which must be valid JSON but for lone surrogates and depth.
    ///
    /// On a text that isn't valid JSON the answer is an error or some tree, never a panic.
    pub(super) fn read(text: &str) -> Result<Self, ReadError> {
        Reader { text, at: 0 }.value(0)
    }

    /// The values are equal as JSON Schema has it: numbers by value, objects in any order.
    pub(super) fn same(&self, other: &Json) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => {
                Decimal::new(a.as_bytes()) == Decimal::new(b.as_bytes())
            }
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Value::Object(a), Value::Object(b)) => {
                // Both ways: a key that stands twice in one could hide one that it lacks.
                let all = |a: &[Member], b: &[Member]| {
                    let holds =
                        |m: &Member| b.iter().any(|n| n.key == m.key && n.value.same(&m.value));
                    a.iter().all(holds)
                };
                a.len() == b.len() && all(a, b) && all(b, a)
            }
            _ => false,
        }
    }

    /// The first key in it that stands twice in its object.
    pub(super) fn twice(&self) -> Option<&Member> {
        match &self.value {
            Value::Array(items) => items.iter().find_map(Self::twice),
            Value::Object(members) => members.iter().enumerate().find_map(|(i, m)| {
                let before = members[..i].iter().any(|other| other.key == m.key);
                if before { Some(m) } else { m.value.twice() }
            }),
            _ => None,
        }
    }

    /// What a message calls it.
    pub(super) fn noun(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Json, ReadError> {
        let first = self.peek();
        let at = self.at;
        if depth > MAX_DEPTH {
            return self.fail("nested deeper than 128 levels: flatten it");
        }
        let value = match first {
            Some(b'{') => Value::Object(self.object(depth)?),
            Some(b'[') => Value::Array(self.array(depth)?),
            Some(b'"') => Value::String(self.string()?),
            Some(_) => self.scalar()?,
            None => return self.fail("the text ends where a value should be"),
        };
        Ok(Json { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member>, ReadError> {
        let mut members = Vec::new();
        self.at += 1;
        while self.peek() != Some(b'}') {
            let at = self.at;
            let key = self.string()?;
            self.take(b':')?;
            let value = self.value(depth + 1)?;
            members.push(Member { at, key, value });
            if self.peek() != Some(b'}') {
                self.take(b',')?;
            }
        }
        self.at += 1;
        Ok(members)
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Json>, ReadError> {
        let mut items = Vec::new();
        self.at += 1;
        while self.peek() != Some(b']') {
            items.push(self.value(depth + 1)?);
            if self.peek() != Some(b']') {
                self.take(b',')?;
            }
        }
        self.at += 1;
        Ok(items)
    }

    fn string(&mut self) -> Result<String, ReadError> {
        let start = self.at + 1;
        self.take(b'"')?;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let mut len = 0;
        while let Some(&b) = rest.get(len).filter(|&&b| b != b'"') {
            len += if b == b'\\' { 2 } else { 1 };
        }
        let Some(raw) = self.text.get(start..start + len).filter(|_| len < rest.len()) else {
            return self.fail("the string has no end");
        };
        let (mut out, mut map) = (Vec::new(), OffsetMap::default());
        if unescape(raw.as_bytes(), &mut out, &mut map).is_err() {
            return self.fail("an escape that is no character: write the character itself");
        }
        self.at = start + len + 1;
        // Escapes decode to whole characters, so UTF-8 stays UTF-8.
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    fn scalar(&mut self) -> Result<Value, ReadError> {
        let rest = &self.text[self.at..];
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let word = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                Value::Number(word.to_owned())
            }
            _ => return self.fail("not a JSON value"),
        };
        self.at += word.len();
        Ok(value)
    }

    fn take(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.peek() != Some(byte) {
            return self.fail("not JSON here");
        }
        self.at += 1;
        Ok(())
    }

    /// The next byte that isn't white space, which is skipped.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blank = |b: &&u8| matches!(**b, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(blank).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, ReadError> {
        Err(ReadError { at: self.at.min(self.text.len()), what })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Json::read(a).unwrap(), Json::read(b).unwrap());
        assert_eq!(a.same(&b), b.same(&a));
        a.same(&b)
    }

    #[test]
    fn equal_by_value() {
        assert!(same(r#"{"a":1,"b":[1.0,"\u0041"]}"#, r#" { "b" : [ 10e-1 , "A" ] , "a" : 1 } "#));
        assert!(same("[]", "[ ]") && same("{}", "{ }") && same("[-0]", "[0.0]"));
        for (a, b) in [
            ("[0]", "[false]"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":1}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            ("[]", "{}"),
            (r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2}"#),
            (r#"{"a":1,"a":1}"#, r#"{"a":1}"#),
            ("null", "false"),
            ("\"1\"", "1"),
            ("[9007199254740993]", "[9007199254740992]"),
            ("[1e400]", "[1e401]"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn knows_where() {
        let doc = Json::read("{\"a\": [10, \"x\"]}").unwrap();
        let Value::Object(members) = &doc.value else { panic!() };
        assert_eq!((doc.at, members[0].at, members[0].value.at), (0, 1, 6));
    }

    #[test]
    fn refuses() {
        assert_eq!(Json::read(r#"["\ud800"]"#).unwrap_err().at, 2);
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(Json::read(&deep).unwrap_err().what.contains("deeper"));
    }

    proptest! {
        #[test]
        fn total(text in r#"[{}\[\]:,"\\ua0 é\n-]{0,40}"#) {
            let _ = Json::read(&text);
        }
    }
}
