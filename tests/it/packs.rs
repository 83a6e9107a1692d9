//! The embedded packs: they parse, agree with the format's schema, and carry what they promise.
//!
//! The first tests need no engine, so that a broken pack shows as a broken pack; the last ones run
//! every example and counter-example through it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use tamis::engine::check::check;
use tamis::engine::detect::pack::{Action, Case, Detector};
use tamis::engine::detect::{Pack, Selection};
use tamis::engine::{Chunk, Engine, Output, Plan, Settings};

const PACKS: [(&str, &str); 2] = [
    ("core.toml", include_str!("../../patterns/core.toml")),
    ("secrets.toml", include_str!("../../patterns/secrets.toml")),
];

fn packs() -> Vec<Pack> {
    let parse = |(file, text)| Pack::parse(file, text).unwrap_or_else(|error| panic!("{error}"));
    PACKS.into_iter().map(parse).collect()
}

fn detectors() -> Vec<Detector> {
    packs().into_iter().flat_map(|pack| pack.detectors).collect()
}

/// A regex as the engine reads it: bytes, ASCII classes.
fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .unicode(false)
        .build()
        .unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn well_formed(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[test]
fn packs_agree_with_the_schema_of_the_format() {
    let schema = serde_json::from_str(include_str!("../../schemas/pack.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for (file, text) in PACKS {
        let pack: serde_json::Value = toml::from_str(text).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(&pack).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{file}: {errors:#?}");
    }
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let schema = serde_json::from_str(include_str!("../../schemas/pack.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let head = "pack = \"x\"\nversion = 1\n[[detector]]\nid = \"x\"\ncategory = \"secret\"\ndescription = \"x\"\n";
    let test = "test = [{ text = \"abcd\", becomes = \"x\" }]\n";
    let good = format!("{head}literals = [\"abc\"]\nregex = \"abc.\"\n{test}");
    assert!(validator.is_valid(&toml::from_str(&good).unwrap()));
    for bad in [
        format!("{head}literals = [\"abc\"]\nregexp = \"abc.\"\n{test}"),
        format!("{head}literals = [\"abc\"]\nregex = \"abc.\"\nextends = \"line\"\n{test}"),
        format!("{head}literals = [\"abc\"]\nregex = 7\n{test}"),
        "pack = \"x\"\n".to_string(),
    ] {
        assert!(!validator.is_valid(&toml::from_str(&bad).unwrap()), "{bad}");
        assert!(Pack::parse("bad.toml", &bad).is_err(), "{bad}");
    }
}

#[test]
fn ids_and_pack_names_are_unique_and_well_formed() {
    let mut seen = HashSet::new();
    for pack in packs() {
        assert!(well_formed(&pack.pack) && seen.insert(pack.pack.clone()), "{}", pack.pack);
        assert!(pack.version > 0 && !pack.detectors.is_empty());
        for detector in pack.detectors {
            assert!(well_formed(&detector.id), "{}", detector.id);
            assert!(!detector.references.is_empty(), "{}: no reference", detector.id);
            assert!(seen.insert(detector.id.clone()), "{} twice", detector.id);
        }
    }
}

#[test]
fn every_detector_has_five_examples_and_five_counter_examples() {
    for detector in detectors() {
        let (mut examples, mut counters) = (0, 0);
        for case in &detector.tests {
            assert_ne!(case.text.is_some(), case.event.is_some(), "{}: {case:?}", detector.id);
            match (&case.becomes, case.unchanged_by) {
                (Some(_), None) => examples += 1,
                (None, Some(_)) => counters += 1,
                _ => panic!("{}: neither or both: {case:?}", detector.id),
            }
        }
        assert!(examples >= 5 && counters >= 5, "{}: {examples}, {counters}", detector.id);
    }
}

#[test]
fn every_pattern_compiles() {
    for detector in detectors() {
        let classes = [&detector.lead, &detector.not_before, &detector.not_after];
        for class in classes.into_iter().flatten() {
            compile(&format!("[{class}]"));
        }
        for pattern in detector.shape.iter().chain(&detector.allow).chain([&detector.regex]) {
            compile(pattern);
        }
    }
}

#[test]
fn examples_match_and_become_placeholders() {
    for detector in detectors() {
        let regex = compile(&detector.regex);
        for case in &detector.tests {
            let Some(becomes) = &case.becomes else { continue };
            if let (Some(text), false) = (&case.text, detector.regex.is_empty()) {
                assert!(regex.is_match(text.as_bytes()), "{}: {text}", detector.id);
            }
            let before = case.text.as_ref().or(case.event.as_ref()).unwrap();
            assert_ne!(before, becomes, "{}", detector.id);
            let placeholder = format!("[REDACTED:{}]", detector.id);
            assert!(
                becomes.contains(&placeholder)
                    || detector.action == Action::Truncate
                    || (case.event.is_some() && becomes.contains("null")),
                "{}: {becomes}",
                detector.id
            );
        }
    }
}

#[test]
fn events_are_json_before_and_after() {
    for detector in detectors() {
        for case in detector.tests.iter().filter(|case| case.event.is_some()) {
            for event in [&case.event, &case.becomes].into_iter().flatten() {
                let value: Result<serde_json::Value, _> = serde_json::from_str(event);
                assert!(value.is_ok_and(|v| v.is_object()), "{}: {event}", detector.id);
            }
        }
    }
}

#[test]
fn field_names_are_words_and_no_exception_is_dead() {
    for detector in detectors().iter().filter(|d| !d.fields.is_empty()) {
        let mut seen = HashSet::new();
        for name in detector.fields.iter().chain(&detector.not_fields) {
            assert!(seen.insert(name), "{name} twice");
        }
        for name in &detector.not_fields {
            let ends = |field: &String| name.ends_with(&format!(" {field}"));
            assert!(detector.fields.iter().any(ends), "{name} ends in no field");
        }
    }
}

#[test]
fn assignments_name_a_detector_with_fields() {
    let all = detectors();
    for detector in all.iter().filter(|d| d.assigns.is_some()) {
        let target = all.iter().find(|d| Some(&d.id) == detector.assigns.as_ref());
        assert!(target.is_some_and(|d| !d.fields.is_empty()), "{}", detector.id);
    }
}

#[test]
fn the_engine_decides_as_the_packs_say() {
    let results = check(&packs());
    assert!(results.len() > 300);
    let failed: Vec<_> = results
        .iter()
        .filter(|r| !r.passed)
        .map(|r| {
            let text = r.case.text.as_ref().or(r.case.event.as_ref());
            let wanted = match (&r.case.becomes, r.case.unchanged_by) {
                (Some(becomes), _) => becomes.clone(),
                (None, step) => format!("{step:?}"),
            };
            format!(
                "{}: {}\n  wanted {wanted}\n  came   {} ({:?}) {:?}",
                r.detector,
                text.map_or("", String::as_str),
                r.came,
                r.step,
                r.error,
            )
        })
        .collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), results.len(), failed.join("\n"));
}

/// The parts of `before` that an example says go away.
fn secrets(before: &str, becomes: &str) -> Vec<String> {
    let kept: Vec<_> = Regex::new(r"\[REDACTED:[a-z0-9_#]+\]")
        .unwrap()
        .replace_all(becomes.as_bytes(), &b"\x00"[..])
        .split(|&b| b == 0)
        .map(|part| regex::escape(std::str::from_utf8(part).unwrap()))
        .collect();
    let pattern = format!("(?s-u)^{}$", kept.join("(.+?)"));
    if kept.len() > 1
        && let Some(found) = Regex::new(&pattern).unwrap().captures(before.as_bytes())
    {
        let parts = found.iter().skip(1).flatten();
        return parts.map(|m| String::from_utf8(m.as_bytes().to_vec()).unwrap()).collect();
    }
    // Addresses and numbers: the words that changed.
    let words = |s: &str| -> Vec<String> {
        let word = |c: char| c.is_ascii_alphanumeric() || ".:".contains(c);
        s.split(|c| !word(c)).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    };
    let after = words(becomes);
    words(before).into_iter().filter(|w| !after.contains(w)).collect()
}

fn line_of(case: &Case) -> String {
    match (&case.text, &case.event) {
        (Some(text), _) => serde_json::json!({ "message": text }).to_string(),
        (None, event) => event.clone().unwrap(),
    }
}

fn clean(plan: &Arc<Plan>, line: &str) -> String {
    let mut out = Output::default();
    Engine::new(Arc::clone(plan)).process(&Chunk::from_bytes(line.as_bytes()), &mut out);
    String::from_utf8(out.clean).unwrap().trim_end().to_owned()
}

#[test]
fn no_secret_of_an_example_is_left_when_all_detectors_are_on() {
    let settings = Settings { packs: packs(), ..Settings::default() };
    let plan = Arc::new(Plan::compile(settings).unwrap());
    for detector in detectors() {
        for case in detector.tests.iter().filter(|c| c.becomes.is_some()) {
            let line = line_of(case);
            let out = clean(&plan, &line);
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{line}");
            let before = case.text.as_ref().or(case.event.as_ref()).unwrap();
            let secrets = secrets(before, case.becomes.as_ref().unwrap());
            assert!(!secrets.is_empty(), "{before}");
            // A name or `1` stands elsewhere too.
            for secret in secrets.iter().filter(|s| s.len() > 3) {
                let spelt = serde_json::to_string(secret).unwrap();
                assert!(!out.contains(spelt.trim_matches('"')), "{secret} is left: {out}");
            }
            assert_eq!(clean(&plan, &out), out, "again");
        }
    }
}

/// Counter-examples of one detector that are another's finding.
const ANOTHERS: &[(&str, &str)] = &[];

#[test]
fn counter_examples_stay_beside_the_detectors_of_their_category() {
    let mut changed = vec![];
    for category in detectors().iter().map(|d| d.category.clone()).collect::<BTreeSet<_>>() {
        let select = Selection { only: vec![category.clone()], ..Selection::default() };
        let settings = Settings { packs: packs(), select, ..Settings::default() };
        let plan = Arc::new(Plan::compile(settings).unwrap());
        for detector in detectors().iter().filter(|d| d.category == category) {
            for case in detector.tests.iter().filter(|c| c.unchanged_by.is_some()) {
                let line = line_of(case);
                let out = clean(&plan, &line);
                let known = ANOTHERS.iter().any(|(d, t)| *d == detector.id && line.contains(t));
                if (out != line) != known {
                    changed.push(format!("{}: {line} → {out}", detector.id));
                }
            }
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}
