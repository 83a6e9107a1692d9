//! A compiled schema object: what it asks of a value of each type.

use regex::bytes::Regex;

use super::datetime::is_date_time;
use super::json::{Json, Value};
use super::number::{Bound, is_integer};
use super::shape::Shape;
use super::strings::Strings;
use super::{Literal, NodeId, Property};
use crate::engine::outcome::Reason;

/// JSON Schema's types, as a mask.
pub(super) mod types {
    pub(in super::super) const NULL: u8 = 1;
    pub(in super::super) const BOOLEAN: u8 = 1 << 1;
    pub(in super::super) const STRING: u8 = 1 << 2;
    /// Numbers between integers; `type: number` is this and [`INTEGER`].
    pub(in super::super) const FRACTION: u8 = 1 << 3;
    pub(in super::super) const INTEGER: u8 = 1 << 4;
    pub(in super::super) const ARRAY: u8 = 1 << 5;
    pub(in super::super) const OBJECT: u8 = 1 << 6;
    pub(in super::super) const ALL: u8 = (1 << 7) - 1;
}

/// What a keyword asks of strings.
#[derive(Debug)]
pub(super) enum StringCheck {
    OneOf(Reason, Strings),
    MinLength(usize),
    MaxLength(usize),
    Shape(Shape),
    Regex(Regex),
    DateTime,
}

impl StringCheck {
    fn judge(&self, s: &[u8]) -> Result<(), Reason> {
        let (ok, reason) = match self {
            Self::OneOf(reason, strings) => (strings.has(s), *reason),
            Self::MinLength(n) => (at_least(s, *n), Reason::MinLength),
            Self::MaxLength(n) => (!at_least(s, n.saturating_add(1)), Reason::MaxLength),
            Self::Shape(shape) => (shape.matches(s), Reason::Pattern),
            Self::Regex(regex) => (regex.is_match(s), Reason::Pattern),
            Self::DateTime => (is_date_time(s), Reason::Format),
        };
        if ok { Ok(()) } else { Err(reason) }
    }
}

/// Whether the UTF-8 string `s` has at least `n` code points; counted only where its bytes don't say.
fn at_least(s: &[u8], n: usize) -> bool {
    if s.len() < n {
        return false;
    }
    s.len() / 4 >= n || s.iter().filter(|&&b| b & 0xc0 != 0x80).count() >= n
}

/// What a keyword asks of numbers.
#[derive(Debug)]
pub(super) enum NumberCheck {
    OneOf(Reason, Box<[Bound]>),
    Minimum(Bound),
    Maximum(Bound),
}

impl NumberCheck {
    fn judge(&self, raw: &[u8]) -> Result<(), Reason> {
        let (ok, reason) = match self {
            Self::OneOf(reason, all) => (all.iter().any(|n| n.compare(raw).is_eq()), *reason),
            Self::Minimum(bound) => (bound.compare(raw).is_ge(), Reason::Minimum),
            Self::Maximum(bound) => (bound.compare(raw).is_le(), Reason::Maximum),
        };
        if ok { Ok(()) } else { Err(reason) }
    }
}

/// The values of an `enum` or a `const` that are no strings and no numbers.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) reason: Reason,
    pub(super) literals: Box<[Literal]>,
    pub(super) containers: Box<[Json]>,
}

/// One schema object.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) types: u8,
    pub(super) strings: Vec<StringCheck>,
    pub(super) numbers: Vec<NumberCheck>,
    pub(super) others: Vec<Others>,
    /// Every name of `properties` and `required`, sorted.
    pub(super) properties: Box<[(Box<[u8]>, Property)]>,
    /// Every other name.
    pub(super) additional: Property,
    pub(super) required: u64,
    pub(super) items: NodeId,
}

impl Node {
    /// Accepts the values of `types`, and everything inside them.
    pub(super) fn of_types(types: u8) -> Self {
        Self {
            types,
            strings: Vec::new(),
            numbers: Vec::new(),
            others: Vec::new(),
            properties: Box::default(),
            additional: Property::of(NodeId::ANY),
            required: 0,
            items: NodeId::ANY,
        }
    }

    /// Something is asked of a value itself, not of what is inside it.
    pub(super) fn checks(&self) -> bool {
        let lists = self.strings.is_empty() && self.numbers.is_empty() && self.others.is_empty();
        self.types != types::ALL || !lists
    }

    /// Nothing is asked at all.
    pub(super) fn is_any(&self) -> bool {
        !self.checks()
            && self.properties.is_empty()
            && self.additional.node == NodeId::ANY
            && self.items == NodeId::ANY
    }

    pub(super) fn property(&self, key: &[u8]) -> Property {
        let found = self.properties.binary_search_by(|(name, _)| (**name).cmp(key));
        found.map_or(self.additional, |i| self.properties[i].1)
    }

    fn typed(&self, types: u8) -> Result<(), Reason> {
        if self.types & types != 0 { Ok(()) } else { Err(Reason::Type) }
    }

    pub(super) fn string(&self, s: &[u8]) -> Result<(), Reason> {
        self.typed(types::STRING)?;
        self.strings.iter().try_for_each(|check| check.judge(s))
    }

    pub(super) fn number(&self, raw: &[u8]) -> Result<(), Reason> {
        if self.types & types::FRACTION == 0 {
            self.typed(types::INTEGER)?;
            if !is_integer(raw) {
                return Err(Reason::Type);
            }
        }
        self.numbers.iter().try_for_each(|check| check.judge(raw))
    }

    pub(super) fn literal(&self, literal: Literal) -> Result<(), Reason> {
        self.typed(if literal == Literal::Null { types::NULL } else { types::BOOLEAN })?;
        self.others(|o| o.literals.contains(&literal))
    }

    pub(super) fn object(&self) -> Result<(), Reason> {
        self.typed(types::OBJECT)?;
        self.others(|o| o.containers.iter().any(|c| matches!(c.value, Value::Object(_))))
    }

    pub(super) fn array(&self) -> Result<(), Reason> {
        self.typed(types::ARRAY)?;
        self.others(|o| o.containers.iter().any(|c| matches!(c.value, Value::Array(_))))
    }

    pub(super) fn compares_containers(&self) -> bool {
        self.others.iter().any(|o| !o.containers.is_empty())
    }

    pub(super) fn container(&self, raw: &[u8]) -> Result<(), Reason> {
        if raw.first() == Some(&b'{') {
            self.object()?
        } else {
            self.array()?
        }
        // What nests deeper than any schema may equals nothing in one.
        let value = std::str::from_utf8(raw).ok().and_then(|text| Json::read(text).ok());
        self.others(|o| value.as_ref().is_some_and(|v| o.containers.iter().any(|c| c.same(v))))
    }

    fn others(&self, allowed: impl Fn(&Others) -> bool) -> Result<(), Reason> {
        self.others.iter().find(|o| !allowed(o)).map_or(Ok(()), |o| Err(o.reason))
    }
}
