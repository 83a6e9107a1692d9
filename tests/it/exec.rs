//! `tamis exec`: both streams, exit codes, signals, who stays behind.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{adds_up, code, folder, run, stderr, summary, tamis};

fn exec(options: &[&str], script: &str) -> Command {
    let mut command = tamis(&["exec"]);
    command.args(options).args(["--", "sh", "-c", script]);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn both_streams_come_whole_and_each_in_its_order() {
    let script = "for n in $(seq 1000); do
        echo \"{\\\"out\\\":$n,\\\"mail\\\":\\\"ada@example.com\\\"}\"
        printf '{\"err\":' >&2; printf '%d}\\n' $n >&2
    done; printf '{\"last\":1}'";
    let output = run(&mut exec(&[], script), b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    for stream in ["{\"out\":", "{\"err\":"] {
        let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(stream)).collect();
        let end = if stream.contains("out") { ",\"mail\":\"[REDACTED:email]\"}" } else { "}" };
        assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("{}{end}", n + 1)));
        assert_eq!(lines.len(), 1000, "{stream}");
    }
    assert!(text.contains("{\"last\":1}\n") && !text.contains("ada"));
    let summary = summary(&output);
    assert_eq!(summary["read"], 2001);
    adds_up(&summary);
}

#[test]
fn the_exit_code_is_the_applications_and_ours_where_that_is_well() {
    let bad = "printf '{\"n\":1}\\n{\"n\\n'";
    for (options, script, wanted) in [
        (&[][..], "true", 0),
        (&[], "exit 7", 7),
        (&[], "kill -TERM $$", 128 + 15),
        (&[], "kill -KILL $$", 128 + 9),
        (&["--fail-on-drop"], bad, 1),
        (&["--fail-on-drop"], &format!("{bad}; exit 9"), 9),
        (&["-q"], "echo '{\"n'", 0),
        (&["-q", "--fail-on-drop"], "echo '{\"n'", 1),
        (&["-q"], "echo '{\"n'; exit 9", 9),
    ] {
        let output = run(&mut exec(options, script), b"");
        assert_eq!(code(&output), wanted, "{options:?} {script}: {}", stderr(&output));
        if !options.contains(&"-q") {
            assert_eq!(summary(&output)["exit_code"], wanted);
        }
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = run(exec(&[], "trap '' PIPE; echo '{}'; exit 0").stdout(full), b"");
    assert_eq!(code(&output), 3);
    assert!(summary(&output)["error"].as_str().unwrap().contains("No space left"));
}

#[test]
fn what_cannot_be_started_is_said_as_env_does() {
    let dir = folder(&[("plain", "no program"), ("in", "{}\n")]);
    for (args, exit, wanted) in [
        (&["exec", "--", "no-such-app-here"][..], 127, "no-such-app-here: no such file"),
        (&["exec", "--", "./plain"], 126, "plain: permission denied"),
        (&["exec", "-o", "out", "--", "./gone"], 127, "gone: no such file"),
        (&["exec", "in", "--", "true"], 2, "not files"),
        (&["exec", "true"], 2, "`tamis exec [OPTIONS] -- my-app`"),
        (&["exec"], 2, "`tamis exec [OPTIONS] -- my-app`"),
        (&["exec", "-r", "--", "true"], 2, "without --out-dir and -r"),
        (&["exec", "--schema", "service-lgo", "--", "touch", "ran"], 2, "service-log"),
    ] {
        let output = run(tamis(args).current_dir(&dir), b"");
        let text = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (exit, ""), "{args:?}: {text}");
        assert!(text.starts_with("tamis: ") && text.contains(wanted), "{args:?}: {text}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing ran, nothing is left");
    }
}

#[test]
fn standard_input_is_the_applications_and_files_are_written_as_ever() {
    let dir = folder(&[("my.toml", "version = 1\ninputs = [\"in\"]\nquiet = true\n")]);
    let mut command =
        exec(&["--config", "my.toml", "-o", "out", "--stats", "stats"], "cat; echo '{\"n' >&2");
    command.current_dir(&dir);
    let output = run(&mut command, b"{\"n\":1}\n");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), b"{\"n\":1}\n");
    assert!(fs::read_to_string(dir.path().join("stats")).unwrap().contains("\"unterminated\":1"));
}

#[cfg(target_os = "linux")] // it looks for processes in /proc
#[test]
fn signals_are_passed_on_and_the_last_words_are_heard() {
    for (signal, name, exit) in [(Signal::TERM, "TERM", 5), (Signal::INT, "INT", 6)] {
        let script = format!(
            "trap 'echo \"{{\\\"n\\\":2}}\"; sleep 1; echo \"{{\\\"n\\\":3}}\" >&2; exit {exit}' \
             {name}
             echo '{{\"n\":1}}'; while :; do sleep 0.05; done"
        );
        // Without a terminal of its own, as in a container.
        let mut command = Command::new("setsid");
        command.arg("-w").arg(env!("CARGO_BIN_EXE_tamis"));
        command.args(["exec", "--drain-timeout", "0", "-q", "--", "sh", "-c", &script]);
        command.stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "{\"n\":1}\n");
        // `setsid` becomes what it runs, unless it leads a group: then that is its child.
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let is_tamis =
            fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap() == "tamis\n";
        let pid = match is_tamis {
            true => Pid::from_child(&child),
            false => {
                let pid = fs::read_to_string(children).unwrap().trim().parse().unwrap();
                Pid::from_raw(pid).unwrap()
            }
        };
        kill_process(pid, signal).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "{\"n\":2}\n{\"n\":3}\n");
        assert_eq!(child.wait().unwrap().code(), Some(exit), "{name}");
    }
}

#[test]
fn who_stays_behind_is_not_waited_for_for_ever() {
    let started = Instant::now();
    let script = "(echo '{\"late\":1}'; sleep 30) & sleep 0.2; echo '{\"n\":1}'; exit 4";
    let output = run(&mut exec(&["--drain-timeout", "1"], script), b"");
    assert_eq!(code(&output), 4);
    assert_eq!(stdout(&output), "{\"late\":1}\n{\"n\":1}\n");
    let took = started.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_line_that_is_too_long_does_not_hold_up_the_other_stream() {
    let script = "head -c 300000 /dev/zero | tr '\\0' x; for n in $(seq 20000); do
        echo '{\"a\":\"long enough to fill a pipe\"}' >&2; done; echo; echo '{\"n\":2}'";
    let output = run(&mut exec(&["--max-event-bytes", "1000"], script), b"");
    let summary = summary(&output);
    assert_eq!((&summary["dropped"]["oversize"], &summary["clean"]), (&1.into(), &20_001.into()));
    adds_up(&summary);
}

#[test]
fn an_output_that_is_gone_ends_the_application() {
    let mut child = exec(&[], "while :; do echo '{\"n\":1}'; done").spawn().unwrap();
    let mut first = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(20));
        sleep(Duration::from_millis(20));
    }
    let code = child.wait().unwrap().code();
    // As the shell's builtin sees it: killed by SIGPIPE, or told of it.
    assert!(code.is_some_and(|code| code == 128 + 13 || code == 1 || code == 2), "{code:?}");
}
