//! `[keys.NAME]`: the keys for pseudonyms, each in a file of its own; and the action of a rule,
//! which may refer to one.

use toml::{Spanned, de::DeValue};

use super::{Said, Spot, choice::ActionChoice, reader::Reader};
use crate::engine::policy::{KeyError, PseudonymKey};

type Value<'t> = Spanned<DeValue<'t>>;

/// Keys of `[keys.NAME]`.
const RING: &[&str] = &["active", "previous"];
/// Keys of `active` and of each of `previous`.
const KEY: &[&str] = &["id", "file"];
/// Keys of an action that is a table.
const HMAC: &[&str] = &["hmac"];

/// `[keys.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingEntry {
    /// Its position.
    pub spot: Spot,
    /// The name that rules use.
    pub name: String,
    /// The key in use.
    pub active: KeyEntry,
    /// Keys that were in use before.
    pub previous: Vec<KeyEntry>,
}

/// One key: its id, its file, and the file's content, which is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// The id that pseudonyms contain.
    pub id: Said<String>,
    /// The file, as written.
    pub file: Said<String>,
    /// The key.
    pub key: PseudonymKey,
}

/// The `action` of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionEntry {
    /// `action = "mask"`
    Word(Said<ActionChoice>),
    /// `action = { hmac = "person" }`
    Hmac {
        /// Its position.
        spot: Spot,
        /// The name of the keys.
        keys: Said<String>,
    },
}

impl ActionEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let spot = r.spot(value.span().start);
        if matches!(value.get_ref(), DeValue::String(word) if word == "hmac") {
            let what =
                "`hmac` needs the name of its keys: write { hmac = \"NAME\" } to use [keys.NAME]";
            r.complain(spot, what.into());
            return None;
        }
        if !r.is_table(value) {
            return r.choice(value).map(Self::Word);
        }
        let (spot, table) = r.entry(value)?;
        let mut keys = None;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "hmac" => keys = Some(r.text(value)?),
                _ => {
                    r.unknown(key, HMAC);
                    return None;
                }
            }
        }
        if keys.is_none() {
            r.complain(
                spot,
                "the name of the keys is missing: write { hmac = \"NAME\" } to use [keys.NAME]"
                    .into(),
            );
        }
        Some(Self::Hmac { spot, keys: keys? })
    }

    /// Returns its position.
    pub fn spot(&self) -> Spot {
        match self {
            Self::Word(said) => said.spot,
            Self::Hmac { spot, .. } => *spot,
        }
    }

    /// Returns whether the action is this word.
    pub fn is(&self, choice: ActionChoice) -> bool {
        matches!(self, Self::Word(said) if said.value == choice)
    }
}

/// Reads the tables of `[keys]`.
pub(super) fn rings(r: &mut Reader<'_>, value: &Value<'_>) -> Vec<RingEntry> {
    let Some((_, table)) = r.entry(value) else { return Vec::new() };
    let mut all = Vec::new();
    for (key, value) in table {
        let (name, spot) = (key.get_ref().to_string(), r.spot(key.span().start));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        if name.is_empty() || !name.bytes().all(plain) {
            r.complain(
                spot,
                format!("keys `{name}`: use letters, digits, `_` and `-` for the name"),
            );
            continue;
        }
        all.extend(ring(r, value, spot, name));
    }
    all
}

fn ring(r: &mut Reader<'_>, value: &Value<'_>, spot: Spot, name: String) -> Option<RingEntry> {
    let (_, table) = r.entry(value)?;
    let (mut active, mut previous) = (None, Vec::new());
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "active" => active = Some(one(r, value, &format!("keys.{name}.active"))),
            "previous" => match value.get_ref() {
                DeValue::Array(all) => {
                    let path = format!("keys.{name}.previous");
                    previous = all.iter().filter_map(|value| one(r, value, &path)).collect();
                }
                _ => {
                    let spot = r.spot(value.span().start);
                    r.complain(spot, "expected a list of tables: [{ id, file }]".into());
                }
            },
            _ => r.unknown(key, RING),
        }
    }
    if active.is_none() {
        r.complain(spot, format!("keys.{name} has no `active` key: add active = {{ id, file }}"));
    }
    let active: KeyEntry = active??;
    for (at, key) in previous.iter().enumerate() {
        let before = previous[..at].iter().chain([&active]);
        if before.into_iter().any(|other| other.id.value == key.id.value) {
            let what = format!(
                "keys.{name}: the id `{}` is used twice: give each key its own",
                key.id.value
            );
            r.complain(key.id.spot, what);
        }
    }
    Some(RingEntry { spot, name, active, previous })
}

/// Reads one key. Messages call it `path`.
fn one(r: &mut Reader<'_>, value: &Value<'_>, path: &str) -> Option<KeyEntry> {
    let (spot, table) = r.entry(value)?;
    let (mut id, mut found) = (None, None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "id" => id = Some(r.text(value)?),
            "file" => found = Some(r.bytes_of_file(value, &format!("{path}.file"))?),
            _ => r.unknown(key, KEY),
        }
    }
    for (key, is_there) in [("id", id.is_some()), ("file", found.is_some())] {
        if !is_there {
            r.complain(
                spot,
                format!("{path} has no `{key}`: write {{ id = \"2026-11\", file = \"…\" }}"),
            );
        }
    }
    let (id, (file, name, secret)) = (id?, found?);
    match PseudonymKey::new(&id.value, &secret) {
        Ok(key) => Some(KeyEntry { id, file, key }),
        Err(error @ KeyError::Id) => {
            r.complain(id.spot, format!("{path}.id: {error}"));
            None
        }
        Err(error) => {
            r.complain(file.spot, format!("{path}.file: {name}: {error}"));
            None
        }
    }
}
