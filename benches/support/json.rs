//! A value tree and its writer: spacing, escapes and key order are what the variants vary.

use super::prng::Prng;

pub(crate) enum Value {
    /// Written as it stands: numbers, literals.
    Raw(String),
    Text(String),
    Object(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
}

impl Value {
    pub(crate) fn text(s: impl Into<String>) -> Self {
        Self::Text(s.into())
    }

    pub(crate) fn raw(s: impl ToString) -> Self {
        Self::Raw(s.to_string())
    }
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Style {
    /// `": "` and `", "`, as Python's json writes.
    pub(crate) spaced: bool,
    /// `\/`, `\u0026` and `\u0040`, as PHP and careful encoders write.
    pub(crate) eager_escapes: bool,
    pub(crate) random_order: bool,
}

impl Style {
    pub(crate) fn write(self, value: &mut Value, rng: &mut Prng, out: &mut Vec<u8>) {
        match value {
            Value::Raw(s) => out.extend_from_slice(s.as_bytes()),
            Value::Text(s) => self.string(s, out),
            Value::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter_mut().enumerate() {
                    self.comma(i, out);
                    self.write(item, rng, out);
                }
                out.push(b']');
            }
            Value::Object(members) => {
                if self.random_order {
                    rng.shuffle(members);
                }
                out.push(b'{');
                for (i, (key, member)) in members.iter_mut().enumerate() {
                    self.comma(i, out);
                    self.string(key, out);
                    out.extend_from_slice(if self.spaced { b": " } else { b":" });
                    self.write(member, rng, out);
                }
                out.push(b'}');
            }
        }
    }

    fn comma(self, i: usize, out: &mut Vec<u8>) {
        if i > 0 {
            out.extend_from_slice(if self.spaced { b", " } else { b"," });
        }
    }

    fn string(self, s: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        for &b in s.as_bytes() {
            match b {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'/' if self.eager_escapes => out.extend_from_slice(b"\\/"),
                b'&' if self.eager_escapes => out.extend_from_slice(b"\\u0026"),
                b'@' if self.eager_escapes => out.extend_from_slice(b"\\u0040"),
                _ => out.push(b),
            }
        }
        out.push(b'"');
    }
}
