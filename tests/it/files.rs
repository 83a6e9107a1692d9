//! Which files are read, and which are written: the real program on real files.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::Path,
    process::Output,
};

use tempfile::{TempDir, tempdir};

use crate::cli::{code, run, stderr, summary, tamis};

/// A folder with these files; folders are made.
pub(crate) fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

pub(crate) fn within(dir: &TempDir, args: &[&str]) -> Output {
    run(tamis(args).current_dir(dir), b"")
}

/// Files and folders below `dir`, sorted; folders end in `/`.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(dir).min_depth(1).sort_by_file_name();
    let name = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(dir).unwrap().to_str().unwrap();
        format!("{path}{}", if entry.file_type().is_dir() { "/" } else { "" })
    };
    entries.into_iter().map(|entry| name(entry.unwrap())).collect()
}

fn logs() -> TempDir {
    let dir = tree(&[
        ("logs/b.ndjson", b"{\"n\":2}\n"),
        ("logs/a.ndjson", b"{\"n\":1}\n"),
        ("logs/c.log", b"{\"n\":3}\n"),
        ("logs/.hidden", b"{\"hidden\":1}\n"),
        ("logs/.git/x", b"{\"hidden\":2}\n"),
        ("logs/sub/d.ndjson", b"{\"n\":4}\n"),
    ]);
    symlink("../logs/a.ndjson", dir.path().join("logs/link")).unwrap();
    symlink("..", dir.path().join("logs/sub/up")).unwrap();
    dir
}

#[test]
fn a_directory_is_read_with_r_and_refused_with_the_mend_without() {
    let dir = logs();
    let output = within(&dir, &["-r", "logs"]);
    assert_eq!(output.stdout, b"{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n");
    assert_eq!(code(&output), 0);

    let output = within(&dir, &["logs", "logs/c.log"]);
    assert_eq!((code(&output), output.stdout.as_slice()), (3, &b"{\"n\":3}\n"[..]));
    assert!(
        stderr(&output).contains("tamis: logs: it is a directory: use -r"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_glob_means_what_matches_in_order_and_a_file_of_that_name_wins() {
    let dir = logs();
    for (glob, wanted) in [
        ("logs/*.ndjson", "{\"n\":1}\n{\"n\":2}\n"),
        ("*/c.*", "{\"n\":3}\n"),
        ("logs/**/*.ndjson", "{\"n\":1}\n{\"n\":2}\n{\"n\":4}\n"),
        ("logs/.h*", "{\"hidden\":1}\n"),
        ("logs/{c,a}.*", "{\"n\":1}\n{\"n\":3}\n"),
    ] {
        let output = within(&dir, &[glob]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{glob}");
        assert_eq!(code(&output), 0, "{glob}");
    }
    fs::write(dir.path().join("logs/*.ndjson"), "{\"star\":1}\n").unwrap();
    assert_eq!(within(&dir, &["logs/*.ndjson"]).stdout, b"{\"star\":1}\n");
}

#[test]
fn a_glob_without_a_match_is_an_error_and_the_rest_is_done() {
    let dir = logs();
    for (glob, wanted) in [
        ("logs/*.gz", "tamis: logs/*.gz: no file matches"),
        ("gone/*", "tamis: gone/*: no file matches"),
        ("logs/[a", "tamis: logs/[a: no such file, and not a valid glob: unclosed character class"),
    ] {
        let output = within(&dir, &[glob, "logs/c.log"]);
        assert_eq!((code(&output), output.stdout.as_slice()), (3, &b"{\"n\":3}\n"[..]));
        assert!(stderr(&output).contains(wanted), "{glob}: {}", stderr(&output));
        assert_eq!(summary(&output)["failed_inputs"], 1);
    }
}

#[test]
fn a_file_met_twice_is_read_once() {
    let dir = logs();
    let args = ["logs/c.log", "./logs/c.log", "logs/*.log", "-r", "logs", "logs/link"];
    let output = within(&dir, &args);
    assert_eq!(output.stdout, b"{\"n\":3}\n{\"n\":1}\n{\"n\":2}\n{\"n\":4}\n");
}

#[test]
fn a_name_need_not_be_utf_8() {
    let dir = logs();
    let name = OsStr::from_bytes(b"logs/z\xff.log");
    fs::write(dir.path().join(name), "{\"n\":9}\n{bad\n").unwrap();
    let output = run(tamis(&[]).arg(name).current_dir(&dir), b"");
    assert_eq!((code(&output), output.stdout.as_slice()), (0, &b"{\"n\":9}\n"[..]));
    assert!(stderr(&output).contains("logs/z\u{fffd}.log:2"), "{}", stderr(&output));
    for args in [&["-r", "logs"][..], &["logs/z*"]] {
        assert!(within(&dir, args).stdout.ends_with(b"{\"n\":9}\n"), "{args:?}");
    }
}

#[test]
fn an_output_is_no_input_that_a_glob_or_a_directory_finds_or_would_find() {
    let dir = logs();
    symlink("logs", dir.path().join("alias")).unwrap();
    for (args, wanted) in [
        (&["-r", "logs", "-o", "logs/a.ndjson"][..], "-o is the input logs/a.ndjson"),
        (&["logs/*", "--dead-letter", "logs/b.ndjson"], "--dead-letter is the input"),
        (&["logs/*", "--stats", "alias/c.log"], "--stats is the input"),
        (&["-r", "logs", "-o", "logs/new"], "-o logs/new would be an input (logs)"),
        (&["-r", "logs", "-o", "alias/sub/new"], "would be an input (logs)"),
        (&["-r", ".", "--stats", "new"], "would be an input (.)"),
        (&["logs/*.ndjson", "-o", "logs/new.ndjson"], "would be an input (logs/*.ndjson)"),
        (&["**/*.ndjson", "-o", "alias/new.ndjson"], "would be an input (**/*.ndjson)"),
    ] {
        let before = listing(dir.path());
        let output = within(&dir, args);
        assert_eq!((code(&output), output.stdout.len()), (2, 0), "{args:?}");
        assert!(stderr(&output).contains(wanted), "{args:?}: {}", stderr(&output));
        assert_eq!(listing(dir.path()), before);
    }
    for args in [
        &["-r", "logs", "-o", "new"][..],
        &["-r", "logs", "-o", "logs/.new"],
        &["logs/*.ndjson", "-o", "logs/new.json"],
    ] {
        let output = within(&dir, args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    }
}
