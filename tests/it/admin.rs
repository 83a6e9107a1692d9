//! The admin server and the file of measures, with a real program.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Stdio},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tamis::metrics::{Family, Kind};
use tempfile::TempDir;

use crate::cli::{code, folder, run, sieve, stderr, tamis};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program with an admin server at a port that was free.
pub(crate) struct Watched {
    pub(crate) folder: TempDir,
    child: Child,
    pub(crate) port: u16,
}

impl Watched {
    pub(crate) fn start(files: &[(&str, &str)], args: &[&str]) -> Self {
        let folder = folder(files);
        let err = fs::File::create(folder.path().join("err")).unwrap();
        let child = tamis(&["--admin", "0"])
            .args(args)
            .current_dir(&folder)
            .stderr(err)
            .stdin(Stdio::piped())
            .stdout(fs::File::create(folder.path().join("out")).unwrap())
            .spawn()
            .unwrap();
        let mut watched = Self { folder, child, port: 0 };
        watched.until("the address", |w| w.said().contains("--admin: listening at 127.0.0.1:"));
        let said = watched.said();
        let port = said.split("127.0.0.1:").nth(1).unwrap().lines().next().unwrap();
        watched.port = port.parse().unwrap();
        watched
    }

    fn said(&self) -> String {
        let said = fs::read_to_string(self.folder.path().join("err")).unwrap();
        crate::journal::as_shown(&said)
    }

    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < PATIENCE, "{what} did not come: {}", self.said());
            sleep(Duration::from_millis(10));
        }
    }

    /// The status and the body.
    fn get(&self, path: &str, headers: &str) -> (u16, String) {
        get(self.port, path, headers)
    }

    fn measures(&self) -> BTreeMap<String, f64> {
        measures(&self.get("/metrics", "").1)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an admin server answers: the status and the body.
pub(crate) fn get(port: u16, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The same of one that may be gone.
pub(crate) fn asked(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

pub(crate) fn measures(text: &str) -> BTreeMap<String, f64> {
    let values = text.lines().filter(|line| !line.starts_with('#'));
    let values = values.map(|line| line.rsplit_once(' ').unwrap());
    values.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[test]
fn a_run_can_be_watched_until_its_end() {
    let mut watched = Watched::start(&[], &["--drain-timeout", "30"]);
    let mut stdin = watched.child.stdin.take().unwrap();
    assert_eq!(watched.get("/health", ""), (200, "ok\n".into()));
    assert_eq!(watched.get("/ready", ""), (200, "ready\n".into()));
    stdin
        .write_all(b"{\"mail\":\"canary@example.com\"}\n{\"n\":1}\n{oops canary@example.com\n")
        .unwrap();
    watched.until("three lines", |w| w.measures()["tamis_lines_read_total"] == 3.0);
    watched.until("their outcomes", |w| w.measures()["tamis_lines_in_flight"] == 0.0);
    let m = watched.measures();
    assert_eq!(m["tamis_lines_total{outcome=\"clean\"}"], 1.0);
    assert_eq!(m["tamis_lines_total{outcome=\"redacted\"}"], 1.0);
    assert_eq!(m["tamis_lines_total{outcome=\"rejected\"}"], 1.0);
    assert_eq!(m["tamis_redactions_total{detector=\"email\"}"], 1.0);
    assert_eq!(m["tamis_lines_unaccounted"], 0.0);
    assert_eq!(m["tamis_oldest_unacknowledged_seconds"], 0.0);
    assert!(m["tamis_acknowledged_age_seconds_count"] >= 1.0);
    assert!(m["tamis_stage_seconds_count{stage=\"judge\"}"] >= 1.0);
    assert!(m["process_resident_memory_bytes"] > 0.0);
    assert!(m["process_resident_memory_bytes"] < m["tamis_memory_ceiling_bytes"]);
    for path in ["/metrics", "/config", "/version", "/ready/deps"] {
        let (status, body) = watched.get(path, "");
        assert!(status == 200 && !body.contains("canary"), "{path}: {status} {body}");
    }
    // Asked to end, it reads on until the input ends: it is not ready for more.
    kill_process(Pid::from_child(&watched.child), Signal::TERM).unwrap();
    watched.until("draining", |w| w.get("/ready", "").0 == 503);
    assert_eq!(watched.get("/health", "").0, 200);
    drop(stdin);
    assert!(watched.child.wait().unwrap().success());
}

#[test]
fn dependencies_are_really_reached() {
    let watched = Watched::start(
        &[("in/a.log", "{\"n\":1}\n")],
        &["--follow", "in/a.log", "--data-dir", "data", "-o", "clean.ndjson"],
    );
    watched.until("the output", |w| w.get("/ready/deps", "").0 == 200);
    let (_, body) = watched.get("/ready/deps", "");
    assert!(body.contains("inputs in/a.log: ok") && body.contains("data_dir data: ok"), "{body}");
    fs::remove_dir_all(watched.folder.path().join("data")).unwrap();
    let (status, body) = watched.get("/ready/deps", "");
    assert_eq!(status, 503);
    assert!(body.contains("data_dir data: no such file or directory"), "{body}");
    assert_eq!(watched.get("/ready", "").0, 200, "it goes on as long as it can");
}

#[test]
fn the_token_is_never_shown_and_guards_what_is_not_a_probe() {
    let files =
        [("token", "very-secret\n"), ("tamis.toml", "version = 1\nwithout = [\"phone\"]\n")];
    let args = ["--config", "tamis.toml", "--admin-token-file", "token"];
    let watched = Watched::start(&files, &args);
    assert_eq!(watched.get("/ready", "").0, 200);
    assert_eq!(watched.get("/config", "").0, 401);
    let (status, body) = watched.get("/config", "Authorization: Bearer very-secret\r\n");
    assert_eq!(status, 200);
    assert!(body.contains("without = [\"phone\"]") && !body.contains("very-secret"), "{body}");
    let output = run(tamis(&["--admin", "0", "--admin-token-file", "none"]).current_dir("/"), b"");
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("--admin-token-file none: no such file"), "{said}");
}

#[test]
fn a_pipe_leaves_its_measures_in_a_file() {
    let dir = folder(&[]);
    let path = dir.path().join("m.prom");
    let output = sieve(&["--metrics-textfile", path.to_str().unwrap()], b"{\"n\":1}\n{\n");
    assert_eq!(code(&output), 0);
    let m = measures(&fs::read_to_string(&path).unwrap());
    assert_eq!(m["tamis_lines_read_total"], 2.0);
    assert_eq!(m["tamis_rejected_lines_total{reason=\"unterminated\",to=\"dropped\"}"], 1.0);
    let args = ["--schema", "service-log", "--metrics-textfile", path.to_str().unwrap()];
    sieve(&args, b"{\"n\":1}\n{\"n\":2}\n");
    let m = measures(&fs::read_to_string(&path).unwrap());
    let of = |reason: &str| {
        m[&format!("tamis_schema_violations_total{{schema=\"service-log\",reason=\"{reason}\"}}")]
    };
    assert_eq!((of("schema_required"), of("schema_enum")), (2.0, 0.0));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let output = sieve(&["--metrics-textfile", "/nowhere/m.prom"], b"{\"n\":1}\n");
    assert_eq!(code(&output), 2);
}

#[test]
fn what_a_reload_puts_in_force_is_shown() {
    let files = [("tamis.toml", "version = 1\nip = \"keep\"\n")];
    let watched = Watched::start(&files, &["--config", "tamis.toml"]);
    assert!(watched.get("/config", "").1.contains("ip = \"keep\""));
    let path = watched.folder.path().join("tamis.toml");
    let replace = |text: &str| {
        fs::write(path.with_extension("new"), text).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
    };
    replace("version = 1\nip = \"redact\"\n");
    watched.until("the reload", |w| w.said().contains("reloaded"));
    assert!(watched.get("/config", "").1.contains("ip = \"redact\""));
    // What is refused is not in force.
    replace("version = 1\nip = \"keep\"\nno = 1\n");
    watched.until("the refusal", |w| w.said().contains("unknown key `no`"));
    assert!(watched.get("/config", "").1.contains("ip = \"redact\""));
}

/// Every name, what it is, and its labels, as the program gives them.
#[test]
fn the_documentation_lists_every_measure() {
    let watched = Watched::start(&[], &["--schema", "service-log"]);
    let text = watched.get("/metrics", "").1;
    let (mut help, mut wanted) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ').unwrap().1.to_owned();
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        else {
            continue;
        };
        let sample = text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
        let labels = sample.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let labels: Vec<_> = labels
            .into_iter()
            .flat_map(|(labels, _)| labels.split(','))
            .map(|label| label.split('=').next().unwrap())
            .filter(|label| *label != "le")
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(wanted, "| `{name}` | {kind} | {} | {help} |", labels.join(", "));
    }
    documented("| name | kind | labels | |\n| --- | --- | --- | --- |\n", &wanted);
}

/// Those of a member of a consumer group, as a member has them that did nothing.
#[test]
fn the_documentation_lists_every_measure_of_kafka() {
    let mut wanted = String::new();
    for Family { name, kind, labels, help, .. } in tamis::kafka::MemberStatus::default().families()
    {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let total = if kind == Kind::Counter { "_total" } else { "" };
        let (kind, labels) = (kind.name(), labels.join(", "));
        let _ = writeln!(wanted, "| `{name}{total}` | {kind} | {labels} | {help} |");
    }
    documented("| of Kafka | kind | labels | |\n| --- | --- | --- | --- |\n", &wanted);
}

/// Compares a table of the documentation, or writes it.
fn documented(head: &str, wanted: &str) {
    // Both tables are of one page.
    static PAGE: Mutex<()> = Mutex::new(());
    let _page = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(head).expect("the table's head");
    let (shown, after) = rest.split_at(rest.find("\n\n").map_or(rest.len(), |at| at + 1));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{head}{wanted}{after}")).unwrap();
    } else {
        assert!(shown == wanted, "out of date: `UPDATE_DOCS=1 cargo test --test it admin`");
    }
}

#[test]
fn a_server_that_others_reach_without_a_token_is_warned_about() {
    let dir = folder(&[("token", "secret\n")]);
    let said = |args: &[&str]| stderr(&run(tamis(args).current_dir(&dir), b"{}\n"));
    let open = said(&["--admin", "0.0.0.0:0"]);
    assert!(open.contains("requires no token") && open.contains("--admin-token-file"), "{open}");
    for closed in [&["--admin", "0"][..], &["--admin", "0.0.0.0:0", "--admin-token-file", "token"]]
    {
        assert!(!said(closed).contains("requires no token"), "{closed:?}");
    }
}

#[test]
fn a_name_that_the_configuration_lists_is_the_servers() {
    let config = "version = 1\nadmin_hosts = ['tamis.example']\n";
    let watched = Watched::start(&[("t.toml", config)], &["--config", "t.toml"]);
    let ask = |host: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", watched.port)).unwrap();
        let request = format!("GET /config HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("tamis.example:9600").starts_with("HTTP/1.1 200"));
    assert!(ask("127.0.0.1").starts_with("HTTP/1.1 200"));
    assert!(ask("evil.example").starts_with("HTTP/1.1 403"));
}
