//! Signals to the real program.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{adds_up, summary, tamis};

/// A program that has already forwarded one line, so its signal handlers are in place.
struct Running {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn new(args: &[&str]) -> Self {
        let mut child = tamis(args).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, stdin, stdout };
        running.say("{\"n\":1}\n");
        assert_eq!(running.hear(), "{\"n\":1}\n");
        running
    }

    fn say(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn kill(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        // Two signals of a kind at once are one.
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_last_words_of_the_application_arrive() {
    let mut tamis = Running::new(&[]);
    tamis.kill(Signal::TERM);
    tamis.say("{\"n\":2}\n");
    assert_eq!(tamis.hear(), "{\"n\":2}\n");
    let Running { child, stdin, .. } = tamis;
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(summary(&output)["clean"], 2);
}

#[test]
fn the_drain_has_a_deadline() {
    let tamis = Running::new(&["--drain-timeout", "1"]);
    let started = Instant::now();
    tamis.kill(Signal::INT);
    let Running { child, stdin, .. } = tamis;
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(0));
    let took = started.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn the_second_signal_stops_and_what_was_read_is_written() {
    let mut tamis = Running::new(&["--drain-timeout", "600"]);
    tamis.say("{\"n\":2}\n{\"n\":3}");
    sleep(Duration::from_millis(50));
    tamis.kill(Signal::INT);
    tamis.kill(Signal::TERM);
    let Running { mut child, stdin, mut stdout } = tamis;
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "{\"n\":2}\n{\"n\":3}\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(stdin);
}

#[test]
fn a_stuck_output_is_given_up_and_counted() {
    let tamis = Running::new(&["--drain-timeout", "600"]);
    let pid = Pid::from_child(&tamis.child);
    let Running { child, mut stdin, stdout } = tamis;
    let line = format!("{{\"pad\":\"{}\"}}\n", "x".repeat(1000));
    let feeder = std::thread::spawn(move || while stdin.write_all(line.as_bytes()).is_ok() {});
    sleep(Duration::from_millis(300));
    let started = Instant::now();
    kill_process(pid, Signal::TERM).unwrap();
    sleep(Duration::from_millis(100));
    kill_process(pid, Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    drop(stdout);
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(output.status.code(), Some(3));
    let summary = summary(&output);
    assert!(summary["unwritten"].as_u64().unwrap() > 0, "{summary}");
    adds_up(&summary);
}
