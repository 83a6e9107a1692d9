//! The rules as tables, and the complaints about one file.

use super::source::{Import, Source};

/// What each top module of the crate may import of the others.
const LAYERS: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("metrics", &[]),
    ("journal", &[]),
    ("shutdown", &[]),
    ("compression", &[]),
    ("seal", &[]),
    ("temporary", &[]),
    ("descriptors", &[]),
    ("dead_letter", &["pipeline", "seal"]),
    ("pipeline", &["engine", "metrics", "seal", "shutdown"]),
    ("containers", &["engine", "pipeline"]),
    ("records", &["engine", "pipeline", "compression"]),
    ("kafka", &["journal", "metrics"]),
    (
        "sources",
        &[
            "pipeline",
            "journal",
            "dead_letter",
            "metrics",
            "shutdown",
            "compression",
            "kafka",
            "temporary",
        ],
    ),
    (
        "sinks",
        &[
            "pipeline",
            "journal",
            "dead_letter",
            "metrics",
            "seal",
            "shutdown",
            "compression",
            "kafka",
            "temporary",
        ],
    ),
    ("serve", &["metrics", "shutdown"]),
    ("summary", &["engine", "pipeline", "journal"]),
    ("config", &["engine", "pipeline", "kafka", "sources", "sinks", "serve", "shutdown"]),
    ("cli", &["config", "engine"]),
    ("app", ALL),
    ("main", ALL),
    ("lib", ALL),
];
const ALL: &[&str] = &[
    "engine",
    "metrics",
    "journal",
    "shutdown",
    "compression",
    "seal",
    "temporary",
    "descriptors",
    "dead_letter",
    "pipeline",
    "containers",
    "records",
    "kafka",
    "sources",
    "sinks",
    "serve",
    "summary",
    "config",
    "cli",
    "app",
];

/// Inside the engine: which siblings a module may import.
const ENGINE: &[(&str, Siblings)] = &[
    ("index", Siblings::None),
    ("decode", Siblings::None),
    ("path", Siblings::Not(&["walk", "schema", "detect"])),
    ("redact", Siblings::Not(&["detect"])),
];

enum Siblings {
    None,
    /// All but these.
    Not(&'static [&'static str]),
}

/// What the engine must not reach: it has no files, sockets, clock, threads, log or environment.
/// (The types of IP addresses are in `core::net`.)
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "tracing",
];
const PRINTS: &[&str] = &["println!", "eprintln!", "print!", "eprint!"];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &["src/engine/index/", "src/kafka/native.rs", "src/descriptors.rs"];

const LONGEST_FILE: usize = 400;
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Everything that breaks a rule in `source`, as `file:line: rule`.
pub(crate) fn complaints(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    name(source, &mut found);
    notes(source, &mut found);
    if source.is_test() {
        return found;
    }
    length(source, &mut found);
    layers(source, &mut found);
    unsafety(source, &mut found);
    if source.module[0] == "engine" {
        outside(source, &mut found);
    }
    found
}

fn name(source: &Source, found: &mut Vec<String>) {
    if source.path.ends_with("/mod.rs") {
        found.push(source.complaint(1, "no mod.rs: `x.rs` beside `x/`"));
    }
    if let Some(name) = source.module.iter().find(|m| EMPTY_NAMES.contains(&m.as_str())) {
        found.push(source.complaint(1, &format!("`{name}` says nothing: name the file by a noun")));
    }
}

fn notes(source: &Source, found: &mut Vec<String>) {
    for (i, line) in source.text.lines().enumerate() {
        if let Some(note) = NOTES.iter().find(|n| line.contains(**n)) {
            found.push(source.complaint(i + 1, &format!("no {note} stays in the sources")));
        }
    }
}

fn length(source: &Source, found: &mut Vec<String>) {
    let lines = source.code.lines().count();
    if lines > LONGEST_FILE {
        let rule =
            format!("{lines} lines without tests: {LONGEST_FILE} at most, split it by concept");
        found.push(source.complaint(LONGEST_FILE + 1, &rule));
    }
}

fn layers(source: &Source, found: &mut Vec<String>) {
    let top = source.module[0].as_str();
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == top) else {
        if !EMPTY_NAMES.contains(&top) {
            found
                .push(source.complaint(1, &format!("`{top}` has no place in the table of layers")));
        }
        return;
    };
    for import in source.imports("crate") {
        let Some(layer) = import.path.first() else { continue };
        let is_layer = LAYERS.iter().any(|(name, _)| name == layer);
        if is_layer && layer != top && !allowed.contains(&layer.as_str()) {
            let may =
                if allowed.is_empty() { "nothing of ours".into() } else { allowed.join(", ") };
            let rule = format!("`{top}` imports `{}`; it may import {may}", import.text());
            found.push(source.complaint(import.line, &rule));
        } else if layer == "engine" && top == "engine" {
            found.extend(inside_engine(source, &import));
        }
    }
}

fn inside_engine(source: &Source, import: &Import) -> Option<String> {
    let own = source.module.get(1)?;
    let sibling = import.path.get(1).filter(|s| *s != own)?;
    let (_, siblings) = ENGINE.iter().find(|(name, _)| name == own)?;
    let (refused, rule) = match siblings {
        Siblings::None => (true, "no other module of the engine is for it".to_string()),
        Siblings::Not(not) => {
            (not.contains(&sibling.as_str()), format!("not for it: {}", not.join(", ")))
        }
    };
    let rule = format!("`engine::{own}` imports `{}`; {rule}", import.text());
    refused.then(|| source.complaint(import.line, &rule))
}

fn unsafety(source: &Source, found: &mut Vec<String>) {
    if UNSAFE.iter().any(|home| source.path.starts_with(home)) {
        return;
    }
    let rule = format!("`unsafe` lives in {} only", UNSAFE.join(" and "));
    for line in source.lines_with("unsafe") {
        found.push(source.complaint(line, &rule));
    }
}

fn outside(source: &Source, found: &mut Vec<String>) {
    for name in OUTSIDE {
        let (root, rest) = name.split_once("::").unwrap_or((name, ""));
        let wanted: Vec<&str> = rest.split("::").filter(|s| !s.is_empty()).collect();
        for import in source.imports(root) {
            if import.path.iter().zip(&wanted).filter(|(a, b)| a == *b).count() == wanted.len() {
                let rule = format!("the engine does no I/O and reads no clock: no `{name}`");
                found.push(source.complaint(import.line, &rule));
                break;
            }
        }
    }
    for name in PRINTS {
        for line in source.lines_with(name) {
            found.push(source.complaint(line, "the engine prints nothing"));
        }
    }
}
