//! Event schemas: JSON Schema 2020-12, compiled to questions that one pass over an event asks.
//!
//! A [`Schema`] is an arena of nodes. The walk carries the node of the value it is in, asks
//! for the node of each member and element, and has each value checked where it stands; no value is
//! built. Supported are `type`, `required`, `properties`, `additionalProperties`, `enum`, `const`,
//! `pattern`, `format: date-time` (asserted), `minimum`, `maximum`, `minLength`, `maxLength`,
//! `items`, boolean schemas and annotations. A schema with anything else is refused, never half
//! enforced.

mod compile;
mod datetime;
mod json;
mod keyword;
mod node;
mod number;
mod objects;
mod pattern;
mod shape;
mod strings;
#[cfg(test)]
mod tests;
mod word;

use std::{path::Path, sync::Arc};

use node::{Node, types};

pub(crate) use super::path::contract::{Contract, NodeId, Property};
use crate::engine::outcome::Reason;

/// A schema that ships: name and text.
const BUILTIN: &[(&str, &str)] = &[("service-log", include_str!("../../schemas/service-log.json"))];

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    name: Arc<str>,
    nodes: Vec<Node>,
    root: NodeId,
}

/// Why a schema was refused, where, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {what}")]
pub struct SchemaError {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

/// Types that a schema allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Types {
    pub(crate) string: bool,
    pub(crate) number: bool,
}

/// A JSON literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literal {
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

impl Schema {
    /// Compiles a schema's text. `file` is for messages, and its stem is the schema's name.
    ///
    /// Finds every error of the text, but after invalid JSON no other.
    ///
    /// ```
    /// let errors = tamis::engine::schema::Schema::parse("log.json", "{\n  \"requierd\": []\n}");
    /// let errors = errors.unwrap_err();
    /// assert_eq!(
    ///     errors[0].to_string(),
    ///     "log.json:2:3: unknown keyword `requierd`: did you mean `required`?"
    /// );
    /// ```
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<SchemaError>> {
        let (nodes, root) = compile::compile(file, text)?;
        Ok(Self { name: stem(file).into(), nodes, root })
    }

    /// The schema `require`: an object that has all of `fields`, with any value.
    ///
    /// An error counts its column in the names joined by commas.
    pub fn require(fields: &[&str]) -> Result<Self, SchemaError> {
        let (nodes, root) = compile::require(fields).map_err(|(i, what)| SchemaError {
            file: "require".to_owned(),
            line: 1,
            column: fields[..i].iter().map(|f| f.chars().count() + 1).sum::<usize>() + 1,
            what,
        })?;
        Ok(Self { name: "require".into(), nodes, root })
    }

    /// The schema that ships under `name`, if one does.
    pub fn builtin(name: &str) -> Option<Result<Self, Vec<SchemaError>>> {
        Self::builtin_text(name).map(|text| Self::parse(&format!("{name}.json"), text))
    }

    /// The text of the schema that ships under `name`, if one does.
    pub fn builtin_text(name: &str) -> Option<&'static str> {
        BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The names of the schemas that ship.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Its name: the file's stem, or `require`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, to be kept.
    pub fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    fn node(&self, n: NodeId) -> &Node {
        &self.nodes[n.0 as usize]
    }

    /// The fields of an object that the schema names, and what it says of each.
    pub(crate) fn fields(&self, object: NodeId) -> impl Iterator<Item = (&str, Property)> {
        let named = self.node(object).properties.iter();
        named.filter_map(|(name, property)| Some((std::str::from_utf8(name).ok()?, *property)))
    }

    /// The types that a value may have.
    pub(crate) fn types(&self, n: NodeId) -> Types {
        let has = |types: u8| self.node(n).types & types != 0;
        Types { string: has(types::STRING), number: has(types::INTEGER | types::FRACTION) }
    }

    /// Checks a string: decoded, valid UTF-8.
    pub(crate) fn check_string(&self, n: NodeId, s: &[u8]) -> Result<(), Reason> {
        self.node(n).string(s)
    }

    /// Checks a number by its JSON spelling.
    pub(crate) fn check_number(&self, n: NodeId, raw: &[u8]) -> Result<(), Reason> {
        self.node(n).number(raw)
    }

    /// Checks a literal.
    pub(crate) fn check_literal(&self, n: NodeId, literal: Literal) -> Result<(), Reason> {
        self.node(n).literal(literal)
    }

    /// Checks that an object may stand here at all; not its fields.
    pub(crate) fn check_object(&self, n: NodeId) -> Result<(), Reason> {
        self.node(n).object()
    }

    /// Checks that an array may stand here at all; not its elements.
    pub(crate) fn check_array(&self, n: NodeId) -> Result<(), Reason> {
        self.node(n).array()
    }

    /// Compares a whole container, as it was spelled, with those of `enum` and `const`. Slow: it
    /// builds the value.
    pub(crate) fn check_container(&self, n: NodeId, raw: &[u8]) -> Result<(), Reason> {
        self.node(n).container(raw)
    }
}

impl Schema {
    /// The first field that the object at `pointer` in a valid `event` lacks. Slow, for reports:
    /// `None` where the event cannot be read into memory (a number beyond all doubles).
    pub(crate) fn missing(&self, event: &[u8], pointer: &str) -> Option<String> {
        let event = serde_json::from_slice(event).ok()?;
        let (mut value, mut node): (&serde_json::Value, _) = (&event, self.root);
        for step in pointer.split('/').skip(1) {
            let key = step.replace("~1", "/").replace("~0", "~");
            (value, node) = match value {
                serde_json::Value::Array(all) => {
                    (all.get(key.parse::<usize>().ok()?)?, self.items(node))
                }
                _ => (value.get(&key)?, self.property(node, key.as_bytes()).node),
            };
        }
        let object = value.as_object()?;
        let required = self.node(node).properties.iter();
        let lacks = required.filter_map(|(name, property)| {
            let name = std::str::from_utf8(name).ok()?;
            (!object.contains_key(name)).then_some((property.required_bit?, name))
        });
        lacks.min().map(|(_, name)| name.to_owned())
    }
}

/// A file's name without folders and without `.json` or `.schema.json`.
fn stem(file: &str) -> &str {
    let name = Path::new(file).file_name().and_then(|n| n.to_str()).unwrap_or(file);
    let name = name.strip_suffix(".json").unwrap_or(name);
    name.strip_suffix(".schema").filter(|n| !n.is_empty()).unwrap_or(name)
}

impl Contract for Schema {
    fn root(&self) -> NodeId {
        self.root
    }

    fn property(&self, object: NodeId, key: &[u8]) -> Property {
        self.node(object).property(key)
    }

    fn items(&self, array: NodeId) -> NodeId {
        self.node(array).items
    }

    fn required(&self, object: NodeId) -> u64 {
        self.node(object).required
    }

    fn checks(&self, n: NodeId) -> bool {
        self.node(n).checks()
    }

    fn checks_strings(&self, n: NodeId) -> bool {
        !self.node(n).strings.is_empty()
    }

    fn compares_any(&self) -> bool {
        self.nodes.iter().any(Node::compares_containers)
    }

    fn compares_containers(&self, n: NodeId) -> bool {
        self.node(n).compares_containers()
    }
}
