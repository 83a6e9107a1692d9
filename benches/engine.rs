//! Benchmarks of the engine, so that a regression shows its place: `cargo bench --bench engine`.

#[path = "support/floods.rs"]
mod floods;
#[path = "support/generator.rs"]
mod generator;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use generator::{Generator, Variant};
use tamis::engine::detect::{Pack, Selection};
use tamis::engine::schema::Schema;
use tamis::engine::stages::Stages;
use tamis::engine::{Chunk, Engine, FieldCondition, Output, Pattern, Plan, Route, Settings};

/// What a worker gets at once.
const CHUNK: usize = 256 << 10;

fn chunk(variant: Variant) -> Chunk {
    Chunk::from_bytes(&Generator::chunk(variant, 1, CHUNK))
}

/// Every pack in the repository.
fn packs() -> Vec<Pack> {
    let mut packs = Vec::new();
    let paths = std::fs::read_dir("patterns").into_iter().flatten().flatten().map(|e| e.path());
    for path in paths.filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).expect("a readable pack");
        packs.push(Pack::parse(&path.display().to_string(), &text).expect("a sound pack"));
    }
    packs
}

/// Every pack in the repository, and the schema that ships.
fn plan() -> Arc<Plan> {
    let packs = packs();
    let schema = Schema::builtin("service-log").expect("it ships").expect("it compiles");
    let settings = Settings { packs, schema: Some(Arc::new(schema)), ..Settings::default() };
    Arc::new(Plan::compile(settings).expect("a sound plan"))
}

/// The same with so many routes by service, of which some differ in what they enable.
fn routed(routes: usize) -> Arc<Plan> {
    let packs = packs();
    let ids: Vec<_> = packs.iter().flat_map(|pack| &pack.detectors).map(|d| d.id.clone()).collect();
    let schema = Arc::new(Schema::builtin("service-log").expect("it ships").expect("it compiles"));
    let all = generator::SERVICES.iter().map(|service| (*service).to_owned());
    let others = (0..routes).map(|n| format!("service-{n}"));
    let route = |(number, service): (usize, String)| Route {
        name: service.clone(),
        fields: vec![FieldCondition {
            name: "service".into(),
            values: vec![Pattern::parse(&service).expect("a pattern")],
        }],
        select: Selection { without: vec![ids[number % 10].clone()], ..Selection::default() },
        schema: Some(schema.clone()),
        ..Route::default()
    };
    // Those that events take come last.
    let all: Vec<_> = others.chain(all).collect();
    let routes = all[all.len() - routes..].iter().cloned().enumerate().map(route).collect();
    let settings = Settings { packs, schema: Some(schema.clone()), routes, ..Settings::default() };
    Arc::new(Plan::compile(settings).expect("a sound plan"))
}

/// Events of several services by turns, without routes and with some.
fn routes(c: &mut Criterion) {
    let mut group = c.benchmark_group("routes");
    let chunk = chunk(Variant::LOGS[0]);
    for routes in [0, 10, 500] {
        let (mut engine, mut out) = (Engine::new(routed(routes)), Output::default());
        group.throughput(Throughput::Bytes(chunk.data().len() as u64));
        group.bench_function(BenchmarkId::from_parameter(routes), |b| {
            b.iter(|| {
                out.clear();
                engine.process(&chunk, &mut out);
                out.clean.len()
            });
        });
    }
    group.finish();
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

/// Bytes of a flood.
const FLOOD: usize = 64 << 10;

/// What floods cost: every flood of every detector against clean text, and the units of its budget
/// against time. The worst must run at a twentieth of the clean rate at least.
fn flooded(c: &mut Criterion) {
    let settings = Settings { packs: packs(), ..Settings::default() };
    let mut engine = Engine::new(Arc::new(Plan::compile(settings).expect("a sound plan")));
    let unit = "The quick brown fox jumps over the lazy dog, and over nothing else. ".to_owned();
    let clean = floods::Flood { name: "clean".into(), unit };
    let mut out = Output::default();
    // Seconds and units for each byte.
    let mut cost = |line: &[u8], times| {
        let chunk = Chunk::from_bytes(line);
        let mut best = f64::INFINITY;
        for _ in 0..=times {
            out.clear();
            let begun = Instant::now();
            engine.process(&chunk, &mut out);
            best = best.min(begun.elapsed().as_secs_f64());
        }
        (best / line.len() as f64, engine.units() as f64 / line.len() as f64)
    };
    let (per_byte, _) = cost(&clean.event(FLOOD), 50);
    let mut all: Vec<_> = floods::all(&packs())
        .into_iter()
        .enumerate()
        .map(|(i, flood)| {
            let line = if i % 4 == 3 { flood.line(FLOOD) } else { flood.event(FLOOD) };
            let (seconds, units) = cost(&line, 2);
            (seconds / per_byte, seconds * 1e9 / units.max(1.0), flood)
        })
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("clean {:.0} MB/s; {} floods", 1e-6 / per_byte, all.len());
    for (times, nanoseconds, flood) in all.iter().take(10) {
        let unit: String = flood.unit.chars().take(60).collect();
        println!(
            "  {times:5.1} times slower, {nanoseconds:4.1} ns a unit: {} {unit:?}",
            flood.name
        );
    }
    let mut group = c.benchmark_group("floods");
    group.throughput(Throughput::Bytes(FLOOD as u64));
    let worst = all.first().map(|(_, _, flood)| flood.event(FLOOD)).unwrap_or_default();
    for (name, line) in [("clean", clean.event(FLOOD)), ("worst", worst)] {
        let chunk = Chunk::from_bytes(&line);
        group.bench_function(name, |b| {
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

criterion_group! {
    name = benches;
    config = settings();
    targets = process, routes, stages, edits, flooded
}
criterion_main!(benches);
