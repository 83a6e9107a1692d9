//! Finds all errors in a pack that cannot be parsed, where serde stops at the first.

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use crate::engine::detect::{Pack, pack::Detector};

/// A byte offset in the text, and the error there.
pub(super) type Fault = (usize, String);

/// Returns the errors of a pack, in the order of its text.
pub(super) fn faults(text: &str) -> Vec<Fault> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return errors.iter().map(|error| fault(error, 0)).collect();
    }
    let mut found = Vec::new();
    // Each detector is parsed alone, so that an error in one does not hide the next.
    if table.get_ref().get("detector").is_some_and(|all| all.get_ref().is_array())
        && let Some(DeValue::Array(all)) =
            table.get_mut().remove("detector").map(Spanned::into_inner)
    {
        found.extend(all.into_iter().flat_map(of::<Detector>));
    }
    let span = table.span();
    found.extend(of::<Pack>(Spanned::new(span, DeValue::Table(table.into_inner()))));
    found.sort();
    found
}

/// Returns why `value` cannot be deserialized as a `T`. Each field with an error is removed, and
/// the rest is checked.
fn of<T: DeserializeOwned>(mut value: Spanned<DeValue<'_>>) -> Vec<Fault> {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    while let Err(error) = T::deserialize(ValueDeserializer::from(value.clone())) {
        let (at, what) = fault(&error, value.span().start);
        if let Some(field) = what.strip_prefix("missing field ") {
            let there = left_out.iter().any(|key| field.contains(&format!("`{key}`")));
            found.extend((!there).then_some((at, what)));
            break;
        }
        found.push((at, what));
        let DeValue::Table(table) = value.get_mut() else { break };
        let refused = table
            .iter()
            .find(|(key, value)| key.span().contains(&at) || value.span().contains(&at));
        let Some(key) = refused.map(|(key, _)| key.get_ref().to_string()) else { break };
        table.remove(key.as_str());
        left_out.push(key);
    }
    found
}

fn fault(error: &toml::de::Error, otherwise: usize) -> Fault {
    (error.span().map_or(otherwise, |span| span.start), error.message().to_owned())
}
