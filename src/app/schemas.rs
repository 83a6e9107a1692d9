//! Built-in schemas, and schemas of the user.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{
    config::{names::Names, nearest::meant},
    engine::schema::{Schema, SchemaError},
};

/// Loads the schema that `--schema` names: a built-in one, or a file.
pub(crate) fn find(name: &str, names: &Names) -> Result<Schema> {
    find_as(name, &names.at("--schema"))
}

/// Like `find`. Messages call the option `option`.
pub(crate) fn find_as(name: &str, option: &str) -> Result<Schema> {
    if let Some(shipped) = Schema::builtin(name) {
        return shipped.map_err(|errors| all(&errors));
    }
    let path = Path::new(name);
    let word = path.file_name().and_then(|name| name.to_str()).unwrap_or(name);
    if !path.exists() && path.extension().is_none() {
        let shipped: Vec<_> = Schema::builtin_names().collect();
        let all = || format!("name a file, or a built-in schema: {}", shipped.join(", "));
        let fix = meant(word, shipped.iter().copied(), all);
        bail!("{option} {name}: no such schema and no such file: {fix}");
    }
    let text = fs::read_to_string(path).with_context(|| format!("{option} {name}"))?;
    Schema::parse(name, &text).map_err(|errors| all(&errors))
}

/// Compiles the schema that `--require` describes.
pub(crate) fn require(fields: &[String], names: &Names) -> Result<Schema> {
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    Schema::require(&fields).map_err(|error| anyhow!("{}: {}", names.at("--require"), error.what))
}

/// Joins several errors, one per line.
fn all(errors: &[SchemaError]) -> anyhow::Error {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    anyhow!(lines.join("\n"))
}
