//! The same input gives the same bytes, dead letters and counts: however it arrives, wherever
//! chunks are cut, on any number of threads and any instruction set.

use std::{
    io::{self, Write as _},
    process::Output as Ended,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use tamis::{
    engine::{Chunk, Engine, Payload, Plan},
    pipeline::{
        self, Budget, Input, Inputs, Observer, Outlets, Output, Pipeline, Place, Read, Reject,
        RejectSink, Sink, Sizes, Source, Tally, budget::Demand,
    },
    shutdown::Shutdown,
};
use tempfile::tempdir;

use crate::{
    cli::{stderr, summary, tamis},
    mix::{MAX_EVENT_BYTES, mixed},
    shipped,
};

/// A line that was not forwarded, where it stood in the whole input.
#[derive(Debug, PartialEq, Eq)]
struct Letter {
    line: u64,
    offset: u64,
    length: u64,
    word: &'static str,
    pointer: String,
    at: u32,
    payload: Payload,
    body: String,
}

impl Letter {
    fn new(place: &Place<'_>, reject: &Reject, body: &[u8]) -> Self {
        let Place { line, offset, length, .. } = *place;
        Self {
            line,
            offset,
            length,
            word: reject.reason.word(),
            pointer: reject.pointer.clone(),
            at: reject.at,
            payload: reject.payload,
            body: show(body),
        }
    }
}

/// Everything that a run came to.
#[derive(Default, PartialEq, Eq)]
struct Result {
    clean: Vec<u8>,
    letters: Vec<Letter>,
    tally: Tally,
}

impl Result {
    /// Fails at the first thing that differs, and shows no more than that.
    fn same(&self, other: &Self, what: &str) {
        let lines = |clean: &[u8]| clean.split(|&b| b == b'\n').map(show).collect::<Vec<_>>();
        for (a, b) in lines(&self.clean).iter().zip(&lines(&other.clean)) {
            assert_eq!(a, b, "{what}");
        }
        for (a, b) in self.letters.iter().zip(&other.letters) {
            assert_eq!(a, b, "{what}");
        }
        assert_eq!(self.tally, other.tally, "{what}");
        assert!(self == other, "{what}: one has more than the other");
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn plan(schema: bool, simd: Option<&str>) -> Arc<Plan> {
    shipped::plan(|settings| {
        settings.schema = schema.then(shipped::service_log);
        settings.limits.max_event_bytes = MAX_EVENT_BYTES;
        settings.simd = simd.map(str::to_owned);
    })
}

/// One engine on `input`, of which every chunk has as many lines as `lines` says next.
fn in_chunks(plan: &Arc<Plan>, input: &[u8], mut lines: impl FnMut() -> usize) -> Result {
    let (mut engine, mut out, mut all) =
        (Engine::new(plan.clone()), Output::default(), Result::default());
    let mut rest: Vec<&[u8]> = input.split_inclusive(|&b| b == b'\n').collect();
    let (mut line, mut offset) = (1, 0);
    while !rest.is_empty() {
        let later = rest.split_off(lines().clamp(1, rest.len()));
        let chunk = Chunk::from_bytes(&rest.concat());
        out.clear();
        out.judge(|judged| engine.process(&chunk, judged));
        all.clean.extend_from_slice(&out.clean);
        for reject in &out.rejects {
            let place = Place {
                input: "",
                line: line + u64::from(reject.line),
                offset: offset + u64::from(reject.offset),
                length: reject.len.into(),
            };
            all.letters.push(Letter::new(&place, reject, &out.bodies[reject.body.clone()]));
        }
        all.tally += &out.tally;
        line += rest.len() as u64;
        offset += rest.concat().len() as u64;
        rest = later;
    }
    all
}

#[test]
fn wherever_chunks_are_cut() {
    let input = mixed(1, 1500);
    for schema in [false, true] {
        let plan = plan(schema, None);
        let whole = in_chunks(&plan, &input, || usize::MAX);
        let tally = &whole.tally;
        assert!(tally.clean.min(tally.redacted).min(tally.blank) > 20, "{tally:?}");
        assert!(schema || tally.wrapped > 20, "{tally:?}");
        assert!(tally.rejected.iter().filter(|&&n| n > 0).count() >= 8, "{tally:?}");
        assert_eq!(tally.unaccounted(), 0);
        for lines in [1, 2, 7, 100] {
            let cut = in_chunks(&plan, &input, || lines);
            whole.same(&cut, &format!("{lines} lines a chunk, schema {schema}"));
        }
        let mut n = 0;
        let uneven = in_chunks(&plan, &input, || {
            n = (n * 31 + 7) % 41;
            n
        });
        whole.same(&uneven, "chunks of ever other lengths");
    }
}

#[test]
fn on_any_instruction_set() {
    let input = mixed(2, 1500);
    let scalar = in_chunks(&plan(true, Some("scalar")), &input, || 50);
    for level in ["avx2", "avx512"] {
        let settings = tamis::engine::Settings { simd: Some(level.into()), ..Default::default() };
        if Plan::compile(settings).is_ok() {
            scalar.same(&in_chunks(&plan(true, Some(level)), &input, || 50), level);
        }
    }
}

/// Hands out `data` in steps: the same ones over and over.
struct Steps {
    data: Arc<[u8]>,
    at: usize,
    steps: &'static [usize],
    reads: usize,
}

impl Source for Steps {
    fn read(&mut self, buf: &mut [u8], _: Option<Duration>) -> io::Result<Read> {
        let step = self.steps[self.reads % self.steps.len()];
        self.reads += 1;
        let n = step.min(buf.len()).min(self.data.len() - self.at);
        buf[..n].copy_from_slice(&self.data[self.at..self.at + n]);
        self.at += n;
        Ok(if n == 0 { Read::End } else { Read::Bytes(n) })
    }
}

/// Keeps everything that it is given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Result>>);

impl Sink for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().clean.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn abort(&mut self) {}
}

impl RejectSink for Kept {
    fn takes(&self, _: &Reject) -> bool {
        true
    }

    fn write(&mut self, letter: &pipeline::Letter<'_>) -> io::Result<()> {
        let pipeline::Letter { place, reject, body, .. } = letter;
        self.0.lock().unwrap().letters.push(Letter::new(place, reject, body));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Deaf;

impl Observer for Deaf {
    fn rejected(&self, _: &Place<'_>, _: &Reject, _: bool) {}
    fn input_failed(&self, input: &str, error: &io::Error) {
        panic!("{input}: {error}");
    }
}

/// The pipeline with `threads` engines on `input`.
fn piped(
    plan: &Arc<Plan>,
    input: &Arc<[u8]>,
    steps: &'static [usize],
    chunk_bytes: usize,
    threads: usize,
) -> Result {
    let sizes = Sizes { chunk_bytes, ..Sizes::new(MAX_EVENT_BYTES) };
    let demand = Demand::of_lines(&sizes, threads, true, 0, |_| 0);
    let kept = Kept::default();
    let source = Steps { data: input.clone(), at: 0, steps, reads: 0 };
    let pipeline = Pipeline {
        framing: None,
        budget: Budget::fit(sizes, demand, None).unwrap(),
        inputs: Inputs::InTurn(vec![Input {
            name: "in".into(),
            source: Box::new(source),
            finite: false,
        }]),
        outlets: Outlets {
            sink: Box::new(kept.clone()),
            dead_letter: Some(Box::new(kept.clone())),
        },
        observer: Arc::new(Deaf),
        meters: Arc::default(),
        shutdown: Shutdown::new(Duration::from_secs(60)).unwrap(),
    };
    let report = pipeline.run((0..threads).map(|_| Engine::new(plan.clone())).collect());
    assert_eq!((report.unwritten, report.bytes_in), (0, input.len() as u64));
    let mut result = std::mem::take(&mut *kept.0.lock().unwrap());
    result.tally = report.tally;
    // The engine's view of a line that was cut at the limit; `bytes_in` of the report is whole.
    result.tally.bytes_in = 0;
    result
}

#[test]
fn however_it_arrives_at_the_pipeline() {
    let input: Arc<[u8]> = mixed(3, 800).into();
    let plan = plan(true, None);
    let mut whole = in_chunks(&plan, &input, || usize::MAX);
    whole.tally.bytes_in = 0;
    for threads in 1..=4 {
        for (steps, chunk_bytes) in [
            (&[1][..], 1 << 18),
            (&[1], 1),
            (&[1 << 20], 1),
            (&[1 << 20], 1 << 18),
            (&[3, 64, 1, 4095, 4096, 4097, 17], 1000),
            (&[65_536, 1, 2], 5000),
        ] {
            let run = piped(&plan, &input, steps, chunk_bytes, threads);
            whole.same(&run, &format!("{threads} threads, steps {steps:?}, chunks {chunk_bytes}"));
        }
    }
}

/// The program's output, dead letters and counts on `pieces`, written one by one.
fn program(args: &[&str], pieces: &[&[u8]]) -> (Ended, Vec<u8>, Value) {
    let dir = tempdir().unwrap();
    let mut child = tamis(args)
        .args(["--dead-letter", "dead", "--max-event-bytes", "4096"])
        .current_dir(&dir)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ended = thread::scope(|scope| {
        scope.spawn(move || pieces.iter().for_each(|piece| stdin.write_all(piece).unwrap()));
        child.wait_with_output().unwrap()
    });
    let mut counts = summary(&ended);
    for varies in ["seconds", "mb_per_second", "threads", "memory_ceiling_bytes"] {
        counts.as_object_mut().unwrap().remove(varies).unwrap();
    }
    (ended, std::fs::read(dir.path().join("dead")).unwrap(), counts)
}

#[test]
fn however_it_arrives_at_the_program() {
    // A byte order mark: only the start of an input has one.
    let input = [&b"\xef\xbb\xbf"[..], &mixed(4, 120)].concat();
    for schema in [&[][..], &["--schema", "service-log"]] {
        let (wanted, letters, counts) = program(&[schema, &["--threads", "1"]].concat(), &[&input]);
        let (clean, dead) = (wanted.stdout.len(), letters.len());
        assert!(clean > 500 && dead > 1_000, "{clean} bytes, {dead} of dead letters");
        assert_eq!(counts["unaccounted"], 0);
        for threads in ["1", "2", "3", "4"] {
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            let thousands: Vec<&[u8]> = input.chunks(1009).collect();
            for pieces in [&bytes[..], &thousands] {
                let args = [schema, &["--threads", threads]].concat();
                let (ended, dead, counted) = program(&args, pieces);
                assert_eq!(show(&ended.stdout), show(&wanted.stdout), "{args:?}");
                assert_eq!(show(&dead), show(&letters), "{args:?}");
                assert_eq!(counted, counts, "{args:?}");
                let notices = |ended| stderr(ended).lines().count();
                assert_eq!(notices(&ended), notices(&wanted));
            }
        }
    }
}
