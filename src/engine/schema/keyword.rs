//! Which keywords of JSON Schema 2020-12 are enforced, accepted, or refused, and what to do then.

/// Enforced.
const ENFORCED: &[&str] = &[
    "type",
    "required",
    "properties",
    "additionalProperties",
    "enum",
    "const",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "items",
];

/// Accepted: they say something to readers, and ask nothing of an event.
const ANNOTATIONS: &[&str] = &[
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Known and not enforced: accepting them would promise what isn't done.
const REFUSED: &[(&str, &str)] = &[
    ("$ref", "write the schema that it names in its place"),
    ("$dynamicRef", "write the schema that it names in its place"),
    ("$recursiveRef", "write the schema that it names in its place"),
    ("$defs", "write each definition where it is used"),
    ("definitions", "write each definition where it is used"),
    ("$anchor", "remove it: nothing can refer to it"),
    ("$dynamicAnchor", "remove it: nothing can refer to it"),
    ("$recursiveAnchor", "remove it: nothing can refer to it"),
    ("$vocabulary", "remove it: it belongs to meta-schemas"),
    ("allOf", "merge its schemas into this one"),
    ("anyOf", "use `enum` or a list in `type` where that says the same"),
    ("oneOf", "use `enum` or a list in `type` where that says the same"),
    ("not", "say what is allowed (`enum`, `pattern`, `type`)"),
    ("if", "remove the condition, or enforce each kind of event with a schema of its own"),
    ("then", "remove the condition, or enforce each kind of event with a schema of its own"),
    ("else", "remove the condition, or enforce each kind of event with a schema of its own"),
    ("dependentRequired", "list the fields in `required`, or remove it"),
    ("dependentSchemas", "remove it"),
    ("dependencies", "list the fields in `required`, or remove it"),
    ("patternProperties", "name the fields in `properties`"),
    ("propertyNames", "name the fields in `properties` and close with `additionalProperties`"),
    ("minProperties", "list the fields in `required`"),
    ("maxProperties", "close the object with `additionalProperties: false`"),
    ("unevaluatedProperties", "use `additionalProperties`"),
    ("prefixItems", "use `items` for what all elements share"),
    ("additionalItems", "use `items` for what all elements share"),
    ("unevaluatedItems", "use `items` for what all elements share"),
    ("contains", "use `items` for what all elements share"),
    ("minContains", "use `items` for what all elements share"),
    ("maxContains", "use `items` for what all elements share"),
    ("minItems", "remove it"),
    ("maxItems", "remove it"),
    ("uniqueItems", "remove it"),
    ("exclusiveMinimum", "use `minimum`"),
    ("exclusiveMaximum", "use `maximum`"),
    ("multipleOf", "use `type: integer` if that is what it says"),
    ("contentEncoding", "say so in `description`"),
    ("contentMediaType", "say so in `description`"),
    ("contentSchema", "say so in `description`"),
];

/// Whether `key` may stand in a schema and asks nothing.
pub(super) fn is_annotation(key: &str) -> bool {
    key.starts_with("x-") || ANNOTATIONS.contains(&key)
}

/// Why `key` may not stand in a schema, with the fix.
pub(super) fn refusal(key: &str) -> String {
    if let Some((_, fix)) = REFUSED.iter().find(|(known, _)| *known == key) {
        return format!("keyword `{key}` is not supported: {fix}");
    }
    let known = ENFORCED.iter().chain(ANNOTATIONS).copied();
    match nearest(key, known) {
        Some(near) => format!("unknown keyword `{key}`: did you mean `{near}`?"),
        None => format!(
            "unknown keyword `{key}`: a field of the event belongs under `properties`, an \
             annotation of your own begins with `x-`"
        ),
    }
}

/// The word that is at most a third of its letters away, if there is one.
pub(super) fn nearest<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = all.map(|known| (distance(word, known), known)).min_by_key(|(d, _)| *d)?;
    (near.0 <= near.1.len().div_ceil(3)).then_some(near.1)
}

/// Letters to add, drop or change (Levenshtein), case aside.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_mend() {
        assert!(refusal("$ref").contains("in its place"));
        assert!(refusal("requierd").ends_with("did you mean `required`?"));
        assert!(refusal("minlength").ends_with("did you mean `minLength`?"));
        assert!(refusal("additional_properties").contains("`additionalProperties`"));
        assert!(refusal("trace_id").contains("under `properties`"));
        assert!(is_annotation("x-pii") && is_annotation("title") && !is_annotation("type"));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("Type", "type"), 0);
    }
}
