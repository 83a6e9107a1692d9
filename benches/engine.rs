//! Benchmarks of the engine, so that a regression shows its place: `cargo bench --bench engine`.

#[path = "support/generator.rs"]
mod generator;

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use generator::{Generator, Variant};
use tamis::engine::detect::Pack;
use tamis::engine::{Chunk, Engine, Output, Plan, Settings};

/// What a worker gets at once.
const CHUNK: usize = 256 << 10;

fn chunk(variant: Variant) -> Chunk {
    Chunk::from_bytes(&Generator::chunk(variant, 1, CHUNK))
}

/// Every pack in the repository.
fn plan() -> Arc<Plan> {
    let mut packs = Vec::new();
    for path in std::fs::read_dir("patterns").into_iter().flatten().flatten().map(|e| e.path()) {
        let text = std::fs::read_to_string(&path).expect("a readable pack");
        packs.push(Pack::parse(&path.display().to_string(), &text).expect("a sound pack"));
    }
    Arc::new(Plan::compile(Settings { packs, ..Settings::default() }).expect("a sound plan"))
}

/// The whole of `Engine::process`, on each kind of log.
fn process(c: &mut Criterion) {
    let mut group = c.benchmark_group("process");
    let plan = plan();
    for variant in Variant::all() {
        let chunk = chunk(variant);
        let (mut engine, mut out) = (Engine::new(plan.clone()), Output::default());
        group.throughput(Throughput::Bytes(chunk.data().len() as u64));
        group.bench_function(BenchmarkId::from_parameter(variant.name()), |b| {
            b.iter(|| {
                out.clear();
                engine.process(&chunk, &mut out);
                out.clean.len()
            });
        });
    }
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
}

// The stages (index, walk, verdict, decode, splice) get a group each, beside `process`.
criterion_group! {
    name = benches;
    config = settings();
    targets = process
}
criterion_main!(benches);
