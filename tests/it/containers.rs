//! Container runtimes' files: wrappers, pieces, what belongs to no line.

use std::{
    fs, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tamis::{
    containers::{Format, Frames, Judgement, Unwrapper},
    engine::{Plan, Reason, Settings, detect::Pack},
    pipeline::{
        self, Budget, Input, Inputs, Observer, Outlets, Pipeline, Place, Read, Reject, RejectSink,
        Sink, Sizes, Source, Tally, budget::Demand,
    },
    shutdown::Shutdown,
};

use crate::cli::{adds_up, code, folder, run, sieve, stderr, summary, tamis};

pub(crate) const TIME: &str = "2026-11-28T02:00:00.000000001Z";

pub(crate) fn docker(stream: &str, log: &str) -> String {
    let log = serde_json::to_string(log).unwrap();
    format!("{{\"log\":{log},\"stream\":\"{stream}\",\"time\":\"{TIME}\"}}\n")
}

pub(crate) fn cri(stream: &str, tag: &str, text: &str) -> String {
    format!("{TIME} {stream} {tag} {text}\n")
}

/// What a text of either format would be: the application's lines of each stream.
fn logs(text: &str) -> [String; 2] {
    let mut logs = [String::new(), String::new()];
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        logs[usize::from(value["stream"] == "stderr")] += value["log"].as_str().unwrap();
    }
    logs
}

#[test]
fn clean_wrappers_leave_byte_for_byte_also_in_pieces() {
    let odd = format!(
        "{{ \"time\" : \"{TIME}\", \
         \"stream\":\"stdout\",\"attrs\":{{\"a\":[1,\"}}\"]}},\"log\":\"\\u003cp\\/\\n\"}}\n"
    );
    let input = [
        docker("stdout", "{\"n\": 1}\n"),
        docker("stdout", "{\"n\":"),
        docker("stderr", "a panic \u{1f980}\tat x\n"),
        docker("stdout", "2}\n"),
        odd,
        docker("stderr", "never ended"),
    ]
    .concat();
    for args in [&[][..], &["--input-format", "docker"], &["--input-format", "auto"]] {
        let output = sieve(args, input.as_bytes());
        assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), input, "{args:?}");
        let summary = summary(&output);
        assert_eq!((&summary["clean"], &summary["joined"]), (&5.into(), &1.into()), "{summary}");
        adds_up(&summary);
    }
    let input = [
        cri("stdout", "F", "{\"n\":1}"),
        cri("stdout", "P", "{\"n\":"),
        cri("stderr", "F", "text  with  spaces "),
        cri("stdout", "F", "2}"),
    ]
    .concat();
    for args in [&[][..], &["--input-format", "cri"]] {
        let output = sieve(args, input.as_bytes());
        assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), input, "{args:?}");
        adds_up(&summary(&output));
    }
}

#[test]
fn what_stands_across_a_cut_is_found_wherever_it_is() {
    for text in ["{\"mail\":\"ada@example.com\",\"n\":1}", "mail to ada@example.com, please"] {
        let wanted = text.replace("ada@example.com", "[REDACTED:email]");
        let (mut docks, mut cris) = (String::new(), String::new());
        for cut in 0..=text.len() {
            let (one, two) = text.split_at(cut);
            docks += &docker("stdout", one);
            docks += &docker("stderr", "between\n");
            docks += &docker("stdout", &format!("{two}\n"));
            cris += &[cri("stdout", "P", one), cri("stderr", "P", "a"), cri("stdout", "F", two)]
                .concat();
            cris += &cri("stderr", "F", "b");
        }
        let output = sieve(&[], docks.as_bytes());
        let [out, err] = logs(&String::from_utf8(output.stdout.clone()).unwrap());
        assert_eq!(out, format!("{wanted}\n").repeat(text.len() + 1));
        assert_eq!(err, "between\n".repeat(text.len() + 1));
        adds_up(&summary(&output));
        let output = sieve(&[], cris.as_bytes());
        let all = String::from_utf8(output.stdout.clone()).unwrap();
        let out: Vec<_> = all.lines().filter(|line| line.contains("stdout")).collect();
        assert_eq!(out.len(), text.len() + 1);
        assert!(out.iter().all(|line| *line == format!("{TIME} stdout F {wanted}")), "{all}");
        adds_up(&summary(&output));
    }
}

