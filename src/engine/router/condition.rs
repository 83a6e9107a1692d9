//! Conditions of routes on the event's own fields.

/// A condition on a field of the event's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCondition {
    /// The field.
    pub name: String,
    /// One of these must match its value.
    pub values: Vec<Pattern>,
}

/// A pattern for a value: a string, or an integer or a boolean as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// All of it.
    Exact(String),
    /// What a string begins with.
    Prefix(String),
    /// What a string ends with.
    Suffix(String),
}

impl Pattern {
    /// Reads `web-*`, `*-canary` or `web`.
    ///
    /// # Errors
    /// A `*` stands elsewhere.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let pattern = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (_, Some(prefix)) => Self::Prefix(prefix.to_owned()),
            (Some(suffix), None) => Self::Suffix(suffix.to_owned()),
            (None, None) => Self::Exact(text.to_owned()),
        };
        let (Self::Exact(rest) | Self::Prefix(rest) | Self::Suffix(rest)) = &pattern;
        if rest.contains('*') {
            return Err("one `*` can stand at the start or at the end, and nowhere else");
        }
        Ok(pattern)
    }

    pub(super) fn matches(&self, text: &[u8], string: bool) -> bool {
        match self {
            Self::Exact(all) => all.as_bytes() == text,
            Self::Prefix(start) => string && text.starts_with(start.as_bytes()),
            Self::Suffix(end) => string && text.ends_with(end.as_bytes()),
        }
    }
}
