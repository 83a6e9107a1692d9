//! Finds the log records and attributes in a value of OTLP's logs as JSON.
//!
//! `{"resourceLogs":[{"scopeLogs":[{"logRecords":[…]}]}]}`. The result is positions in the bytes.
//! Nothing is parsed into a tree and written again, so clean values cannot change.

use std::ops::Range;

use crate::engine::Reason;

/// More than any exporter nests, and little enough for the stack.
const DEEPEST: usize = 128;

/// The positions found in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Log records, each with the number of the array that contains it.
    pub(super) records: Vec<(usize, Range<usize>)>,
    /// Attributes: the key as a JSON string, and a value that is not an object or an array.
    pub(super) pairs: Vec<(Range<usize>, Range<usize>)>,
}

/// What a JSON value is in OTLP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    ResourceLogs,
    ScopeLogs,
    LogRecords,
    /// The value of an attribute, or an item of an array in it.
    Any,
    ArrayValue,
    Other,
}

/// Finds them in valid JSON.
///
/// # Errors
/// The nesting is too deep.
pub(super) fn scan(text: &[u8]) -> Result<Found, Reason> {
    let mut scan =
        Scan { text, at: 0, depth: 0, arrays: 0, leaves: Vec::new(), found: Found::default() };
    scan.value(Role::Root)?;
    Ok(scan.found)
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    arrays: usize,
    /// Values of attributes whose keys have not been read yet.
    leaves: Vec<Range<usize>>,
    found: Found,
}

impl Scan<'_> {
    fn peek(&mut self) -> u8 {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or_default()
    }

    /// Reads the next value and returns its range.
    fn value(&mut self, role: Role) -> Result<Range<usize>, Reason> {
        let first = self.peek();
        let start = self.at;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Reason::TooDeep);
        }
        match first {
            b'{' => self.object(role)?,
            b'[' => self.array(role)?,
            b'"' => self.string(),
            _ => self.scalar(),
        }
        self.depth -= 1;
        Ok(start..self.at)
    }

    fn object(&mut self, role: Role) -> Result<(), Reason> {
        let (mut key, mut values, before) = (None, Vec::new(), self.leaves.len());
        self.skip(1);
        while self.peek() == b'"' {
            let start = self.at;
            self.string();
            let name = &self.text[start..self.at];
            let child = match (role, name) {
                (Role::Root, b"\"resourceLogs\"") => Role::ResourceLogs,
                (Role::ResourceLogs, b"\"scopeLogs\"") => Role::ScopeLogs,
                (Role::ScopeLogs, b"\"logRecords\"") => Role::LogRecords,
                (Role::Any, b"\"arrayValue\"") => Role::ArrayValue,
                (Role::ArrayValue, b"\"values\"") => Role::ArrayValue,
                (_, b"\"value\"") => Role::Any,
                _ => Role::Other,
            };
            let is_key = name == b"\"key\"";
            // The colon.
            self.peek();
            self.skip(1);
            let is_text = self.peek() == b'"';
            let is_leaf = !matches!(self.peek(), b'{' | b'[');
            let range = self.value(child)?;
            if is_key && is_text {
                key = Some(range);
            } else if role == Role::Any && is_leaf {
                self.leaves.push(range);
            } else if child == Role::Any && role != Role::Any {
                values.extend(is_leaf.then_some(range));
                values.extend(self.leaves.drain(before..));
            }
            if self.peek() == b',' {
                self.skip(1);
            }
        }
        self.skip(1);
        if let Some(key) = key {
            self.found.pairs.extend(values.into_iter().map(|value| (key.clone(), value)));
        }
        Ok(())
    }

    fn array(&mut self, role: Role) -> Result<(), Reason> {
        let number = self.arrays;
        self.arrays += 1;
        let child = match role {
            Role::LogRecords => Role::Other,
            Role::ArrayValue => Role::Any,
            Role::ResourceLogs | Role::ScopeLogs => role,
            Role::Root | Role::Any | Role::Other => Role::Other,
        };
        self.skip(1);
        while !matches!(self.peek(), b']' | 0) {
            let range = self.value(child)?;
            if range.is_empty() {
                // It is not valid JSON, and the result is not used.
                break;
            }
            if role == Role::LogRecords {
                self.found.records.push((number, range));
            }
            if self.peek() == b',' {
                self.skip(1);
            }
        }
        self.skip(1);
        Ok(())
    }

    /// Stops at the end of the text.
    fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    fn string(&mut self) {
        self.skip(1);
        while let Some(byte) = self.text.get(self.at) {
            self.skip(if *byte == b'\\' { 2 } else { 1 });
            if *byte == b'"' {
                break;
            }
        }
    }

    fn scalar(&mut self) {
        let end = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(end).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_attributes_are_found() {
        let text = r#"{"resourceLogs" : [{"resource":{"attributes":[{"key":"host","value":{"stringValue":"h"}}]},
            "scopeLogs":[{"scope":{"name":"s"},"logRecords":[
                {"body":{"stringValue":"a \" ] , b"},"attributes":[
                    {"value":{"intValue":"7"},"key":"n"},
                    {"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":1.5e3}]}}},
                    {"key":"map","value":{"kvlistValue":{"values":[{"key":"password","value":{"stringValue":"x"}}]}}}
                ]} , {}
            ]},{"logRecords":[{"n":1}]}]}]}"#;
        let found = scan(text.as_bytes()).unwrap();
        let pairs: Vec<_> =
            found.pairs.iter().map(|(k, v)| (&text[k.clone()], &text[v.clone()])).collect();
        let wanted = [
            ("\"host\"", "\"h\""),
            ("\"n\"", "\"7\""),
            ("\"list\"", "true"),
            ("\"list\"", "1.5e3"),
            ("\"password\"", "\"x\""),
        ];
        assert_eq!(pairs, wanted);
        let records: Vec<_> = found.records.iter().map(|(_, range)| &text[range.clone()]).collect();
        assert!(records[0].starts_with("{\"body\"") && records[0].ends_with("]}"));
        assert_eq!(records[1..], ["{}", "{\"n\":1}"]);
        let arrays: Vec<_> = found.records.iter().map(|(array, _)| *array).collect();
        assert!(arrays[0] == arrays[1] && arrays[1] != arrays[2]);
    }

    #[test]
    fn whatever_the_text_nothing_is_read_beyond_it() {
        for text in [
            "",
            "{",
            "[",
            "{\"",
            "{\"a\\",
            "{\"resourceLogs\":[",
            "7",
            "{\"a\":",
            "{\"a\"}",
            "[}",
            "[[,",
        ] {
            assert!(scan(text.as_bytes()).is_ok_and(|found| found == Found::default()), "{text}");
        }
        assert_eq!(scan(&[b'['; 1000]), Err(Reason::TooDeep));
    }
}
