//! Rules that a schema makes impossible: whatever the event, what the rule leaves of it breaks the
//! schema, so that no event with that field would ever be forwarded.

use std::sync::Arc;

use crate::engine::detect::PlanError;
use crate::engine::path::globs::Globs;
use crate::engine::plan::Settings;
use crate::engine::policy::{Action, Numbers, Whole};
use crate::engine::ruleset::Ruleset;
use crate::engine::schema::{Contract, Literal, NodeId, Property, Schema};

/// Refuses rules by path that the schema of `r` makes impossible.
pub(super) fn check(r: &Ruleset, settings: &Settings) -> Result<(), PlanError> {
    let Some(schema) = &r.schema else { return Ok(()) };
    let Some(conflict) = find(r, schema) else { return Ok(()) };
    let own = settings.routes.iter().flat_map(|route| &route.rules);
    let mut rules = settings.policy.rules.iter().chain(own);
    let rule = rules.nth(usize::from(conflict.by) - settings.policy.allow.len());
    let label = rule.map_or("rule", |rule| &rule.label);
    Err(PlanError::new(format!("{label}: {}", conflict.what)))
}

/// A rule that decides about a field of the schema, and why the schema forbids that.
struct Conflict {
    /// The rule's number, after those of the allow-list's entries.
    by: u16,
    what: String,
}

/// The first conflict between the rules by path and the schema.
fn find(r: &Ruleset, schema: &Schema) -> Option<Conflict> {
    let globs = Arc::clone(&r.precedence.globs);
    if globs.words() == 0 {
        return None;
    }
    let start = globs.start().to_vec();
    let mut search = Search { r, schema, globs: &globs, path: Vec::new() };
    search.node(schema.root(), &start)
}

struct Search<'a> {
    r: &'a Ruleset,
    schema: &'a Schema,
    globs: &'a Globs,
    path: Vec<&'a str>,
}

impl<'a> Search<'a> {
    /// The first conflict in the members and elements of what `node` describes, whose row is `row`.
    fn node(&mut self, node: NodeId, row: &[u64]) -> Option<Conflict> {
        let schema = self.schema;
        let mut next = vec![0; row.len()];
        for (key, property) in schema.fields(node) {
            self.globs.member(row, key.as_bytes(), &mut next, &mut Vec::new());
            self.path.push(key);
            let rule = self.r.precedence.whole(&next);
            let mut found = rule.and_then(|rule| self.field(rule, property));
            // What a rule takes as a whole has no members any more.
            let gone = rule.is_some_and(|rule| {
                matches!(rule.action, Action::Remove | Action::Null | Action::Drop)
            });
            if found.is_none() && !gone {
                found = self.node(property.node, &next);
            }
            if found.is_some() {
                return found;
            }
            self.path.pop();
        }
        let items = schema.items(node);
        if items == NodeId::ANY || items == NodeId::NEVER {
            return None;
        }
        self.globs.element(row, &mut next);
        self.node(items, &next)
    }

    /// The conflict of a rule with the field that it holds.
    fn field(&self, rule: Whole, property: Property) -> Option<Conflict> {
        let node = property.node;
        if node == NodeId::NEVER {
            return None;
        }
        let path = self.path.join(".");
        let what = match rule.action {
            Action::Remove if property.required_bit.is_some() => {
                format!("it removes `{path}`, which the schema requires: choose another action")
            }
            Action::Null if !self.takes_null(node) => format!(
                "it makes `{path}` null, which the schema does not allow: allow it, or choose another action"
            ),
            Action::Replace | Action::Hmac { .. } | Action::Mask { .. }
                if !self.can_replace(rule, node) =>
            {
                format!(
                    "the schema does not allow what it puts in the place of `{path}`: allow it, or choose another action or `numbers`"
                )
            }
            _ => return None,
        };
        Some(Conflict { by: rule.by, what })
    }

    fn takes_null(&self, node: NodeId) -> bool {
        self.schema.check_literal(node, Literal::Null).is_ok()
    }

    /// Whether any value that the schema allows becomes one that it allows.
    fn can_replace(&self, rule: Whole, node: NodeId) -> bool {
        let types = self.schema.types(node);
        let mut token = Vec::new();
        match rule.action {
            // Any value's: they differ in their letters only.
            Action::Hmac { key } => {
                let maker = self.r.precedence.keys.get(usize::from(key));
                maker.iter().for_each(|maker| maker.append(b"", &mut token));
            }
            _ => {
                let placeholder = &self.r.catalog.list[usize::from(rule.detector)].placeholder;
                token.extend_from_slice(placeholder.as_bytes());
            }
        }
        let takes_placeholder = || self.schema.check_string(node, &token).is_ok();
        let string = match rule.action {
            // What a mask comes to depends on the value.
            Action::Mask { .. } => types.string,
            _ => types.string && takes_placeholder(),
        };
        let number = match self.r.precedence.numbers {
            Numbers::Null => self.takes_null(node),
            Numbers::Zero => self.schema.check_number(node, b"0").is_ok(),
            Numbers::Placeholder => takes_placeholder(),
        };
        // What is in a container is replaced, not the container; and null stays.
        let container =
            self.schema.check_object(node).is_ok() || self.schema.check_array(node).is_ok();
        string || types.number && number || container || self.takes_null(node)
    }
}
