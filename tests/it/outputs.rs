//! What is written: whole or not there, added to, compressed, one for each input.

use std::{
    fs,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use crate::{
    archives::{packed, through},
    cli::{code, run, sieve, stderr, summary, tamis},
    files::{listing, tree, within},
};

#[test]
fn what_is_there_is_replaced_or_added_to_only_when_asked() {
    let dir = tree(&[("in", b"{\"n\":1}\n"), ("bad", b"{\"n\n"), ("out", b"{\"n\":0}\n")]);
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let read = || fs::read(dir.path().join("out")).unwrap();
    for out in ["out", "dangling"] {
        let output = within(&dir, &["in", "-o", out]);
        assert_eq!(code(&output), 2);
        let wanted = format!("tamis: -o {out} already exists: --force replaces it, --append");
        assert!(stderr(&output).starts_with(&wanted), "{}", stderr(&output));
    }
    for (args, wanted, exit) in [
        (&["in", "-o", "out", "--append"][..], "{\"n\":0}\n{\"n\":1}\n", 0),
        (&["bad", "-o", "out", "--append"], "{\"n\":0}\n{\"n\":1}\n", 0),
        (&["in", "gone", "-o", "out", "--append"], "{\"n\":0}\n{\"n\":1}\n", 3),
        (&["in", "gone", "-o", "out", "--force"], "{\"n\":0}\n{\"n\":1}\n", 3),
        (&["in", "-o", "out", "--force"], "{\"n\":1}\n", 0),
        (&["in", "-o", "/dev/null"], "{\"n\":1}\n", 0),
    ] {
        let output = within(&dir, args);
        assert_eq!(code(&output), exit, "{args:?}: {}", stderr(&output));
        assert_eq!(String::from_utf8(read()).unwrap(), wanted, "{args:?}");
    }
    let output = within(&dir, &["in", "-o", "new", "--append"]);
    assert_eq!(code(&output), 0);
    assert_eq!(fs::read(dir.path().join("new")).unwrap(), b"{\"n\":1}\n");
}

#[test]
fn nothing_is_appended_behind_half_a_line_or_another_format() {
    let Some(packed) = through(&["gzip", "-c"], b"{\"n\":0}\n") else { return };
    let dir = tree(&[("in", b"{\"n\":1}\n"), ("half", b"{\"n\":0}\n{\"n"), ("out.gz", &packed)]);
    for (args, wanted) in [
        (&["in", "--append", "-o", "half"][..], "half: its last line has no line end: add one"),
        (&["in", "--append", "-o", "out.gz"], "out.gz: it is compressed with gzip"),
        (&["in", "--append", "-o", "out.gz", "--compress", "zstd"], "it is compressed with gzip"),
        (&["bad", "--append", "-o", "in", "--compress", "gzip"], "in: it is not compressed"),
    ] {
        let output = within(&dir, args);
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(wanted), "{args:?}: {}", stderr(&output));
    }
    let output = within(&dir, &["in", "--append", "-o", "out.gz", "--compress", "gzip"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let both = fs::read(dir.path().join("out.gz")).unwrap();
    assert_eq!(through(&["gzip", "-dc"], &both).unwrap(), b"{\"n\":0}\n{\"n\":1}\n");
}

#[test]
fn a_full_disk_takes_back_what_was_appended() {
    let many = "{\"n\":1}\n".repeat(200_000);
    let dir = tree(&[("in", many.as_bytes()), ("out", b"{\"n\":0}\n")]);
    // A limit on a file's size is as good as a full disk.
    let script = "trap '' XFSZ; ulimit -f 500; exec \"$0\" in --append -o out --quiet";
    let mut limited = Command::new("bash");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_tamis")]).current_dir(&dir);
    limited.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run(&mut limited, b"");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(fs::read(dir.path().join("out")).unwrap(), b"{\"n\":0}\n");
}

#[test]
fn the_output_is_compressed_as_asked_and_leaves_at_once() {
    for (format, tool) in [("gzip", ["gzip", "-dc"]), ("zstd", ["zstd", "-dc"])] {
        let text = "{\"n\":1}\n".repeat(50_000);
        let output = sieve(&["--compress", format], text.as_bytes());
        assert!(output.stdout.len() < text.len() / 10, "{format}");
        let Some(unpacked) = through(&tool, &output.stdout) else { continue };
        assert!(unpacked == text.as_bytes(), "{format}");
        let dir = tree(&[("in", text.as_bytes())]);
        assert_eq!(code(&within(&dir, &["in", "--compress", format, "-o", "out"])), 0);
        let unpacked = through(&tool, &fs::read(dir.path().join("out")).unwrap()).unwrap();
        assert!(unpacked == text.as_bytes(), "{format}");
    }
}

#[test]
fn each_input_has_an_output_of_its_name_compressed_as_it_came() {
    let first = packed(b"{\"n\":1}\n{\"mail\":\"ada@example.com\"}\n");
    let mut files: Vec<(String, &[u8])> =
        first.iter().map(|(name, data)| (format!("logs/sub/{name}"), &data[..])).collect();
    files.push(("logs/plain".into(), b"{\"n\":1}\n"));
    files.push(("logs/empty".into(), b""));
    files.push(("logs/bad".into(), b"{\"n\n"));
    // One that fails has no output: it would look whole.
    files.push(("logs/cut".into(), &first[0].1[..12]));
    files.push(("logs/part".into(), &first[0].1[..20]));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, data)| (&name[..], *data)).collect();
    let dir = tree(&files);
    let output = within(&dir, &["-r", "logs", "gone", "--out-dir", "a/b"]);
    assert_eq!((code(&output), output.stdout.len()), (3, 0), "{}", stderr(&output));
    assert_eq!(summary(&output)["failed_inputs"], 3);
    let mut wanted: Vec<_> = first.iter().map(|(name, _)| format!("sub/{name}")).collect();
    wanted.extend(["bad", "empty", "plain", "sub/"].map(String::from));
    wanted.sort();
    assert_eq!(listing(&dir.path().join("a/b")), wanted);
    let read = |name: &str| fs::read(dir.path().join("a/b").join(name)).unwrap();
    assert_eq!((read("empty"), read("plain")), (b"".to_vec(), b"{\"n\":1}\n".to_vec()));
    assert_eq!(read("bad"), b"", "all of it was refused");
    for (name, data) in &first {
        let out = read(&format!("sub/{name}"));
        assert_eq!(out[..3], data[..3], "{name}");
        let text = through(&[name, "-dc"], &out).unwrap();
        assert_eq!(text, b"{\"n\":1}\n{\"mail\":\"[REDACTED:email]\"}\n", "{name}");
    }
    // Names: of a file its last one, of a glob what is behind its fixed part.
    let output = within(&dir, &["logs/plain", "logs/*/gzip", "--out-dir", "c"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(listing(&dir.path().join("c")), ["plain", "sub/", "sub/gzip"]);
}

#[test]
fn outputs_of_one_name_or_in_the_way_are_refused_at_the_start() {
    let dir = tree(&[("a/x", b"{\"n\":1}\n"), ("b/x", b"{\"n\":2}\n"), ("c/x/y", b"{}\n")]);
    fs::create_dir(dir.path().join("old")).unwrap();
    fs::write(dir.path().join("old/x"), "old").unwrap();
    let before = listing(dir.path());
    for (args, wanted) in [
        (&["a/x", "b/x", "--out-dir", "out"][..], "a/x and b/x would both be out/x"),
        (&["a/x", "-r", "c", "--out-dir", "out"], "a/x would be a file where c/x/y needs a folder"),
        (&["a/x", "--out-dir", "a"], "is the input a/x"),
        (&["a/x", "--out-dir", "a", "--force"], "is the input a/x"),
        (&["-r", "a", "--out-dir", "a/out"], "a/out/x would be an input (a)"),
        (&["a/x", "--out-dir", "old"], "--out-dir: old/x already exists: --force replaces it"),
        (&["a/x", "-", "--out-dir", "out"], "standard input has no file name"),
        (&["a/x", "--out-dir", "out", "--stats", "out/x"], "--stats and --out-dir: are the same"),
    ] {
        let output = run(tamis(args).current_dir(&dir), b"");
        assert_eq!(code(&output), 2, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(wanted), "{args:?}: {}", stderr(&output));
        assert_eq!(listing(dir.path()), before, "{args:?}");
    }
    assert_eq!(code(&within(&dir, &["a/x", "--out-dir", "old", "--force"])), 0);
    assert_eq!(fs::read(dir.path().join("old/x")).unwrap(), b"{\"n\":1}\n");
}

/// As `-o` is: of two runs one is refused.
#[test]
fn two_runs_do_not_write_to_one_dead_letter() {
    let dir = tree(&[("in", b"a text line\n")]);
    let args = ["--dead-letter", "dead", "--text", "dead-letter"];
    let mut first = tamis(&args).current_dir(&dir).spawn().unwrap();
    while !dir.path().join("dead").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // It is locked at once, but not in the same moment.
    let refused = || {
        let output = within(&dir, &[&["in", "-o", "out", "--force"], &args[..]].concat());
        (code(&output), stderr(&output))
    };
    let (mut exit, mut said) = refused();
    for _ in 0..100 {
        if exit == 3 && said.contains("another run") {
            break;
        }
        (exit, said) = refused();
    }
    assert_eq!(exit, 3, "{said}");
    assert!(
        said.contains("--dead-letter dead: another run is writing to it: use a different"),
        "{said}"
    );
    drop(first.stdin.take());
    first.wait().unwrap();
    let output = within(&dir, &[&["in"], &args[..]].concat());
    assert!(!stderr(&output).contains("another run"), "{}", stderr(&output));
    // What has no place of its own is shared.
    let args = ["in", "--dead-letter", "/dev/null", "--text", "dead-letter"];
    let mut first = tamis(&args).current_dir(&dir).spawn().unwrap();
    assert!(!stderr(&within(&dir, &args)).contains("another run"));
    first.wait().unwrap();
}
