//! The keywords about an object's fields.

use std::collections::BTreeMap;

use super::node::Node;
use crate::engine::path::contract::{NodeId, Property};

/// The most fields that an object may require: each is a bit of a word.
const MAX_REQUIRED: usize = 64;

/// The keywords that speak of an object's fields, until all of them are known.
#[derive(Default)]
pub(super) struct Objects<'a> {
    pub(super) properties: BTreeMap<&'a str, NodeId>,
    pub(super) required: Vec<&'a str>,
    pub(super) additional: Option<NodeId>,
}

impl<'a> Objects<'a> {
    pub(super) fn require(&mut self, name: &'a str) -> Result<(), String> {
        if self.required.contains(&name) {
            return Err(format!("`{name}` is required twice: remove one"));
        }
        if self.required.len() == MAX_REQUIRED {
            return Err(format!(
                "`{name}` is one required field too many: at most {MAX_REQUIRED} in an object"
            ));
        }
        self.required.push(name);
        Ok(())
    }

    pub(super) fn finish(self, node: &mut Node) {
        node.additional = Property::of(self.additional.unwrap_or(NodeId::ANY));
        let mut all: BTreeMap<&str, Property> = BTreeMap::new();
        for (name, id) in self.properties {
            all.insert(name, Property { constrained: true, ..Property::of(id) });
        }
        for (bit, name) in self.required.iter().enumerate() {
            let field = all.entry(name).or_insert(node.additional);
            // Below MAX_REQUIRED.
            (field.constrained, field.required_bit) = (true, Some(bit as u8));
            node.required |= 1 << bit;
        }
        node.properties = all.into_iter().map(|(n, p)| (n.as_bytes().into(), p)).collect();
    }
}
