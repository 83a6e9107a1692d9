//! A user's pack, judged before anything is read: what is wrong, in which line, and the mend.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    config::nearest::nearest,
    engine::{
        Plan, Settings,
        detect::{
            Pack, Selection,
            pack::{Detector, Near},
        },
    },
};

/// Reads a pack; a field that the format does not have is told with the one that was meant.
pub(super) fn parse(file: &str, text: &str) -> Result<Pack> {
    Pack::parse(file, text).map_err(|error| {
        let (file, line, column) = (&error.file, error.line, error.column);
        anyhow!("{file}:{line}:{column}: {}", clearer(&error.what))
    })
}

/// The format's words in place of the reader's.
fn clearer(what: &str) -> String {
    let names: Vec<_> = what.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((field, known)) if what.starts_with("unknown ") => {
            let kind = if what.starts_with("unknown field") { "field" } else { "value" };
            let mend = match nearest(field, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            format!("unknown {kind} `{field}`: {mend}")
        }
        _ => what.replace("expected u32", "expected a whole number"),
    }
}

/// Checks pack `own` of `packs`: names, and each detector by itself.
pub(super) fn pack(file: &str, text: &str, own: usize, packs: &[Pack]) -> Result<()> {
    let outline: Outline = toml::from_str(text).unwrap_or_default();
    let pack = &packs[own];
    let at = |i: usize, key: &str| place(file, text, outline.span(i, key));
    if pack.detectors.is_empty() {
        return Err(anyhow!("{file}: the pack has no [[detector]]"));
    }
    if packs.iter().enumerate().any(|(i, other)| i != own && other.pack == pack.pack) {
        let at = place(file, text, outline.pack.as_ref().map(Spanned::span));
        return Err(anyhow!("{at}: another pack is called `{}`: rename this one", pack.pack));
    }
    // All at once, as a rule; one by one only to find who is to blame.
    let sound = refusal(packs.to_vec(), &pack.pack).is_none();
    for (i, detector) in pack.detectors.iter().enumerate() {
        let id = &detector.id;
        if !is_name(id) {
            let mend = "lower-case letters, digits and _, a letter first";
            return Err(anyhow!("{}: id `{id}`: {mend}", at(i, "id")));
        }
        let same = |other: &&Pack| other.detectors.iter().filter(|d| d.id == *id).count();
        if let Some(other) = packs.iter().find(|p| same(p) > usize::from(p.pack == pack.pack)) {
            let other = &other.pack;
            return Err(anyhow!(
                "{}: pack `{other}` has a detector `{id}`: rename this one",
                at(i, "id")
            ));
        }
        if !sound && let Some(what) = refused(packs, own, detector) {
            let key = blame(packs, own, detector, &what, &outline.detector[i]);
            return Err(anyhow!("{}: detector `{id}`: {what}", at(i, key)));
        }
    }
    Ok(())
}

/// An id is a placeholder and a metric label.
fn is_name(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(plain)
}

/// Why the engine refuses `detector` of pack `own`, if it does.
fn refused(packs: &[Pack], own: usize, detector: &Detector) -> Option<String> {
    let mut packs = packs.to_vec();
    for other in &mut packs[own].detectors {
        if other.id == detector.id {
            *other = detector.clone();
        }
    }
    let what = refusal(packs, &detector.id)?;
    let named = format!("detector `{}`: ", detector.id);
    Some(what.split_once(&named).map_or(what.clone(), |(_, what)| what.into()))
}

/// Why the engine refuses the detectors of one name, if it does.
fn refusal(packs: Vec<Pack>, name: &str) -> Option<String> {
    let select = Selection { only: vec![name.to_owned()], ..Selection::default() };
    Plan::compile(Settings { packs, select, ..Settings::default() }).err().map(|error| error.what)
}

