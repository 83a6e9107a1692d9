//! Whether one ruleset is at least as strict as another: whatever the event, what the other one
//! replaces it replaces, too, and what the other one refuses it refuses.

use std::sync::Arc;

use super::Ruleset;
use crate::engine::policy::{Action, Rule};

impl Ruleset {
    /// Whether it is known to be at least as strict as `other`, of the same catalog and policy.
    pub(crate) fn is_at_least(&self, other: &Ruleset) -> bool {
        let schema = match (&self.schema, &other.schema) {
            (_, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, Some(_)) => false,
        };
        let detectors =
            self.enabled.iter().zip(&other.enabled).all(|(own, other)| other & !own == 0);
        let rules = self.own == other.own
            || self.own.iter().all(|rule| self.is_strict(rule)) && other.own.iter().all(is_lax);
        schema && detectors && rules
    }

    /// Whether it is the same as `other`, of the same catalog and policy.
    pub(crate) fn is_same(&self, other: &Ruleset) -> bool {
        let schema = match (&self.schema, &other.schema) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        };
        schema && self.enabled == other.enabled && self.own == other.own
    }

    /// Whether a rule before all others can only make the ruleset stricter. What replaces a value goes
    /// before a rule that would drop the event.
    fn is_strict(&self, rule: &Rule) -> bool {
        match rule.action {
            Action::Drop => true,
            Action::Replace | Action::Null | Action::Remove => !self.drops,
            _ => false,
        }
    }
}

/// Whether a rule before all others can only let more through.
fn is_lax(rule: &Rule) -> bool {
    matches!(rule.action, Action::Keep | Action::Observe)
}
