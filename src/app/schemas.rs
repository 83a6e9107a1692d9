//! The schemas that ship, and those of the user.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

/// The schemas that ship: name and text. The one list.
const EMBEDDED: &[(&str, &str)] = &[];

/// A schema's text, not read yet.
#[derive(Debug, Clone)]
pub(crate) struct SchemaText {
    /// The shipped name, or the path.
    pub(crate) name: String,
    /// JSON.
    pub(crate) text: String,
}

/// The schema that `--schema` means: a shipped name, or a file.
pub(crate) fn find(name: &str) -> Result<SchemaText> {
    if let Some((name, text)) = EMBEDDED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(SchemaText { name: (*name).into(), text: (*text).into() });
    }
    let path = Path::new(name);
    if !path.exists() && path.components().count() == 1 && path.extension().is_none() {
        let shipped: Vec<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        bail!(
            "--schema {name}: no such schema and no such file; shipped are: {}",
            shipped.join(", ")
        );
    }
    let text = fs::read_to_string(path).with_context(|| format!("--schema {name}"))?;
    Ok(SchemaText { name: name.into(), text })
}
