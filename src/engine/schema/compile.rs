//! A schema's text → nodes. Every error of a file is found in one go.

use super::json::{Json, Member, Value};
use super::keyword::{is_annotation, nearest, refusal};
use super::node::{Node, NumberCheck, Others, StringCheck, types};
use super::number::{Bound, Decimal};
use super::objects::Objects;
use super::strings::Strings;
use super::{Literal, NodeId, SchemaError, pattern};
use crate::engine::outcome::Reason;

/// Dialects whose supported keywords mean the same as 2020-12's.
const DIALECTS: &[&str] = &[
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// Compiles the text of a schema: its nodes, and which is the root.
pub(super) fn compile(file: &str, text: &str) -> Result<(Vec<Node>, NodeId), Vec<SchemaError>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let what = e.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        let what = format!("not valid JSON: {what}; `jq . FILE` shows the place too");
        let (line, column) = (e.line().max(1), e.column().max(1));
        return Err(vec![SchemaError { file: file.to_owned(), line, column, what }]);
    }
    let mut c = Compiler { file, text, nodes: base(), errors: Vec::new() };
    let root = match Json::read(text) {
        Ok(json) => c.schema(&json),
        Err(e) => c.refuse(e.at, e.what.to_owned()),
    };
    if c.errors.is_empty() { Ok((c.nodes, root)) } else { Err(c.errors) }
}

/// The nodes that every schema has: [`NodeId::ANY`] and [`NodeId::NEVER`].
fn base() -> Vec<Node> {
    vec![Node::of_types(types::ALL), Node::of_types(0)]
}

/// The schema of an object that has all of `fields`.
pub(super) fn require(fields: &[&str]) -> Result<(Vec<Node>, NodeId), (usize, String)> {
    let mut parts = Objects::default();
    for (i, field) in fields.iter().enumerate() {
        if field.is_empty() {
            return Err((i, "a field's name is empty: separate names by one comma".into()));
        }
        parts.require(field).map_err(|what| (i, what))?;
    }
    let mut nodes = base();
    let mut node = Node::of_types(types::OBJECT);
    parts.finish(&mut node);
    nodes.push(node);
    Ok((nodes, NodeId::new(2)))
}

struct Compiler<'a> {
    file: &'a str,
    text: &'a str,
    nodes: Vec<Node>,
    errors: Vec<SchemaError>,
}

