//! Every detector's value, wherever it stands: at each offset of a string, across the ends of the
//! blocks that the index reads (56 and 64 bytes), at the end of the buffer, at the size limit.

use std::sync::Arc;

use tamis::engine::detect::pack::Case;
use tamis::engine::detect::{Pack, Selection};
use tamis::engine::{Chunk, Engine, Limits, Output, Plan, Reason, Settings};

const PACKS: [(&str, &str); 2] = [
    ("core.toml", include_str!("../../patterns/core.toml")),
    ("secrets.toml", include_str!("../../patterns/secrets.toml")),
];

fn packs() -> Vec<Pack> {
    PACKS.iter().map(|(file, text)| Pack::parse(file, text).unwrap()).collect()
}

/// Each detector's plan (with what it assigns), and its first example.
fn each(mut test: impl FnMut(&Arc<Plan>, &str, &Case)) {
    for simd in ["scalar", "avx2", "avx512"] {
        for d in packs().iter().flat_map(|p| &p.detectors) {
            let only = std::iter::once(&d.id).chain(&d.assigns).cloned().collect();
            let settings = Settings {
                packs: packs(),
                select: Selection { only, ..Selection::default() },
                simd: Some(simd.into()),
                ..Settings::default()
            };
            // This processor may lack the instruction set.
            let Ok(plan) = Plan::compile(settings) else { continue };
            let example = d.tests.iter().find(|c| c.becomes.is_some()).unwrap();
            test(&Arc::new(plan), &d.id, example);
        }
    }
}

fn process(plan: &Arc<Plan>, input: &str) -> Output {
    let mut out = Output::default();
    Engine::new(Arc::clone(plan)).process(&Chunk::from_bytes(input.as_bytes()), &mut out);
    out
}

fn clean(plan: &Arc<Plan>, input: &str) -> String {
    String::from_utf8(process(plan, input).clean).unwrap()
}

/// The event before and after, with `pad` before the value.
fn events(case: &Case, pad: &str) -> (String, String) {
    let becomes = case.becomes.as_deref().unwrap();
    if let Some(text) = &case.text {
        let event = |text: &str| serde_json::json!({ "m": format!("{pad}{text}") }).to_string();
        return (event(text), event(becomes));
    }
    let event = |event: &str| format!("{{\"pad\":\"{pad}\",{}", &event[1..]);
    (event(case.event.as_deref().unwrap()), event(becomes))
}

/// `n` bytes that no value can continue.
fn pad(n: usize) -> String {
    let mut pad = "x".repeat(n);
    if n > 0 {
        pad.replace_range(n - 1.., " ");
    }
    pad
}

#[test]
fn at_each_offset_of_a_string() {
    each(|plan, id, case| {
        let (befores, afters): (Vec<_>, Vec<_>) =
            (0..256).map(|offset| events(case, &pad(offset))).unzip();
        let out = clean(plan, &befores.join("\n"));
        for (offset, (line, after)) in out.lines().zip(&afters).enumerate() {
            assert_eq!(line, after, "{id} at {offset}, {}", plan.simd());
        }
        assert_eq!(out.lines().count(), 256);
    });
}

#[test]
fn at_the_end_of_the_buffer() {
    each(|plan, id, case| {
        for offset in 0..128 {
            // Alone in its chunk, without a line end.
            let (before, after) = events(case, &pad(offset));
            assert_eq!(clean(plan, &before), format!("{after}\n"), "{id} at {offset}");
        }
    });
}

#[test]
fn at_the_end_of_a_text_line() {
    each(|plan, id, case| {
        let (Some(text), Some(becomes)) = (&case.text, &case.becomes) else { return };
        if text.contains('\n') {
            return;
        }
        for offset in 0..128 {
            let line = format!("{}{text}", pad(offset));
            let after = serde_json::json!({ "message": format!("{}{becomes}", pad(offset)) });
            assert_eq!(clean(plan, &line), format!("{after}\n"), "{id} at {offset}");
        }
    });
}

#[test]
fn at_the_size_limit() {
    for more in [-1, 0, 1] {
        let event = |pad: &str, value: &str| format!("{{\"m\":\"{pad} {value}\"}}");
        let (pad, value) = ("x".repeat(200), "jane.doe@example.com");
        let before = event(&pad, value);
        let limits =
            Limits { max_event_bytes: (before.len() as i64 - more) as usize, max_depth: 8 };
        let settings = Settings { packs: packs(), limits, ..Settings::default() };
        let out = process(&Arc::new(Plan::compile(settings).unwrap()), &before);
        if more == 1 {
            assert_eq!(out.rejects[0].reason, Reason::Oversize);
            assert!(out.clean.is_empty());
        } else {
            let after = event(&pad, "[REDACTED:email]") + "\n";
            assert_eq!(String::from_utf8(out.clean).unwrap(), after);
        }
    }
}
