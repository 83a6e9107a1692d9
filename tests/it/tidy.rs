//! The house rules, kept by reading the sources: which layer may import which, how long a file
//! may be and what it may be called, where `unsafe` and the outside world may appear.

mod measures;
mod rules;
mod source;
mod words;

use std::path::Path;

use rules::complaints;
use source::Source;
use words::Words;

#[test]
fn the_sources_keep_the_house_rules() {
    let sources = Source::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let words = Words::of_program();
    let mut complaints: Vec<String> = sources.iter().flat_map(complaints).collect();
    complaints.extend(sources.iter().flat_map(|source| words.complaints(source)));
    complaints.extend(measures::complaints(&sources));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The complaints about a file named `path` with this text.
fn judge(path: &str, text: &str) -> Vec<String> {
    complaints(&Source::new(path, text))
}

#[test]
fn layers_are_kept() {
    for (path, text) in [
        ("src/engine/walk.rs", "use crate::pipeline::Chunk;"),
        ("src/sources/files.rs", "use crate::{\n    metrics,\n    engine::{Engine},\n};"),
        ("src/sinks/file.rs", "fn f() { crate::sources::stdin::open() }"),
        ("src/pipeline/order.rs", "use super::super::sinks::Stdout;"),
        ("src/cli/args.rs", "use crate::app;"),
        ("src/engine/index/simd.rs", "use crate::engine::{index::Mark, walk::State};"),
        ("src/engine/decode.rs", "use super::outcome::Reason;"),
        ("src/engine/path/state.rs", "use super::super::schema;"),
        ("src/engine/redact.rs", "use crate::engine::detect::Pack;"),
        ("src/gadgets.rs", "use crate::engine::Engine;"),
    ] {
        assert_eq!(judge(path, text).len(), 1, "{path}: {text} gave {:?}", judge(path, text));
    }
    for (path, text) in [
        ("src/engine/walk.rs", "use crate::engine::index::Index; use super::path;"),
        ("src/pipeline.rs", "pub mod order;\nuse crate::engine::Engine;\nuse order::Order;"),
        ("src/sinks/file.rs", "use crate::{pipeline::ports::Sink, shutdown::Phase};"),
        ("src/engine/index.rs", "mod gate;\nuse gate::Masks;\n// crate::pipeline is not for us"),
        ("src/engine/index/gate.rs", "use super::STRIDE; const S: &str = \"crate::app::x\";"),
        ("src/engine/path.rs", "use crate::engine::decode::unescape;"),
        ("src/engine.rs", "#[cfg(test)]\nmod tests;\nfn f() {}"),
        ("src/app.rs", "use crate::{engine, pipeline, sinks, sources};"),
        ("src/engine/walk.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::app::x;\n}"),
    ] {
        assert_eq!(judge(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

#[test]
fn the_engine_is_kept_from_the_outside() {
    for text in [
        "use std::fs::File;",
        "use std::{collections::HashMap, io::{self, Write}};",
        "use std::time::Instant;",
        "fn f() { let _ = std::env::var_os(\"X\"); }",
        "use tracing::info;",
        "fn f() { tokio::spawn(g()); }",
        "fn f() { eprintln!(\"x\"); }",
    ] {
        assert_eq!(judge("src/engine/walk.rs", text).len(), 1, "{text}");
        assert_eq!(judge("src/app.rs", text), Vec::<String>::new(), "{text}");
    }
    assert!(judge("src/engine/walk.rs", "use std::time::Duration;").is_empty());
}

#[test]
fn unsafe_stays_where_it_is() {
    let text = "/// No unsafe here.\n#![allow(unsafe_code)]\nfn f() { unsafe { g() } }";
    for home in ["src/engine/index/simd.rs", "src/kafka/native.rs"] {
        assert_eq!(judge(home, text), Vec::<String>::new());
    }
    assert_eq!(judge("src/kafka/topics.rs", text).len(), 1);
    let found = judge("src/engine/walk.rs", text);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("src/engine/walk.rs:3: "), "{found:?}");
}

#[test]
fn files_are_short_and_named_by_what_they_hold() {
    let line = "fn f() {}\n";
    assert!(judge("src/app.rs", &line.repeat(400)).is_empty());
    assert_eq!(judge("src/app.rs", &line.repeat(401)).len(), 1);
    let tested =
        format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(300), line.repeat(300));
    assert!(judge("src/app.rs", &tested).is_empty());
    for name in ["app/mod", "app/util", "app/helpers", "common/x", "app/misc"] {
        assert_eq!(judge(&format!("src/{name}.rs"), "").len(), 1, "{name}");
    }
    let note = concat!("// TO", "DO: later\n");
    assert_eq!(judge("src/app.rs", note).len(), 1);
}