#[test]
fn the_rest_of_a_wrapper_is_judged_too() {
    let wrapper = |attrs: &str| {
        format!(
            "{{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{attrs},\"time\":\"{TIME}\"}}\n"
        )
    };
    let time =
        format!("{{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"{TIME} ada@example.com\"}}\n");
    let twice =
        "{\"log\":\"x\\n\",\"log\":\"ada@example.com\\n\",\"stream\":\"stdout\",\"time\":\"\"}\n";
    let input = [
        &wrapper("{\"owner\":\"ada@example.com\"}"),
        &wrapper("{\"ada@example.com\":1}"),
        &wrapper("{\"password\":\"hunter2x\"}"),
        &time,
        twice,
        &wrapper("{\"a\":\u{1}}"),
        &wrapper("{\"a\":nonsense}"),
        &docker("stdout", "fine\n"),
    ]
    .map(|line| line.to_string())
    .concat();
    let schema = r#"{"type":"object"}"#;
    let dir = folder(&[("any.json", schema)]);
    let output = run(tamis(&["--input-format", "docker"]).current_dir(&dir), input.as_bytes());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for canary in ["ada@", "hunter2x", "nonsense"] {
        assert!(!text.contains(canary) && !stderr(&output).contains(canary), "{text}");
    }
    let counted = summary(&output);
    assert_eq!((&counted["redacted"], &counted["clean"]), (&5.into(), &1.into()), "{counted}");
    assert_eq!(counted["dropped"]["no_wrapper"], 2, "{counted}");
    adds_up(&counted);
}

#[test]
fn a_line_without_a_wrapper_is_refused_or_in_auto_judged_as_it_is() {
    let input = [
        docker("stdout", "fine\n"),
        "{\"n\":1}\n".into(),
        "text of ada@example.com\n".into(),
        "{\"log\":\"\\ud800\\n\",\"stream\":\"stdout\",\"time\":\"\"}\n".into(),
        docker("stdout", "two\nlines of ada@example.com\n"),
        "\n".into(),
    ]
    .concat();
    let output = sieve(&["--input-format", "docker"], input.as_bytes());
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), docker("stdout", "fine\n"));
    let counted = summary(&output);
    assert_eq!((&counted["dropped"]["no_wrapper"], &counted["blank"]), (&4.into(), &1.into()));
    assert!(stderr(&output).starts_with("tamis: dropped stdin:2: no_wrapper: not in the format"));
    adds_up(&counted);
    let output = sieve(&[], input.as_bytes());
    let wanted = docker("stdout", "fine\n") + "{\"n\":1}\ntext of [REDACTED:email]\n";
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), wanted);
    // What begins as JSON lines stays that.
    let input = format!("{{\"n\":1}}\n{}", docker("stdout", "ada@example.com\n"));
    let text = String::from_utf8(sieve(&[], input.as_bytes()).stdout).unwrap();
    assert!(text.contains("\"log\":\"[REDACTED:email]\\n\""), "{text}");
}

#[test]
fn schemas_and_dead_letters_are_about_the_line_inside() {
    let input = [
        docker("stdout", "{\"id\":1}\n"),
        docker("stdout", "{\"mail\":\"ada@ex"),
        docker("stderr", "text of bob@example.com\n"),
        docker("stdout", "ample.com\"}\n"),
        docker("stdout", "{\"id\n"),
        "{\"id\":1}\n".into(),
    ]
    .concat();
    let dir = folder(&[]);
    let args = ["--input-format", "docker", "--require", "id", "--dead-letter", "dead"];
    let output = run(tamis(&args).current_dir(&dir), input.as_bytes());
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), docker("stdout", "{\"id\":1}\n"));
    adds_up(&summary(&output));
    let letters = fs::read_to_string(dir.path().join("dead")).unwrap();
    let letters: Vec<Value> = letters.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let told: Vec<_> =
        letters.iter().map(|l| json!([l["reason"], l["line"], l["event"], l["text"]])).collect();
    assert_eq!(
        told,
        [
            json!(["schema_required", 2, {"mail": "[REDACTED:email]"}, null]),
            json!(["not_json", 3, null, "text of [REDACTED:email]"]),
            json!(["unterminated", 5, null, null]),
            json!(["no_wrapper", 6, null, null]),
        ]
    );
    let lines: Vec<_> = input.split_inclusive('\n').collect();
    assert_eq!(letters[0]["offset"], lines[0].len());
    assert_eq!(letters[0]["length"], lines[1].len() - 1);
    let output = sieve(&["--input-format", "docker", "--text", "drop"], input.as_bytes());
    assert_eq!(summary(&output)["dropped"]["text"], 1);
}

