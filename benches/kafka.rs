//! The benchmark from topic to topic: `cargo bench --bench kafka`.
//!
//! Starts a broker (`scripts/kafka`; a JDK and Maven), writes generated events to twelve partitions, and
//! has `tamis` and a bare program of librdkafka's take them to another topic, in turn. What is compared
//! is the CPU time of the client's process per gigabyte read; the broker runs on the same processor.
//!
//! Options, after `--`: `--events N` (500000), `--runs N` (5), `--only NAME` (`bare`, `exactly`,
//! `hops`, `header`, `instances`, `memory`, `delay`, `restart`).

#[path = "support/bare.rs"]
mod bare;
#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/generator.rs"]
mod generator;
#[path = "support/instances.rs"]
mod instances;
#[path = "support/process.rs"]
#[expect(dead_code, reason = "other benchmarks use the rest")]
mod process;
#[path = "support/report.rs"]
#[expect(dead_code, reason = "other benchmarks use the rest")]
mod report;
#[path = "support/restart.rs"]
mod restart;

use std::{
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use cluster::{Cluster, Delivery, PARTITIONS, Tamis, within};
use generator::{Generator, Variant};
use instances::instances;
use process::{Outcome, median};
use report::{Target, cores, processor};
use restart::{Order, restart};

const BARE: &str = "bare";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, rest)) if first == BARE => bare::bare(rest),
        // `cargo test --all-targets` starts this too; it has nothing to test.
        _ if !arguments.iter().any(|a| a == "--bench") => {
            println!("kafka: run with `cargo bench --bench kafka`");
            Ok(())
        }
        _ => Options::parse(&arguments).and_then(|options| Bench::new(options)?.run()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kafka: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    events: u64,
    runs: usize,
    only: Option<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut options = Self { events: 500_000, runs: 5, only: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--events" => options.events = value()?.parse()?,
                "--runs" => options.runs = value()?.parse::<usize>()?.max(1),
                "--only" => options.only = Some(value()?.clone()),
                _ => return Err(format!("unknown option {argument}").into()),
            }
        }
        Ok(options)
    }
}

struct Bench {
    options: Options,
    cluster: Cluster,
    source: String,
    bytes: u64,
}

impl Bench {
    fn new(options: Options) -> Outcome<Self> {
        let cluster = Cluster::start()?;
        let source = cluster.topic(PARTITIONS)?;
        let bytes = cluster.fill(&source, PARTITIONS, events(options.events), None)?;
        Ok(Self { options, cluster, source, bytes })
    }

    fn run(&self) -> Outcome<()> {
        let Options { events: count, runs, .. } = self.options;
        println!("{} ({} threads)", processor(), cores());
        let megabytes = self.bytes as f64 / 1e6;
        println!("{count} events, {megabytes:.0} MB, {PARTITIONS} partitions, medians of {runs}\n");
        println!("{:38}{:>9}{:>9}{:>8}   target", "CPU s/GB", "base", "this", "ratio");
        let one =
            |delivery| move |cluster: &Cluster, source: &str, n| cluster.tamis(source, n, delivery);
        let bare = |hop| move |cluster: &Cluster, source: &str, n| cluster.copy(source, n, hop);
        let (at_least, exactly) = (one(Delivery::AtLeastOnce), one(Delivery::ExactlyOnce));
        // Both write the same bytes: with the header, and without.
        let (most, plain) = (Target::AtMost(1.5), one(Delivery::WithoutHops));
        self.pairs("bare", "at least once / bare rdkafka", most, bare("1"), at_least)?;
        self.pairs("hops", "the same, both without a header", most, bare(""), plain)?;
        let name = "the same, bare alone without a header";
        self.pairs("header", name, Target::None, bare(""), at_least)?;
        self.pairs("exactly", "exactly / at least once", Target::AtMost(1.2), at_least, exactly)?;
        // Each of three has as much to do as one has elsewhere.
        let of = |number| {
            move |cluster: &Cluster, _: &str, n| {
                Ok(instances(cluster, number, 3 * n, events(3 * n))? / 3.0)
            }
        };
        self.pairs("instances", "three instances / one", Target::AtMost(1.1), of(1), of(3))?;
        if self.wants("memory") {
            self.memory()?;
        }
        if self.wants("delay") {
            self.delay()?;
        }
        if self.wants("restart") {
            self.restart()?;
        }
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        self.options.only.as_ref().is_none_or(|only| only == name)
    }

