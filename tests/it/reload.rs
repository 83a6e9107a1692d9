//! Reload: on SIGHUP and on change, with a real program and real files.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread::{scope, sleep},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const ALL: &str = "version = 1\n";
const NO_EMAIL: &str = "version = 1\nwithout = [\"email\"]\n";
const EVENT: &str = "{\"mail\":\"ada@example.com\",\"password\":\"x\"}\n";

/// A program that reads what it is given, in a folder with its configuration.
struct Running {
    folder: TempDir,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running {
    fn start(files: &[(&str, &str)], args: &[&str]) -> Self {
        let folder = crate::cli::folder(files);
        let add = |name| Stdio::from(File::create(folder.path().join(name)).unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_tamis"))
            .current_dir(folder.path())
            .args(["--config", "tamis.toml", "--stats", "stats"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(add("out"))
            .stderr(add("err"))
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        Self { folder, child, stdin }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        crate::journal::as_shown(&fs::read_to_string(self.path(name)).unwrap_or_default())
    }

    /// Replaces a file in one step.
    fn put(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "{what} did not come: {}", self.read("err"));
            sleep(Duration::from_millis(3));
        }
    }

    /// How many reloads, and how many refusals, were said.
    fn said(&self) -> (usize, usize) {
        let said = self.read("err");
        let of = |what| said.matches(what).count();
        (of(": reloaded\n"), of(": not reloaded, the previous configuration stays in effect: "))
    }

    /// Waits until so many were said. (A slow test may see a change taken before it asks for it.)
    fn until_said(&self, reloaded: usize, refused: usize) {
        self.until(&format!("{reloaded} and {refused}"), || {
            let said = self.said();
            said.0 >= reloaded && said.1 >= refused
        });
    }

    /// Sends a line, and returns what comes of it.
    fn sieve(&mut self, line: &str) -> String {
        let before = self.read("out").len();
        self.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        self.until("an event", || {
            self.read("out").len() > before && self.read("out").ends_with('\n')
        });
        self.read("out")[before..].to_owned()
    }

    /// Ends the input; the summary.
    fn end(mut self) -> (Value, TempDir) {
        self.stdin = None;
        self.child.wait().unwrap();
        let summary: Value = serde_json::from_str(&self.read("stats")).unwrap();
        assert_eq!(summary["unaccounted"], 0);
        let (reloads, refused) = self.said();
        assert_eq!(
            (&summary["reloads"], &summary["refused_reloads"]),
            (&reloads.into(), &refused.into())
        );
        let Self { folder, .. } = self;
        (summary, folder)
    }
}

fn redacted(mail: bool) -> String {
    let mail = if mail { "[REDACTED:email]" } else { "ada@example.com" };
    format!("{{\"mail\":\"{mail}\",\"password\":\"[REDACTED:secret_field]\"}}\n")
}

#[test]
fn sighup_changes_what_the_next_event_is_judged_by() {
    let mut running = Running::start(&[("tamis.toml", ALL)], &[]);
    assert_eq!(running.sieve(EVENT), redacted(true));
    running.put("tamis.toml", NO_EMAIL);
    running.hang_up();
    running.until_said(1, 0);
    assert_eq!(running.sieve(EVENT), redacted(false));
    running.put("tamis.toml", ALL);
    running.hang_up();
    running.until_said(2, 0);
    assert_eq!(running.sieve(EVENT), redacted(true));
    let (summary, _) = running.end();
    // Counts stay with their names, whatever the detectors' order was.
    assert_eq!(summary["redactions"], serde_json::json!({"email": 2, "secret_field": 3}));
}

#[test]
fn a_config_map_that_changes_is_taken() {
    let mut running = Running::start(
        &[("..1/tamis.toml", ALL), ("..2/tamis.toml", NO_EMAIL), ("tamis.toml", ALL)],
        &[],
    );
    assert_eq!(running.sieve(EVENT), redacted(true));
    // As Kubernetes mounts one.
    symlink("..1", running.path("..data")).unwrap();
    symlink("..data/tamis.toml", running.path("link")).unwrap();
    fs::rename(running.path("link"), running.path("tamis.toml")).unwrap();
    running.until_said(1, 0);
    symlink("..2", running.path("..data_tmp")).unwrap();
    fs::rename(running.path("..data_tmp"), running.path("..data")).unwrap();
    running.until_said(2, 0);
    assert_eq!(running.sieve(EVENT), redacted(false));
    running.end();
}

#[test]
fn what_does_not_hold_is_refused_with_its_place_and_the_old_one_stays() {
    let mut running = Running::start(&[("tamis.toml", ALL)], &["--memory", "200MiB"]);
    let rules: String = (0..80)
        .map(|n| format!("[[rule]]\npath = \"a.b.c.d.e{n}\"\naction = \"null\"\n"))
        .collect();
    assert_eq!(running.sieve(EVENT), redacted(true));
    let wrong = [
        ("version = 1\nwithout = [\"emial\"]\n", "emial"),
        ("version = 1\nshema = \"x\"\nquite = true\n", "tamis.toml:3:1: unknown key `quite`"),
        ("version = 1\nschema = \"none.json\"\n", "none.json"),
        ("version = 1\noutput = \"x\"\nthreads = 1\n", "`output`, `threads` cannot change while"),
        ("version = 1\ntext = \"drop\"\n", "`text` cannot change while"),
        ("version = 1\ntext = \"dead-letter\"\n", "needs `dead_letter`"),
        (&format!("version = 1\n{rules}"), "of memory, but --memory allows 200MiB"),
    ];
    for (at, (config, said)) in wrong.iter().enumerate() {
        running.put("tamis.toml", config);
        running.hang_up();
        running.until_said(0, at + 1);
        running.until(said, || running.read("err").contains(said));
        assert_eq!(running.sieve(EVENT), redacted(true));
    }
    fs::remove_file(running.path("tamis.toml")).unwrap();
    running.hang_up();
    running.until_said(0, wrong.len() + 1);
    running.put("tamis.toml", NO_EMAIL);
    // Nobody asks.
    running.until_said(1, wrong.len() + 1);
    assert_eq!(running.sieve(EVENT), redacted(false));
    running.end();
}

#[test]
fn a_schema_that_changes_is_taken_and_letters_name_the_one_that_judged() {
    let schema = |field: &str| format!("{{\"type\":\"object\",\"required\":[\"{field}\"]}}");
    let config = |schema: &str| format!("version = 1\nschema = \"{schema}\"\n");
    let mut running = Running::start(
        &[("tamis.toml", &config("a.json")), ("a.json", &schema("id")), ("b.json", &schema("x"))],
        &["--dead-letter", "dead"],
    );
    assert_eq!(running.sieve("{\"id\":1}\n"), "{\"id\":1}\n");
    running.stdin.as_mut().unwrap().write_all(b"{\"n\":2}\n").unwrap();
    running.until("a letter", || running.read("dead").lines().count() == 1);
    running.put("a.json", &schema("n"));
    running.until_said(1, 0);
    assert_eq!(running.sieve("{\"n\":3}\n"), "{\"n\":3}\n");
    running.put("tamis.toml", &config("b.json"));
    running.hang_up();
    running.until_said(2, 0);
    running.stdin.as_mut().unwrap().write_all(b"{\"n\":4}\n").unwrap();
    running.until("a letter", || running.read("dead").lines().count() == 2);
    let letters = running.read("dead");
    let names: Vec<Value> = letters
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["schema"].clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
    running.end();
}

#[test]
fn nothing_is_lost_however_often_it_is_reloaded() {
    const ROUNDS: usize = 20;
    let mut running = Running::start(&[("tamis.toml", ALL)], &["--threads", "3"]);
    let mut stdin = running.stdin.take().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let sent = scope(|scope| {
        let producer = scope.spawn(|| {
            let mut id = 0_u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let lines: String = (id..id + 500)
                    .map(|id| format!("{{\"id\":{id},\"card\":\"4111111111111111\"}}\n"))
                    .collect();
                stdin.write_all(lines.as_bytes()).unwrap();
                id += 500;
            }
            drop(stdin);
            id
        });
        running.until("an event", || !running.read("out").is_empty());
        for round in 0..ROUNDS {
            let config = match round % 3 {
                0 => "version = 1\nwithout = [\"email\", \"jwt\"]\n".to_owned(),
                1 => format!(
                    "version = 1\n[[rule]]\nname = \"r{round}\"\npath = \"x\"\naction = \"null\"\n"
                ),
                _ => "version = 1\nnonsense = 1\n".to_owned(),
            };
            running.put("tamis.toml", &config);
            running.hang_up();
            let refused = (round + 1) / 3;
            running.until_said(round + 1 - refused, refused);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        producer.join().unwrap()
    });
    let (summary, folder) = running.end();
    assert_eq!((summary["read"].as_u64(), summary["redacted"].as_u64()), (Some(sent), Some(sent)));
    assert_eq!(summary["redactions"]["payment_card"], sent);
    let out = fs::read_to_string(Path::new(folder.path()).join("out")).unwrap();
    let wanted =
        (0..sent).map(|id| format!("{{\"id\":{id},\"card\":\"[REDACTED:payment_card]\"}}"));
    assert!(out.lines().eq(wanted), "each once, in order, and redacted");
}

#[test]
fn a_list_that_changes_is_taken() {
    let config = "version = 1\n[[allow]]\nexact_file = \"lists/vips\"\n";
    let files = [("tamis.toml", config), ("lists/vips", "bob@example.com\n")];
    let mut running = Running::start(&files, &[]);
    let event = "{\"mail\":\"ada@example.com\"}\n";
    assert_eq!(running.sieve(event), "{\"mail\":\"[REDACTED:email]\"}\n");
    running.put("lists/vips", "ada@example.com\n");
    running.until_said(1, 0);
    assert_eq!(running.sieve(event), event);
    running.end();
}

#[test]
fn a_key_file_that_changes_is_read_again() {
    let config = "version = 1\n[keys.a]\nactive = { id = 'k', file = 'a.key' }\n\
                  [[rule]]\npath = 'mail'\naction = { hmac = 'a' }\n";
    let mut running = Running::start(&[("tamis.toml", config), ("a.key", "0123456789abcdef")], &[]);
    let first = running.sieve(EVENT);
    running.put("a.key", "fedcba9876543210");
    running.until_said(1, 0);
    let second = running.sieve(EVENT);
    assert_ne!(first, second);
    assert!(first.contains("[HMAC:k:") && second.contains("[HMAC:k:"), "{first}{second}");
    running.put("a.key", "too short");
    running.hang_up();
    running.until_said(1, 1);
    assert_eq!(running.sieve(EVENT), second);
    assert!(running.read("err").contains("a.key: a key of 9 bytes is too short"));
    running.end();
}

#[test]
fn routes_change_with_the_others_and_counts_stay_with_their_names() {
    let route = |name: &str, without: &str| {
        format!(
            "version = 1\nmetrics_textfile = \"metrics\"\n[[route]]\nname = \"{name}\"\n\
             match.field.s = \"{name}\"\nwithout = [\"{without}\"]\n"
        )
    };
    let event = |name: &str| format!("{{\"s\":\"{name}\",\"mail\":\"ada@example.com\"}}\n");
    let clean = |name: &str| event(name).replace("ada@example.com", "[REDACTED:email]");
    let mut running = Running::start(&[("tamis.toml", &route("a", "email"))], &[]);
    assert_eq!(running.sieve(&event("a")), event("a"));
    assert_eq!(running.sieve(&event("b")), clean("b"));
    running.put("tamis.toml", &route("b", "email"));
    running.hang_up();
    running.until_said(1, 0);
    assert_eq!(running.sieve(&event("a")), clean("a"));
    assert_eq!(running.sieve(&event("b")), event("b"));
    let (_, folder) = running.end();
    let metrics = fs::read_to_string(folder.path().join("metrics")).unwrap();
    for (route, count) in [("a", 1), ("b", 1), ("default", 2)] {
        let wanted =
            format!("tamis_route_lines_total{{route=\"{route}\",outcome=\"forwarded\"}} {count}\n");
        assert!(metrics.contains(&wanted), "{metrics}");
    }
}
