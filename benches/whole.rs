//! The whole-process benchmark: `cargo bench --bench whole`.
//!
//! Times `tamis` on generated logs by CPU time (user and system, of whole processes), in turn with
//! a program that only builds simd-json's tape of each line. A ratio is the median of the ratios
//! of the pairs, so that what slows the machine for a while slows both sides. Each line prints its
//! target; nothing here fails when a target is missed, since a machine may be busy.
//!
//! Options, after `--`: `--events N` (a file; 500000), `--runs N` (7), `--only NAME` (a section or
//! a variant), `--quick` (20000 events, 3 runs), `--generate VARIANT` (writes the log to standard
//! output instead).

#[path = "support/generator.rs"]
mod generator;
#[path = "support/inputs.rs"]
mod inputs;
#[path = "support/latency.rs"]
mod latency;
#[path = "support/load_pack.rs"]
mod load_pack;
#[path = "support/process.rs"]
mod process;
#[path = "support/report.rs"]
mod report;
#[path = "support/tape.rs"]
mod tape;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use generator::{Generator, Variant};
use inputs::Packed;
use process::{Cost, Job, Outcome, median, pairs};
use report::{Target, cores, flatten, processor, rate};

const TAMIS: &str = env!("CARGO_BIN_EXE_tamis");
const TAPE: &str = "tape";
const SEED: u64 = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, rest)) if first == process::MEASURE => process::measure(rest),
        Some((first, rest)) if first == TAPE => yardstick(rest),
        Some((first, rest)) if first == inputs::DECODE => inputs::decode(rest),
        // `cargo test --all-targets` starts this too; it has nothing to test.
        _ if !arguments.iter().any(|a| a == "--bench") => {
            println!("whole: run with `cargo bench --bench whole`");
            Ok(())
        }
        _ => Options::parse(&arguments).and_then(|options| match options.generate {
            Some(variant) => generate(variant, options.events, &mut io::stdout().lock()).map(drop),
            None => Bench::new(options)?.run(),
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("whole: {error}");
            ExitCode::FAILURE
        }
    }
}

fn yardstick(arguments: &[String]) -> Outcome<()> {
    let file = arguments.first().ok_or("no file")?;
    println!("{}", tape::parse(file)?);
    Ok(())
}

/// Writes `events` events; returns how many hold personal data and how many violate the schema.
fn generate(variant: Variant, events: u64, to: &mut impl Write) -> Outcome<(u64, u64)> {
    let mut generator = Generator::new(variant, SEED);
    let mut to = BufWriter::with_capacity(1 << 20, to);
    let mut line = Vec::with_capacity(4096);
    for _ in 0..events {
        line.clear();
        generator.event(&mut line);
        to.write_all(&line)?;
    }
    to.flush()?;
    Ok((generator.personal, generator.violations))
}

struct Options {
    events: u64,
    runs: usize,
    only: Option<String>,
    generate: Option<Variant>,
}

impl Options {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let mut options = Self { events: 500_000, runs: 7, only: None, generate: None };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--quick" => (options.events, options.runs) = (20_000, 3),
                "--events" => options.events = value()?.parse()?,
                "--runs" => options.runs = value()?.parse::<usize>()?.max(1),
                "--only" => options.only = Some(value()?.clone()),
                "--generate" => options.generate = Some(variant(value()?)?),
                _ => return Err(format!("unknown option {argument}").into()),
            }
        }
        Ok(options)
    }
}

fn variant(name: &str) -> Outcome<Variant> {
    let names = || Variant::all().map(Variant::name).collect::<Vec<_>>().join(", ");
    let found = Variant::all().find(|v| v.name() == name);
    found.ok_or_else(|| format!("no variant {name}: one of {}", names()).into())
}

/// The one place that knows how `tamis` is called.
fn tamis(threads: usize, file: &Path) -> Job {
    let (threads, file) = (threads.to_string(), file.display().to_string());
    let schema = ["--schema", "service-log", "--quiet"];
    Job::new(TAMIS, &["--threads", &threads]).with(&schema).with(&[&file, "-o", "/dev/null"])
}

struct Bench {
    options: Options,
    folder: tempfile::TempDir,
    simd: String,
}