impl<'a> Compiler<'a> {
    /// Notes an error at a byte offset of the text; the value stands in for what can't be compiled.
    fn refuse(&mut self, at: usize, what: String) -> NodeId {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |n| n + 1);
        self.errors.push(SchemaError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what,
        });
        NodeId::ANY
    }

    fn wants(&mut self, keyword: &str, wanted: &str, value: &Json) {
        self.refuse(value.at, format!("`{keyword}` must be {wanted}, not {}", value.noun()));
    }

    fn schema(&mut self, json: &Json) -> NodeId {
        let members = match &json.value {
            Value::Bool(true) => return NodeId::ANY,
            Value::Bool(false) => return NodeId::NEVER,
            Value::Object(members) => members,
            _ => {
                let what =
                    format!("a schema must be an object, true or false, not {}", json.noun());
                return self.refuse(json.at, what);
            }
        };
        let mut node = Node::of_types(types::ALL);
        let mut objects = Objects::default();
        for (i, m) in members.iter().enumerate() {
            if members[..i].iter().any(|other| other.key == m.key) {
                self.refuse(m.at, format!("keyword `{}` stands twice: remove one", m.key));
                continue;
            }
            self.keyword(m, &mut node, &mut objects);
        }
        objects.finish(&mut node);
        if node.is_any() {
            return NodeId::ANY;
        }
        self.nodes.push(node);
        // A node is at least 2 bytes of text, so 32 bits hold for a text below 8 GiB.
        NodeId::new((self.nodes.len() - 1) as u32)
    }

    fn keyword<'s>(&mut self, m: &'s Member, node: &mut Node, objects: &mut Objects<'s>) {
        let v = &m.value;
        match m.key.as_str() {
            "type" => self.types(v, node),
            "required" => self.required(v, objects),
            "properties" => self.properties(v, objects),
            "additionalProperties" => objects.additional = Some(self.schema(v)),
            "items" if matches!(v.value, Value::Array(_)) => {
                let what = "`items` as a list (`prefixItems` since 2020-12) is not supported: give \
                            one schema for all elements";
                self.refuse(v.at, what.into());
            }
            "items" => node.items = self.schema(v),
            "enum" => match &v.value {
                Value::Array(all) => self.allow(node, Reason::Enum, all),
                _ => self.wants("enum", "an array", v),
            },
            "const" => self.allow(node, Reason::Const, std::slice::from_ref(v)),
            "pattern" | "format" | "minLength" | "maxLength" => {
                node.strings.extend(self.string_check(&m.key, v));
            }
            "minimum" | "maximum" => node.numbers.extend(self.number_check(&m.key, v)),
            "$schema" => self.dialect(v),
            key if is_annotation(key) => {}
            key => {
                self.refuse(m.at, refusal(key));
            }
        }
    }

    /// Takes the values of an `enum` or a `const`.
    fn allow(&mut self, node: &mut Node, reason: Reason, all: &[Json]) {
        for m in all.iter().filter_map(Json::twice) {
            self.refuse(m.at, format!("key `{}` stands twice: remove one", m.key));
        }
        allow(node, reason, all);
    }

    fn types(&mut self, v: &Json, node: &mut Node) {
        let names = match &v.value {
            Value::String(_) => std::slice::from_ref(v),
            Value::Array(names) if !names.is_empty() => names,
            Value::Array(_) => {
                self.refuse(v.at, "`type` is empty: name a type, or remove it".into());
                return;
            }
            _ => return self.wants("type", "a type's name or an array of them", v),
        };
        node.types = 0;
        for name in names {
            let Value::String(word) = &name.value else {
                self.wants("type", "a type's name or an array of them", name);
                continue;
            };
            match TYPES.iter().find(|(known, _)| known == word) {
                Some((_, mask)) => node.types |= mask,
                None => self.unknown_type(name.at, word),
            }
        }
    }

    fn unknown_type(&mut self, at: usize, word: &str) {
        let known = || TYPES.iter().map(|(known, _)| *known);
        let fix = match nearest(word, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", known().collect::<Vec<_>>().join(", ")),
        };
        self.refuse(at, format!("unknown type `{word}`: {fix}"));
    }

    fn required<'s>(&mut self, v: &'s Json, objects: &mut Objects<'s>) {
        let Value::Array(names) = &v.value else {
            return self.wants("required", "an array of names, in the object's own schema", v);
        };
        for name in names {
            match &name.value {
                Value::String(word) => {
                    if let Err(what) = objects.require(word) {
                        self.refuse(name.at, what);
                    }
                }
                _ => self.wants("required", "an array of names", name),
            }
        }
    }

    fn properties<'s>(&mut self, v: &'s Json, objects: &mut Objects<'s>) {
        let Value::Object(members) = &v.value else {
            return self.wants("properties", "an object", v);
        };
        for m in members {
            let node = self.schema(&m.value);
            if objects.properties.insert(&m.key, node).is_some() {
                self.refuse(m.at, format!("property `{}` stands twice: remove one", m.key));
            }
        }
    }

    fn string_check(&mut self, keyword: &str, v: &Json) -> Option<StringCheck> {
        match (keyword, &v.value) {
            ("minLength" | "maxLength", Value::Number(n)) => {
                let Some(n) = Decimal::new(n.as_bytes()).count() else {
                    self.refuse(v.at, format!("`{keyword}` must be an integer of at least 0"));
                    return None;
                };
                Some(if keyword == "minLength" {
                    StringCheck::MinLength(n)
                } else {
                    StringCheck::MaxLength(n)
                })
            }
            ("minLength" | "maxLength", _) => {
                self.wants(keyword, "an integer of at least 0", v);
                None
            }
            ("pattern", Value::String(p)) => {
                pattern::compile(p).map_err(|what| self.refuse(v.at, what)).ok()
            }
            ("format", Value::String(f)) if f == "date-time" => Some(StringCheck::DateTime),
            ("format", Value::String(f)) => {
                let what =
                    format!("format `{f}` is not supported, only `date-time`: use `pattern`");
                self.refuse(v.at, what);
                None
            }
            _ => {
                self.wants(keyword, "a string", v);
                None
            }
        }
    }

    fn number_check(&mut self, keyword: &str, v: &Json) -> Option<NumberCheck> {
        let Value::Number(n) = &v.value else {
            self.wants(keyword, "a number", v);
            return None;
        };
        let bound = Bound::new(n);
        Some(if keyword == "minimum" {
            NumberCheck::Minimum(bound)
        } else {
            NumberCheck::Maximum(bound)
        })
    }

    fn dialect(&mut self, v: &Json) {
        match &v.value {
            Value::String(uri) if DIALECTS.contains(&uri.trim_end_matches('#')) => {}
            Value::String(uri) => {
                let what = format!("dialect `{uri}` is not supported: use `{}`", DIALECTS[0]);
                self.refuse(v.at, what);
            }
            _ => self.wants("$schema", "a string", v),
        }
    }
}

const TYPES: [(&str, u8); 7] = [
    ("null", types::NULL),
    ("boolean", types::BOOLEAN),
    ("string", types::STRING),
    ("number", types::INTEGER | types::FRACTION),
    ("integer", types::INTEGER),
    ("array", types::ARRAY),
    ("object", types::OBJECT),
];

/// Splits the values of an `enum` or a `const` into a check for each type.
fn allow(node: &mut Node, reason: Reason, all: &[Json]) {
    let strings = Strings::new(all.iter().filter_map(|v| match &v.value {
        Value::String(s) => Some(s.as_str()),
        _ => None,
    }));
    let number = |v: &Json| match &v.value {
        Value::Number(n) => Some(Bound::new(n)),
        _ => None,
    };
    let literal = |v: &Json| match v.value {
        Value::Null => Some(Literal::Null),
        Value::Bool(true) => Some(Literal::True),
        Value::Bool(false) => Some(Literal::False),
        _ => None,
    };
    let container = |v: &&Json| matches!(v.value, Value::Array(_) | Value::Object(_));
    // First in line: the list says more than a length does.
    node.strings.insert(0, StringCheck::OneOf(reason, strings));
    node.numbers.insert(0, NumberCheck::OneOf(reason, all.iter().filter_map(number).collect()));
    let others = Others {
        reason,
        literals: all.iter().filter_map(literal).collect(),
        containers: all.iter().filter(container).cloned().collect(),
    };
    node.others.insert(0, others);
}