#[test]
fn text_is_text_whatever_it_begins_with() {
    let output = sieve(&["--input-format", "text"], b"{\"mail\":\"ada@example.com\"\n{\n\n");
    let wanted = "{\"message\":\"{\\\"mail\\\":\\\"[REDACTED:email]\\\"\"}\n{\"message\":\"{\"}\n";
    assert_eq!(String::from_utf8(output.stdout.clone()).unwrap(), wanted);
    assert_eq!(summary(&output)["wrapped"], 2);
    let output = sieve(&["--input-format", "yaml"], b"");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("expected one of auto, ndjson, docker, cri, text"));
}

#[test]
fn pieces_beyond_the_limit_are_one_reject_and_the_next_line_is_found() {
    let mut input = String::new();
    for _ in 0..40 {
        input += &docker("stdout", "secret part ada@");
        input += &docker("stderr", "{\"n\":1}\n");
    }
    input += &docker("stdout", "example.com\n");
    input += &docker("stdout", "{\"n\":2}\n");
    input += &docker("stdout", &format!("{}\n", "x".repeat(3000)));
    input += &docker("stderr", "{\"n\":3}\n");
    let output = sieve(&["--max-event-bytes", "1000"], input.as_bytes());
    let counted = summary(&output);
    let [out, err] = logs(&String::from_utf8(output.stdout.clone()).unwrap());
    assert_eq!((out.as_str(), err.lines().count()), ("{\"n\":2}\n", 41));
    assert_eq!((&counted["dropped"]["oversize"], &counted["joined"]), (&2.into(), &40.into()));
    adds_up(&counted);
}

#[test]
fn a_piece_does_not_wait_behind_any_number_of_lines() {
    for lines in [4000, 5000] {
        let mut input = cri("stdout", "P", "mail of ada@exam");
        (0..lines).for_each(|n| input += &cri("stderr", "F", &format!("{{\"n\":{n}}}")));
        input += &cri("stdout", "F", "ple.com");
        input += &cri("stdout", "F", "next");
        let output = sieve(&[], input.as_bytes());
        let (counted, clean) = (summary(&output), String::from_utf8(output.stdout).unwrap());
        assert_eq!(clean.lines().filter(|line| line.contains("stderr")).count(), lines);
        assert_eq!(clean.contains("[REDACTED:email]"), lines == 4000);
        assert!(!clean.contains("ada@") && !clean.contains("ple.com") && clean.contains("next"));
        let oversize = u64::from(lines == 5000);
        assert_eq!(counted["dropped"]["oversize"].as_u64().unwrap_or(0), oversize);
        assert_eq!(counted["joined"], 1);
        adds_up(&counted);
    }
}

