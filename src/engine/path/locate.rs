//! Between byte offsets and JSON pointers (RFC 6901), for reports: slow, and off the hot path.
//!
//! Both directions scan valid JSON. On anything else they answer something or nothing, but end.

use memchr::memchr2;

use crate::engine::decode::{OffsetMap, unescape};

/// A token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open {
        array: bool,
    },
    Close,
    Colon,
    Comma,
    String,
    /// A number or a literal, or bytes that are no JSON.
    Scalar,
}

/// The token at or after `from`, white space skipped.
fn token(json: &[u8], from: usize) -> Option<Token> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let start = from + json.get(from..)?.iter().position(|b| !blank(b))?;
    let (kind, end) = match json[start] {
        b'{' => (Kind::Open { array: false }, start + 1),
        b'[' => (Kind::Open { array: true }, start + 1),
        b'}' | b']' => (Kind::Close, start + 1),
        b':' => (Kind::Colon, start + 1),
        b',' => (Kind::Comma, start + 1),
        b'"' => (Kind::String, string_end(json, start)),
        _ => {
            let stop =
                |b: &u8| blank(b) || matches!(b, b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"');
            (Kind::Scalar, json[start..].iter().position(stop).map_or(json.len(), |n| start + n))
        }
    };
    Some(Token { kind, start, end })
}

/// Just past the closing quote of the string that opens at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(n) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if json[at + n] == b'"' {
            return at + n + 1;
        }
        at += n + 2;
    }
    json.len()
}

/// The characters of the string token (its quotes included in `raw`).
fn key(raw: &[u8]) -> String {
    let inner = raw.strip_prefix(b"\"").unwrap_or(raw);
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    let (mut out, mut map) = (Vec::new(), OffsetMap::default());
    match unescape(inner, &mut out, &mut map) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(_) => String::from_utf8_lossy(inner).into_owned(),
    }
}

/// A container that is open, and where in it the scan is.
#[derive(Clone, Copy)]
enum Frame {
    /// In an object: the key of the member, from the key to the comma after the value.
    Object(Option<Token>),
    /// In an array: the element's number.
    Array(usize),
}

impl Frame {
    /// Takes a key or a value.
    fn enter(&mut self, t: Token) {
        if let Frame::Object(member @ None) = self {
            *member = Some(t);
        }
    }

    /// Takes a comma.
    fn next(&mut self) {
        match self {
            Frame::Object(member) => *member = None,
            Frame::Array(n) => *n += 1,
        }
    }
}

/// The JSON pointer of the innermost value, or key, that contains the byte at `offset`.
///
/// For a key it is the member's pointer. A byte between values (white space, `:`, `,`) belongs to
/// the container around it, and a byte outside the document to the document (`""`). Keys are decoded.
pub(crate) fn pointer(event: &[u8], offset: usize) -> String {
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = 0;
    while let Some(t) = token(event, at) {
        at = t.end;
        let found = offset < t.end;
        let is_value = matches!(t.kind, Kind::Open { .. } | Kind::String | Kind::Scalar);
        if found && (offset < t.start || !is_value) {
            let around = frames.len().saturating_sub(1);
            return render(event, &frames[..around]);
        }
        if is_value && let Some(frame) = frames.last_mut() {
            frame.enter(t);
        }
        if found {
            return render(event, &frames);
        }
        match t.kind {
            Kind::Open { array: true } => frames.push(Frame::Array(0)),
            Kind::Open { array: false } => frames.push(Frame::Object(None)),
            Kind::Close => drop(frames.pop()),
            Kind::Comma => {
                if let Some(frame) = frames.last_mut() {
                    frame.next();
                }
            }
            Kind::Colon | Kind::String | Kind::Scalar => {}
        }
    }
    String::new()
}

/// The pointer that the frames spell.
fn render(json: &[u8], frames: &[Frame]) -> String {
    let mut out = String::new();
    for frame in frames {
        let segment = match frame {
            Frame::Array(n) => n.to_string(),
            Frame::Object(Some(t)) => key(&json[t.start..t.end]),
            Frame::Object(None) => continue,
        };
        out.push('/');
        out.push_str(&segment.replace('~', "~0").replace('/', "~1"));
    }
    out
}

/// Where the value that `pointer` names begins; `None` if there is none. Of several members with
/// one key it is the first.
#[cfg(test)]
pub(crate) fn offset_of(json: &str, pointer: &str) -> Option<usize> {
    let json = json.as_bytes();
    let mut value = token(json, 0)?;
    if pointer.is_empty() {
        return Some(value.start);
    }
    for segment in pointer.strip_prefix('/')?.split('/') {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        value = match value.kind {
            Kind::Open { array: false } => member(json, value.end, &segment)?,
            Kind::Open { array: true } => element(json, value.end, &segment)?,
            _ => return None,
        };
    }
    Some(value.start)
}