/// A field of a detector, and how to make it harmless.
type Harmless = (&'static str, fn(&mut Detector));

const FIELDS: &[Harmless] = &[
    ("validator", |d| d.validator = None),
    ("regex", |d| d.regex = "x".into()),
    ("shape", |d| (d.shape, d.literals) = (vec![], vec!["literal".into()])),
    ("literals", |d| d.literals = vec!["literal".into()]),
    ("lead", |d| d.lead = None),
    ("not_before", |d| d.not_before = None),
    ("not_after", |d| d.not_after = None),
    ("context", |d| d.context = Near::default()),
    ("veto", |d| d.veto = Near::default()),
    ("allow", |d| d.allow.clear()),
    ("assigns", |d| d.assigns = None),
];

/// The field without which the error would not be.
fn blame(
    packs: &[Pack],
    own: usize,
    detector: &Detector,
    what: &str,
    fields: &Fields,
) -> &'static str {
    let guilty = |(key, harmless): &&Harmless| {
        let mut detector = detector.clone();
        harmless(&mut detector);
        fields.contains_key(*key) && refused(packs, own, &detector).as_deref() != Some(what)
    };
    FIELDS.iter().find(guilty).map_or("id", |(key, _)| key)
}

type Fields = HashMap<String, Spanned<toml::Value>>;

/// A pack's places in its text.
#[derive(Default, Deserialize)]
struct Outline {
    pack: Option<Spanned<String>>,
    #[serde(default)]
    detector: Vec<Fields>,
}

impl Outline {
    fn span(&self, detector: usize, key: &str) -> Option<std::ops::Range<usize>> {
        self.detector.get(detector)?.get(key).map(Spanned::span)
    }
}

/// `file:line:column`, or the file alone.
fn place(file: &str, text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let Some(before) = span.and_then(|span| text.get(..span.start)) else { return file.into() };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("{file}:{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a detector with these lines.
    fn said(lines: &str) -> String {
        let text = format!(
            "pack = \"mine\"\nversion = 1\n[[detector]]\ncategory = \"secret\"\ndescription = \"x\"\n{lines}"
        );
        let mut packs = super::super::load(None, &[]).unwrap();
        let checked = parse("mine.toml", &text).and_then(|own| {
            packs.push(own);
            pack("mine.toml", &text, packs.len() - 1, &packs)
        });
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn each_error_has_its_place_and_mend() {
        let plain = "literals = ['acme_']\nregex = 'acme_[a-z]{9}'\n";
        for (lines, wanted) in [
            (format!("id = 'acme'\n{plain}"), ""),
            (
                format!("id = 'acme'\nregexp = 'x'\n{plain}"),
                "mine.toml:7:1: unknown field `regexp`: did you mean `regex`?",
            ),
            (
                format!("id = 'acme'\nextends = 'tokn'\n{plain}"),
                "mine.toml:7:11: unknown value `tokn`: did you mean `token`?",
            ),
            (
                format!("id = 'Acme!'\n{plain}"),
                "mine.toml:6:6: id `Acme!`: lower-case letters, digits and _, a letter first",
            ),
            (
                format!("id = 'email'\n{plain}"),
                "mine.toml:6:6: pack `core` has a detector `email`: rename this one",
            ),
            (
                format!("id = 'acme'\nvalidator = 'lunh'\n{plain}"),
                "mine.toml:7:13: detector `acme`: no validator `lunh`",
            ),
            (
                "id = 'acme'\nliterals = ['acme_']\nregex = 'acme_[a-z'\n".into(),
                "mine.toml:8:9: detector `acme`: unclosed character class",
            ),
            (
                "id = 'acme'\nregex = '[a-z]{9}'\nshape = ['[a-z]{9}']\n".into(),
                "mine.toml:8:9: detector `acme`: a form fits no gate",
            ),
            (
                "id = 'acme'\nregex = 'x'\n".into(),
                "mine.toml:6:6: detector `acme`: declares neither",
            ),
        ] {
            let text = said(&lines);
            assert!(
                text.starts_with(wanted) && text.is_empty() == wanted.is_empty(),
                "{lines}\n{text}"
            );
        }
    }
}
