//! The packs and the schema that ship, as the program uses them, and engines for them.

use std::sync::{Arc, LazyLock};

use tamis::engine::{
    Chunk, Engine, Output, Plan, Reason, Settings, Tally, detect::Pack, schema::Schema,
};

fn packs() -> Vec<Pack> {
    [
        ("core.toml", include_str!("../../patterns/core.toml")),
        ("secrets.toml", include_str!("../../patterns/secrets.toml")),
    ]
    .iter()
    .map(|(name, text)| Pack::parse(name, text).unwrap())
    .collect()
}

/// The default packs, payloads on, and what `change` makes of that.
pub(crate) fn plan(change: impl FnOnce(&mut Settings)) -> Arc<Plan> {
    let mut settings = Settings { packs: packs(), bodies: true, ..Settings::default() };
    change(&mut settings);
    Arc::new(Plan::compile(settings).unwrap_or_else(|error| panic!("{error}")))
}

/// The `service-log` schema.
pub(crate) fn service_log() -> Arc<Schema> {
    Arc::new(Schema::builtin("service-log").unwrap().unwrap())
}

/// The plan of a run without options.
pub(crate) fn default_plan() -> Arc<Plan> {
    static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| plan(|_| {}));
    PLAN.clone()
}

/// The plan of `--schema service-log`.
pub(crate) fn schema_plan() -> Arc<Plan> {
    static PLAN: LazyLock<Arc<Plan>> =
        LazyLock::new(|| plan(|settings| settings.schema = Some(service_log())));
    PLAN.clone()
}

/// What a fresh engine makes of `data`.
pub(crate) fn process(plan: &Arc<Plan>, data: &[u8]) -> Output {
    let mut out = Output::default();
    Engine::new(plan.clone()).process(&Chunk::from_bytes(data), &mut out);
    out
}

/// Counts and output agree with the input's lines.
pub(crate) fn adds_up(data: &[u8], out: &Output) {
    let lines = |bytes: &[u8]| bytes.split_inclusive(|&b| b == b'\n').count() as u64;
    let Tally { read, bytes_in, bytes_out, .. } = out.tally;
    assert_eq!(read, lines(data), "lines read");
    assert_eq!(out.tally.unaccounted(), 0, "{:?}", out.tally);
    assert_eq!(out.tally.forwarded(), lines(&out.clean), "lines forwarded");
    assert_eq!(out.tally.rejected_total(), out.rejects.len() as u64, "rejects");
    let missing_end = u64::from(data.last().is_some_and(|&b| b != b'\n'));
    assert_eq!((bytes_in, bytes_out), (data.len() as u64 + missing_end, out.clean.len() as u64));
    assert!(out.clean.last().is_none_or(|&b| b == b'\n'), "the last line is whole");
}

/// Why the only line of `out` was refused.
pub(crate) fn refusal(out: &Output) -> Option<Reason> {
    assert_eq!(out.tally.read, 1, "{:?}", out.tally);
    out.rejects.first().map(|reject| reject.reason)
}