    fn pairs(
        &self,
        section: &str,
        name: &str,
        target: Target,
        base: impl Fn(&Cluster, &str, u64) -> Outcome<f64>,
        own: impl Fn(&Cluster, &str, u64) -> Outcome<f64>,
    ) -> Outcome<()> {
        if !self.wants(section) {
            return Ok(());
        }
        let gigabytes = self.bytes as f64 / 1e9;
        let Self { cluster, source, options, .. } = self;
        let mut all = Vec::new();
        for _ in 0..options.runs {
            let base = base(cluster, source, options.events)?;
            all.push((base / gigabytes, own(cluster, source, options.events)? / gigabytes));
        }
        let ratio = median(all.iter().map(|(base, own)| own / base));
        let (base, own) = (median(all.iter().map(|a| a.0)), median(all.iter().map(|a| a.1)));
        println!("{name:38}{base:>9.2}{own:>9.2}{ratio:>8.2}   {}", target.verdict(ratio));
        Ok(())
    }

    /// Most memory with fifty partitions and a backlog, beside what the formula says.
    fn memory(&self) -> Outcome<()> {
        const BACKLOG: u64 = 1 << 30;
        const MANY: i32 = 50;
        let source = self.cluster.topic(MANY)?;
        let count = BACKLOG * self.options.events / self.bytes;
        self.cluster.fill(&source, MANY, events(count), None)?;
        let mut tamis = Tamis::start(&self.cluster, (&source, MANY), Delivery::AtLeastOnce, 1)?;
        tamis.until_committed(count, MANY)?;
        let (peak, ceiling) = (tamis.peak()?, tamis.ceiling()?);
        let (peak, ceiling) = (peak as f64 / 1e6, ceiling as f64 / 1e6);
        let verdict = Target::AtMost(1.0).verdict(peak / ceiling);
        let name = "MB, 50 partitions, 1 GiB / formula";
        println!("{name:38}{ceiling:>9.0}{peak:>9.0}{:>8.2}   {verdict}", peak / ceiling);
        Ok(())
    }

    /// From a record's timestamp to its acknowledgement, at half of what this machine takes.
    fn delay(&self) -> Outcome<()> {
        let Options { events: count, .. } = self.options;
        let source = self.cluster.topic(PARTITIONS)?;
        let mut tamis =
            Tamis::start(&self.cluster, (&source, PARTITIONS), Delivery::AtLeastOnce, 1)?;
        sleep(Duration::from_secs(2));
        // Connections, metadata and caches are made by the first records.
        let first = count / 4;
        self.cluster.fill(&source, PARTITIONS, events(first), None)?;
        tamis.until_committed(first, PARTITIONS)?;
        // All that writes, keeps, and reads shares the machine.
        let begun = Instant::now();
        self.cluster.fill(&source, PARTITIONS, events(count), None)?;
        tamis.until_committed(first + count, PARTITIONS)?;
        let half = count as f64 / begun.elapsed().as_secs_f64() / 2.0;
        let before = tamis.ages()?;
        self.cluster.fill(&source, PARTITIONS, events(count), Some(half))?;
        tamis.until_committed(first + 2 * count, PARTITIONS)?;
        let after = tamis.ages()?;
        let [usual, delay] = [0.5, 0.99].map(|part| within(&before, &after, part));
        let (usual, delay) = (usual? * 1e3, delay? * 1e3);
        let name = format!("ms, age when acknowledged, {half:.0}/s");
        let verdict = Target::AtMost(100.0).verdict(delay);
        println!("\n{:38}{:>9}{:>9}", "", "median", "p99");
        println!("{name:38}{usual:>9.0}{delay:>9.0}{:>8}   {verdict}", "");
        Ok(())
    }

    /// The longest that a record waits while three instances restart one by one.
    fn restart(&self) -> Outcome<()> {
        println!("\n{:38}{:>9}{:>9}", "ms, longest wait of a record", "before", "restart");
        for (name, delivery, order) in [
            ("at least once, old first", Delivery::AtLeastOnce, Order::OldFirst),
            ("at least once, new first", Delivery::AtLeastOnce, Order::NewFirst),
            ("exactly once, old first", Delivery::ExactlyOnce, Order::OldFirst),
            ("exactly once, new first", Delivery::ExactlyOnce, Order::NewFirst),
        ] {
            let (before, since) = restart(&self.cluster, delivery, order)?;
            let (before, since) = (before.as_millis() as f64, since.as_millis() as f64);
            let verdict = Target::AtMost(3000.0).verdict(since);
            println!("{name:38}{before:>9.0}{since:>9.0}{:>8}   {verdict}", "");
        }
        Ok(())
    }
}

/// So many generated events.
fn events(count: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut generator = Generator::new(Variant::Compact, 1);
    (0..count).map(move |_| {
        let mut event = Vec::with_capacity(1024);
        generator.event(&mut event);
        event.pop();
        event
    })
}