impl Bench {
    fn new(options: Options) -> Outcome<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let version = Command::new(TAMIS).arg("-V").output()?;
        let simd = String::from_utf8_lossy(&version.stdout).trim().replace('\n', "; ");
        Ok(Self { options, folder, simd })
    }

    fn run(&self) -> Outcome<()> {
        println!("processor  {}, {} cores", processor(), cores());
        println!(
            "program    {}",
            if self.simd.is_empty() { "(-V says nothing)" } else { &self.simd }
        );
        println!("events     {} a file, {} runs in turn\n", self.options.events, self.options.runs);
        let clean = self.log(Variant::Compact)?;
        self.check(&clean)?;
        println!("{:32}{:>10}{:>10}{:>9}{:>8}   target", "CPU s", "base", "tamis", "MB/s", "ratio");
        self.sections(&clean)
    }

    fn sections(&self, clean: &Path) -> Outcome<()> {
        if self.wants("simd") {
            self.levels(clean)?;
        }
        for &variant in Variant::LOGS {
            if self.wants(variant.name()) {
                self.variant(variant, clean)?;
            }
        }
        if self.wants("detectors") {
            self.detectors(clean)?;
        }
        for &flood in Variant::FLOODS {
            if self.wants(flood.name()) || self.options.only.as_deref() == Some("floods") {
                self.flood(flood, clean)?;
            }
        }
        println!();
        if self.wants("threads") {
            self.threads(clean)?;
        }
        if self.wants("compressed") {
            self.compressed(clean)?;
        }
        if self.wants("backlog") {
            self.backlog(clean)?;
        }
        if self.wants("memory") {
            self.memory(clean)?;
        }
        if self.wants("start") {
            let job = Job::new(TAMIS, &["--schema", "service-log", "--quiet"]);
            latency::start(
                &job,
                &Generator::chunk(Variant::Compact, SEED, 1),
                3 * self.options.runs,
            )?;
        }
        if self.wants("append") {
            let event = Generator::chunk(Variant::Compact, SEED, 1);
            latency::append(TAMIS, self.folder.path(), &event, 200 * self.options.runs)?;
        }
        Ok(())
    }

    fn wants(&self, name: &str) -> bool {
        self.options.only.as_deref().is_none_or(|only| only == name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, variant: Variant) -> Outcome<PathBuf> {
        let path = self.path(&format!("{}.ndjson", variant.name()));
        if !path.exists() {
            generate(variant, self.options.events, &mut fs::File::create(&path)?)?;
        }
        Ok(path)
    }

    /// Says what `tamis` made of the log, so that a fast run that did nothing is seen.
    fn check(&self, clean: &Path) -> Outcome<()> {
        let events = self.options.events;
        let (personal, violations) = generate(Variant::Compact, events, &mut io::sink())?;
        let mean = fs::metadata(clean)?.len() / events.max(1);
        println!(
            "planted    personal data {personal}, violations {violations}; {mean} bytes an event"
        );
        let mut counts = Vec::new();
        flatten("", &self.stats(clean)?, &mut counts);
        let said: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        println!("counted    {}\n", said.join(", "));
        if !counts.iter().any(|(name, count)| name.ends_with("read") && *count == events) {
            println!(
                "WARNING    --stats does not say that {events} were read: the times below mean nothing\n"
            );
        }
        Ok(())
    }

    fn stats(&self, file: &Path) -> Outcome<serde_json::Value> {
        let stats = self.path("stats.json");
        tamis(1, file).with(&["--stats", &stats.display().to_string()]).run()?;
        Ok(fs::read(&stats).ok().and_then(|s| serde_json::from_slice(&s).ok()).unwrap_or_default())
    }

    fn tape(&self, file: &Path) -> Outcome<Job> {
        let me = std::env::current_exe()?.display().to_string();
        Ok(Job::new(&me, &[TAPE, &file.display().to_string()]))
    }

    /// Prints a line of the table and returns the ratio.
    fn compare(
        &self,
        name: &str,
        base: &Job,
        job: &Job,
        bytes: u64,
        target: Target,
    ) -> Outcome<f64> {
        let runs = pairs(base, job, self.options.runs)?;
        let cpu = |side: fn(&(Cost, Cost)) -> f64| median(runs.iter().map(side));
        let (base, own) = (cpu(|r| r.0.cpu), cpu(|r| r.1.cpu));
        let ratio = cpu(|r| r.1.cpu / r.0.cpu);
        let rate = bytes as f64 / 1e6 / own;
        println!(
            "{name:32}{base:>10.3}{own:>10.3}{rate:>9.0}{ratio:>8.2}   {}",
            target.verdict(ratio)
        );
        Ok(ratio)
    }

    fn variant(&self, variant: Variant, clean: &Path) -> Outcome<()> {
        let log = self.log(variant)?;
        let most = if variant == Variant::Compact { 1.25 } else { 1.5 };
        let bytes = fs::metadata(&log)?.len();
        let name = format!("{} / tape", variant.name());
        self.compare(&name, &self.tape(&log)?, &tamis(1, &log), bytes, Target::AtMost(most))?;
        self.forget(&log, clean)
    }

    /// The same log at each SIMD level that the program can be held to.
    fn levels(&self, clean: &Path) -> Outcome<()> {
        let (tape, bytes) = (self.tape(clean)?, fs::metadata(clean)?.len());
        for (level, target) in [("avx2", Target::AtMost(1.25)), ("scalar", Target::None)] {
            let job = tamis(1, clean).env("TAMIS_SIMD", level);
            self.compare(&format!("compact, {level} / tape"), &tape, &job, bytes, target)?;
        }
        Ok(())
    }

    /// 150 more literals and 50 more shapes, against the same run without them.
    fn detectors(&self, clean: &Path) -> Outcome<()> {
        let pack = self.path("load.toml");
        fs::write(&pack, load_pack::toml())?;
        let (pack, bytes) = (pack.display().to_string(), fs::metadata(clean)?.len());
        let wide = self.simd.to_lowercase().replace('-', "").contains("avx512");
        for (level, most) in [("auto", if wide { 1.15 } else { 1.3 }), ("avx2", 1.3)] {
            let plain = tamis(1, clean).env("TAMIS_SIMD", level);
            let loaded = plain.clone().with(&["--patterns", &pack]);
            let name = format!("+150 literals +50 shapes, {level}");
            self.compare(&name, &plain, &loaded, bytes, Target::AtMost(most))?;
        }
        Ok(())
    }

    /// The rate on a flood, as a part of the rate on the clean log.
    fn flood(&self, flood: Variant, clean: &Path) -> Outcome<()> {
        let log = self.log(flood)?;
        let (bytes, clean_bytes) = (fs::metadata(&log)?.len(), fs::metadata(clean)?.len());
        let runs = pairs(&tamis(1, clean), &tamis(1, &log), self.options.runs)?;
        let (base, own) =
            (median(runs.iter().map(|r| r.0.cpu)), median(runs.iter().map(|r| r.1.cpu)));
        let scale = bytes as f64 / clean_bytes as f64;
        let rate = median(runs.iter().map(|r| r.0.cpu / r.1.cpu * scale));
        let name = format!("{}: rate / clean's", flood.name());
        let (speed, verdict) = (bytes as f64 / 1e6 / own, Target::AtLeast(0.1).verdict(rate));
        println!("{name:32}{base:>10.3}{own:>10.3}{speed:>9.0}{rate:>8.2}   {verdict}");
        self.forget(&log, clean)
    }

    /// Deletes a log that no other section needs.
    fn forget(&self, log: &Path, clean: &Path) -> Outcome<()> {
        if log != clean {
            fs::remove_file(log)?;
        }
        Ok(())
    }

    fn threads(&self, clean: &Path) -> Outcome<()> {
        let runs = pairs(&tamis(1, clean), &tamis(2, clean), self.options.runs)?;
        let gain = median(runs.iter().map(|r| r.0.wall / r.1.wall));
        let bytes = fs::metadata(clean)?.len() as f64 / 1e6;
        let rate = |side: fn(&(Cost, Cost)) -> f64| bytes / median(runs.iter().map(side));
        let (one, two) = (rate(|r| r.0.wall), rate(|r| r.1.wall));
        let verdict = Target::AtLeast(1.8).verdict(gain);
        println!("two threads, wall         {one:.0} → {two:.0} MB/s, {gain:.2} times   {verdict}");
        Ok(())
    }

    /// Compressed input, beside decompression alone.
    fn compressed(&self, clean: &Path) -> Outcome<()> {
        for packed in Packed::ALL {
            let file = self.path(packed.name());
            packed.pack(clean, &file)?;
            let jobs = (&tamis(1, clean), &tamis(1, &file));
            let (base, own, ratio) = inputs::decoding(packed, &file, jobs, self.options.runs)?;
            rate(&format!("{}: decoding, CPU", packed.name()), base, own, ratio, 0.9);
            let job = tamis(cores(), &file);
            let (base, own, ratio) =
                inputs::beside_decoding(packed, &file, &job, self.options.runs)?;
            fs::remove_file(&file)?;
            rate(&format!("{} / decoding, wall", packed.name()), base, own, ratio, 0.9);
        }
        Ok(())
    }

    /// A file that is followed, with checkpoints, beside the same file read to its end.
    fn backlog(&self, clean: &Path) -> Outcome<()> {
        let data = self.path("data");
        let own = |options: &[&str]| {
            let file = clean.display().to_string();
            Job::new(TAMIS, &["--schema", "service-log", "--quiet", &file]).with(options)
        };
        let follow = own(&["--follow", "--data-dir", &data.display().to_string()]);
        let fresh = || match fs::remove_dir_all(&data) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        let (base, own, ratio) = inputs::backlog(&own(&[]), &follow, fresh, self.options.runs)?;
        rate("followed backlog / batch, wall", base, own, ratio, 0.8);
        Ok(())
    }

    fn memory(&self, clean: &Path) -> Outcome<()> {
        for threads in [1, 2] {
            let stats = self.path("stats.json");
            let job = tamis(threads, clean).with(&["--stats", &stats.display().to_string()]);
            let peak = job.run()?.peak as f64 / 1e6;
            let stats = fs::read(&stats).unwrap_or_default();
            let stats: serde_json::Value = serde_json::from_slice(&stats).unwrap_or_default();
            let label = format!("peak memory, --threads {threads}");
            match stats["memory_ceiling_bytes"].as_f64() {
                Some(ceiling) => {
                    let verdict = Target::AtMost(ceiling / 1e6).verdict(peak);
                    println!("{label:26}{peak:.1} MB   {verdict}");
                }
                None => {
                    println!("{label:26}{peak:.1} MB   (--stats gives no memory_ceiling_bytes)")
                }
            }
        }
        Ok(())
    }
}