#[test]
fn what_rules_count_and_observe_in_wrappers_is_in_the_summary() {
    let config = "version = 1\n[[rule]]\nname = \"watch\"\ndetectors = [\"email\"]\n\
                  action = \"observe\"\n[[rule]]\npath = \"user.name\"\naction = \"null\"\n";
    let dir = folder(&[("tamis.toml", config)]);
    let mut input = docker("stdout", "{\"mail\":\"ada@example.com\"}\n");
    input += &docker("stdout", "{\"user\":{\"name\":\"Ada\"}}\n");
    let config = dir.path().join("tamis.toml");
    let output = sieve(&["--config", config.to_str().unwrap()], input.as_bytes());
    let counted = summary(&output);
    let [out, _] = logs(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(out, "{\"mail\":\"ada@example.com\"}\n{\"user\":{\"name\":null}}\n");
    assert_eq!(counted["observed"]["email"], 1);
    assert!(counted.get("unmatched_rules").is_none_or(|all| all == &serde_json::json!([])));
}

/// Everything that left a pipeline.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<u8>, Vec<String>)>>);

impl Sink for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().0.extend_from_slice(bytes);
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
        let (word, body) = (reject.reason.word(), String::from_utf8_lossy(body));
        // The length of what is cut at the limit is known in any case.
        self.0
            .lock()
            .unwrap()
            .1
            .push(format!("{word} {} {} {} {body}", place.line, place.offset, place.length));
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

struct Steps {
    data: Vec<u8>,
    at: usize,
    step: usize,
}

impl Source for Steps {
    fn read(&mut self, buf: &mut [u8], _: Option<Duration>) -> io::Result<Read> {
        let n = self.step.min(buf.len()).min(self.data.len() - self.at);
        buf[..n].copy_from_slice(&self.data[self.at..self.at + n]);
        self.at += n;
        Ok(if n == 0 { Read::End } else { Read::Bytes(n) })
    }
}

/// The pipeline over this input, read `step` bytes at a time: what leaves, the dead letters, the counts.
pub(crate) fn piped(
    plan: &Arc<Plan>,
    format: Format,
    data: &[u8],
    (step, chunk_bytes, threads): (usize, usize, usize),
) -> (String, Vec<String>, Tally) {
    const MOST: usize = 400;
    let sizes = Sizes { chunk_bytes, ..Sizes::new(MOST) };
    let demand = Demand::of_lines(&sizes, threads, true, 0, |_| 0);
    let kept = Kept::default();
    let source = Steps { data: data.to_vec(), at: 0, step };
    let pipeline = Pipeline {
        framing: Some(Arc::new(Frames::new(format, MOST))),
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
    let judgement = Judgement::new(format, plan.clone());
    let report = pipeline.run((0..threads).map(|_| Unwrapper::new(&judgement)).collect());
    assert_eq!((report.unwritten, report.bytes_in), (0, data.len() as u64));
    assert_eq!(report.tally.unaccounted(), 0, "{:?}", report.tally);
    let (clean, letters) = std::mem::take(&mut *kept.0.lock().unwrap());
    let tally = Tally { bytes_in: 0, ..report.tally };
    (String::from_utf8(clean).unwrap(), letters, tally)
}

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn mixed(format: Format, lines: usize) -> String {
    let texts = [
        "{\"n\":1}",
        "{\"mail\":\"ada@example.com\"}",
        "text of ada@example.com",
        "",
        "{\"broken",
        "{\"long\":\"a long text that goes on for a while, as texts do, and on, and on\"}",
        "\u{1f980} {\"x\":\"\\n\\u00e9\"}",
    ];
    let (mut dice, mut input) = (Dice(7), String::new());
    for _ in 0..lines {
        let stream = ["stdout", "stderr"][dice.below(2) as usize];
        let text = texts[dice.below(texts.len() as u64) as usize];
        let cut = text.char_indices().map(|(at, _)| at).nth(dice.below(8) as usize).unwrap_or(0);
        let more = dice.below(3) == 0;
        let text = if more { &text[..cut] } else { text };
        match (dice.below(25), format) {
            (0, _) => input.push_str("{\"no\":\"wrapper of ada@example.com\"}\n"),
            (1, _) => input.push('\n'),
            (2, _) => input += &format!("{}\n", "long ".repeat(100)),
            (_, Format::Cri) => input += &cri(stream, if more { "P" } else { "F" }, text),
            _ => input += &docker(stream, &format!("{text}{}", if more { "" } else { "\n" })),
        }
    }
    input
}

#[test]
fn however_it_arrives_the_same_leaves() {
    let packs =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/patterns/core.toml")).unwrap();
    let mut settings = Settings {
        packs: vec![Pack::parse("core", &packs).unwrap()],
        bodies: true,
        ..Settings::default()
    };
    settings.limits.max_event_bytes = 400;
    let plan = Arc::new(Plan::compile(settings).unwrap());
    for (format, of) in [
        (Format::Docker, Format::Docker),
        (Format::Cri, Format::Cri),
        (Format::Auto, Format::Docker),
        (Format::Auto, Format::Cri),
    ] {
        let mut input = mixed(of, 1500);
        if format == Format::Auto {
            let first =
                if of == Format::Cri { cri("stdout", "F", "x") } else { docker("stdout", "x\n") };
            input = first + &input;
        }
        input.pop();
        let whole = piped(&plan, format, input.as_bytes(), (1 << 20, 1 << 20, 1));
        assert!(!whole.0.contains("ada@") && !whole.1.concat().contains("ada@"));
        let again = piped(&plan, format, whole.0.as_bytes(), (1 << 20, 1 << 20, 1));
        assert!(again.0 == whole.0, "{of:?}: what was redacted is not redacted again");
        let tally = &whole.2;
        let oversize = tally.rejected[Reason::Oversize.index()];
        assert!(
            tally.clean.min(tally.redacted).min(tally.joined).min(tally.blank).min(oversize) > 20,
            "{tally:?}"
        );
        for how in [
            (1, 1 << 18, 1),
            (1, 1, 2),
            (1 << 20, 1, 3),
            (17, 1000, 2),
            (4097, 300, 2),
            (399, 5000, 4),
        ] {
            let run = piped(&plan, format, input.as_bytes(), how);
            let differs = run.1.iter().zip(&whole.1).find(|(a, b)| a != b);
            assert_eq!(differs, None, "{of:?} {how:?}");
            assert!(run.0 == whole.0, "{of:?} {how:?}");
            assert_eq!(run.2, whole.2, "{of:?} {how:?}");
        }
    }
}