/// The value of the member `name`, in the object whose content begins at `at`.
#[cfg(test)]
fn member(json: &[u8], mut at: usize, name: &str) -> Option<Token> {
    loop {
        let t = token(json, at)?;
        if t.kind != Kind::String {
            return None;
        }
        let colon = token(json, t.end)?;
        let value = token(json, colon.end)?;
        if key(&json[t.start..t.end]) == name {
            return Some(value);
        }
        at = after_comma(json, value)?;
    }
}

/// The element numbered `number`, in the array whose content begins at `at`.
#[cfg(test)]
fn element(json: &[u8], mut at: usize, number: &str) -> Option<Token> {
    let n: usize = number.parse().ok()?;
    if n.to_string() != number {
        return None;
    }
    for _ in 0..n {
        at = after_comma(json, token(json, at)?)?;
    }
    token(json, at).filter(|t| t.kind != Kind::Close)
}

/// Past the value that begins with `first`, and past the comma behind it.
#[cfg(test)]
fn after_comma(json: &[u8], first: Token) -> Option<usize> {
    let (mut depth, mut t) = (0usize, first);
    loop {
        match t.kind {
            Kind::Open { .. } => depth += 1,
            Kind::Close => depth = depth.checked_sub(1)?,
            Kind::Comma if depth == 0 => return Some(t.end),
            _ => {}
        }
        t = token(json, t.end)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn names_the_innermost() {
        let event = r#" {"a": 1, "b/c" :{"d~e":[true, {"\u00e9":"x\"y"} ,[]]}} "#;
        for (at, want) in [
            ("{\"a", ""),
            ("a\": 1", "/a"),
            ("1, ", "/a"),
            (" 1,", ""),
            (", \"b", ""),
            ("b/c", "/b~1c"),
            ("\" :{", "/b~1c"),
            (":{", ""),
            ("{\"d", "/b~1c"),
            ("d~e", "/b~1c/d~0e"),
            ("[true", "/b~1c/d~0e"),
            ("rue", "/b~1c/d~0e/0"),
            (" {\"\\u", "/b~1c/d~0e"),
            ("{\"\\u", "/b~1c/d~0e/1"),
            ("u00e9", "/b~1c/d~0e/1/é"),
            ("y\"} ,", "/b~1c/d~0e/1/é"),
            ("} ,[", "/b~1c/d~0e/1"),
            ("[]]", "/b~1c/d~0e/2"),
            ("]}}", "/b~1c/d~0e"),
            ("}} ", "/b~1c"),
            ("} ", ""),
        ] {
            let offset = if at == "} " { event.len() - 2 } else { event.find(at).unwrap() };
            assert_eq!(pointer(event.as_bytes(), offset), want, "at {at}");
        }
        assert_eq!(pointer(event.as_bytes(), event.len() + 9), "");
    }

    #[test]
    fn finds_what_is_named() {
        let json = r#"{"a":{"b":[1,[2,{"c/~":3}]],"":4},"a~1":5}"#;
        for (pointer, want) in [
            ("", Some("{\"a\":")),
            ("/a/b", Some("[1")),
            ("/a/b/0", Some("1,[")),
            ("/a/b/1/1/c~1~0", Some("3}")),
            ("/a/", Some("4}")),
            ("/a~01", Some("5}")),
            ("/a/b/2", None),
            ("/a/b/01", None),
            ("/a/b/-", None),
            ("/z", None),
            ("/a/b/0/x", None),
            ("a", None),
        ] {
            assert_eq!(offset_of(json, pointer), want.map(|w| json.find(w).unwrap()), "{pointer}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn pointers(v: &Value, at: &str, out: &mut Vec<String>) {
        out.push(at.to_owned());
        match v {
            Value::Array(a) => {
                a.iter().enumerate().for_each(|(i, v)| pointers(v, &format!("{at}/{i}"), out));
            }
            Value::Object(o) => o.iter().for_each(|(k, v)| {
                let k = k.replace('~', "~0").replace('/', "~1");
                pointers(v, &format!("{at}/{k}"), out);
            }),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn there_and_back(v in value(), pretty in any::<bool>()) {
            let v = json!({ "root": v });
            let text = if pretty { serde_json::to_string_pretty(&v).unwrap() } else { v.to_string() };
            let mut all = Vec::new();
            pointers(&v, "", &mut all);
            for p in all {
                let at = offset_of(&text, &p).unwrap();
                prop_assert_eq!(pointer(text.as_bytes(), at), p.as_str());
                let mut rest = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
                let found = rest.next().unwrap().unwrap();
                prop_assert_eq!(Some(&found), v.pointer(&p));
            }
        }

        #[test]
        fn total(json in r#"[{}\[\]:,"\\ua0 é\n]{0,60}"#, bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0..70usize) {
            pointer(json.as_bytes(), at);
            pointer(&bytes, at);
            offset_of(&json, "/a/0");
            offset_of(&json, &json);
        }
    }
}
