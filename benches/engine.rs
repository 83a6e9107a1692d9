//! Benchmarks of the engine, so that a regression shows its place: `cargo bench --bench engine`.

#[path = "support/generator.rs"]
mod generator;

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use generator::{Generator, Variant};
use tamis::engine::detect::Pack;
use tamis::engine::schema::Schema;
use tamis::engine::stages::Stages;
use tamis::engine::{Chunk, Engine, Output, Plan, Settings};

/// What a worker gets at once.
const CHUNK: usize = 256 << 10;

fn chunk(variant: Variant) -> Chunk {
    Chunk::from_bytes(&Generator::chunk(variant, 1, CHUNK))
}

/// Every pack in the repository, and the schema that ships.
fn plan() -> Arc<Plan> {
    let mut packs = Vec::new();
    for path in std::fs::read_dir("patterns").into_iter().flatten().flatten().map(|e| e.path()) {
        let text = std::fs::read_to_string(&path).expect("a readable pack");
        packs.push(Pack::parse(&path.display().to_string(), &text).expect("a sound pack"));
    }
    let schema = Schema::builtin("service-log").expect("it ships").expect("it compiles");
    let settings = Settings { packs, schema: Some(Arc::new(schema)), ..Settings::default() };
    Arc::new(Plan::compile(settings).expect("a sound plan"))
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

/// The stages one by one: index, walk, and the walk with verdicts behind it.
fn stages(c: &mut Criterion) {
    let plan = plan();
    for variant in [Variant::Compact, Variant::Escaped, Variant::StackTraces, Variant::RandomOrder]
    {
        let mut group = c.benchmark_group(format!("stages/{}", variant.name()));
        let chunk = chunk(variant);
        let mut stages = Stages::new(plan.clone());
        group.throughput(Throughput::Bytes(chunk.data().len() as u64));
        group.bench_function("index", |b| b.iter(|| stages.index(&chunk)));
        stages.index(&chunk);
        group.bench_function("walk", |b| b.iter(|| stages.walk(&chunk, false)));
        group.bench_function("walk and verdict", |b| b.iter(|| stages.walk(&chunk, true)));
        group.finish();
    }
}

/// What edits cost: decoding of strings, and the splice.
fn edits(c: &mut Criterion) {
    let mut group = c.benchmark_group("edits");
    let mut stages = Stages::new(plan());
    let trace = r"\n\tat com.example.Orders.find(Orders.java:42)".repeat(200);
    group.throughput(Throughput::Bytes(trace.len() as u64));
    group.bench_function("decode", |b| b.iter(|| stages.decode(trace.as_bytes())));
    let chunk = chunk(Variant::Compact);
    group.throughput(Throughput::Bytes(chunk.data().len() as u64));
    group.bench_function("splice", |b| b.iter(|| stages.splice(chunk.data(), 600)));
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = benches;
    config = settings();
    targets = process, stages, edits
}
criterion_main!(benches);
