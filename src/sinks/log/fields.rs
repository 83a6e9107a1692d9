//! Reads fields of a line by their dotted paths, in one pass that skips everything else.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Looks up `paths` in the JSON object `line`. A missing field, or one that is not a scalar, is
/// `None`. If a field appears twice, the last one counts. A dot in a path separates keys, or is a
/// part of a key.
pub(super) fn look_up(line: &[u8], paths: &[String], found: &mut Vec<Option<String>>) {
    found.clear();
    found.resize(paths.len(), None);
    let wanted: Vec<_> = paths.iter().map(String::as_str).enumerate().collect();
    let mut json = serde_json::Deserializer::from_slice(line);
    // After invalid JSON, the remaining fields are missing.
    let _ = Seek { wanted, found }.deserialize(&mut json);
}

/// The fields to find from here on: the index of the path, and its rest. An empty rest means the
/// value itself.
struct Seek<'a> {
    wanted: Vec<(usize, &'a str)>,
    found: &'a mut Vec<Option<String>>,
}

impl Seek<'_> {
    fn take(self, value: Option<&str>) {
        for (path, rest) in self.wanted {
            if rest.is_empty() {
                self.found[path] = value.map(str::to_owned);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let behind = |&(path, rest)| Some((path, behind(rest, &key)?));
            let wanted: Vec<_> = self.wanted.iter().filter_map(behind).collect();
            if wanted.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Seek { wanted, found: self.found })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.take(None);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(Some(text));
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(Some(&value.to_string()));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(Some(&value.to_string()));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(Some(&value.to_string()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(Some(&value.to_string()));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(None);
        Ok(())
    }
}

/// Returns the rest of a path after a key.
fn behind<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let behind = path.strip_prefix(key)?;
    if behind.is_empty() { Some(behind) } else { behind.strip_prefix('.') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_found_wherever_the_dots_stand() {
        let paths = ["a", "b.c", "b.d.e", "x"].map(String::from);
        for (line, wanted) in [
            (r#"{"a":"v","b":{"c":1,"d":{"e":true}}}"#, [Some("v"), Some("1"), Some("true"), None]),
            (r#"{"b.c":-2,"b.d":{"e":1.5},"a":null}"#, [None, Some("-2"), Some("1.5"), None]),
            (r#"{"a":["v"],"b":[{"c":1}],"x":{"y":1}}"#, [None; 4]),
            (r#"{"a":"old","a":"new\u00e9"}"#, [Some("new\u{e9}"), None, None, None]),
            ("no JSON", [None; 4]),
            (r#"["a"]"#, [None; 4]),
            (r#"{"a":"v","n":1e999999}"#, [Some("v"), None, None, None]),
        ] {
            let mut found = Vec::new();
            look_up(line.as_bytes(), &paths, &mut found);
            let found: Vec<_> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, wanted, "{line}");
        }
    }
}
