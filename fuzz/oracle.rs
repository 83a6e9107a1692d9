//! What serde_json says about a line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Whether `line` is one JSON object and nothing else. Numbers may have any size, and nesting any
/// depth: the caller bounds it.
pub fn is_object(line: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(line);
    reader.disable_recursion_limit();
    Sound::deserialize(&mut reader).is_ok()
        && reader.end().is_ok()
        && line.trim_ascii_start().starts_with(b"{")
}

/// A value that was read whole, strings and keys decoded, and thrown away. (`IgnoredAny` would skip
/// over bad escapes; `Value` gives one key a meaning of its own when numbers have any size.)
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Sound)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Sound>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<String, Sound>()?.is_some() {}
        Ok(self)
    }
}
