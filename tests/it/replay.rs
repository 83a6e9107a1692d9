//! Originals sealed into the dead letter, and their way back.

use std::{fs, path::Path};

use age::{secrecy::ExposeSecret as _, x25519::Identity};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tamis::seal::Identities;
use tempfile::TempDir;

use crate::cli::{adds_up, code, folder, run, stderr, summary, tamis};

/// An identity in the file `name`, and its public key.
pub(crate) fn key(dir: &Path, name: &str) -> String {
    let identity = Identity::generate();
    fs::write(dir.join(name), identity.to_string().expose_secret()).unwrap();
    identity.to_public().to_string()
}

fn in_folder(dir: &TempDir, args: &[&str]) -> std::process::Output {
    run(tamis(args).current_dir(dir).env_remove("TAMIS_CONFIG"), b"")
}

fn letters(dir: &TempDir, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(!text.contains("ada@"), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn opened(dir: &TempDir, letter: &Value) -> String {
    let sealed = STANDARD.decode(letter["sealed"].as_str().unwrap()).unwrap();
    let identities = Identities::read(&dir.path().join("key")).unwrap();
    String::from_utf8(identities.open(&sealed, 1 << 20).unwrap()).unwrap()
}

const LINES: &str = concat!(
    "{\"broken\":\"ada@example.com\"\n",
    "{\"n\":1}\n",
    "{\"user\":\"ada@example.com\", \"n\":1.10}\n",
    "{\"a\":\"\u{c3}\"}\n",
);

/// A folder with an identity, and the dead letter of lines that lack a field, or are broken.
fn sealed() -> TempDir {
    let dir = folder(&[]);
    fs::write(dir.path().join("app.log"), LINES).unwrap();
    let key = key(dir.path(), "key");
    let args = ["--require", "kind", "--dead-letter", "dead", "--dead-letter-encrypt-to", &key];
    let output = in_folder(&dir, &[&args[..], &["app.log", "-o", "none"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    fs::remove_file(dir.path().join("none")).unwrap();
    dir
}

#[test]
fn a_letter_holds_the_line_as_it_came_for_who_has_the_identity() {
    let dir = sealed();
    let letters = letters(&dir, "dead");
    let originals: Vec<_> = letters.iter().map(|letter| opened(&dir, letter)).collect();
    assert_eq!(originals, LINES.lines().collect::<Vec<_>>());
    assert_eq!(letters[2]["event"]["user"], "[REDACTED:email]");
    assert!(letters.iter().all(|letter| letter.get("attempts").is_none()));
}

#[test]
fn what_was_refused_goes_through_the_sieve_as_it_came() {
    let dir = sealed();
    let before = fs::read(dir.path().join("dead")).unwrap();
    let replay = ["replay", "--dead-letter", "dead", "--identity", "key", "-o", "again"];
    let output = in_folder(&dir, &[&replay[..], &["--remaining", "left"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let account = summary(&output);
    adds_up(&account);
    assert_eq!(
        (&account["read"], &account["clean"], &account["redacted"]),
        (&4.into(), &2.into(), &1.into())
    );
    let again = fs::read_to_string(dir.path().join("again")).unwrap();
    let wanted = "{\"n\":1}\n{\"user\":\"[REDACTED:email]\", \"n\":1.10}\n{\"a\":\"\u{c3}\"}\n";
    assert_eq!(again, wanted);
    assert_eq!(fs::read(dir.path().join("dead")).unwrap(), before);
    // What is broken stays so, and says where it stood at first.
    let left = letters(&dir, "left");
    assert_eq!((left.len(), &left[0]["attempts"]), (1, &1.into()));
    assert_eq!((&left[0]["input"], &left[0]["line"]), (&"app.log".into(), &1.into()));
    assert!(left[0].get("sealed").is_none(), "nobody asked for that");
}

#[test]
fn a_letter_is_tried_so_often_and_then_stays() {
    let dir = sealed();
    let mut from = "dead".to_owned();
    let public = fs::read_to_string(dir.path().join("key")).unwrap();
    let public: Identity = public.parse().unwrap();
    let public = public.to_public().to_string();
    for attempt in 1..=4 {
        let to = format!("left{attempt}");
        let replay = ["replay", "--dead-letter", &from, "--identity", "key", "--require", "kind"];
        let rest = ["--remaining", &to, "--dead-letter-encrypt-to", &public, "--attempts", "3"];
        let output = in_folder(&dir, &[&replay[..], &rest].concat());
        let left = letters(&dir, &to);
        assert_eq!(left.len(), 4);
        let tried: Vec<_> =
            left.iter().map(|letter| letter["attempts"].as_u64().unwrap()).collect();
        assert_eq!(tried, [attempt.min(3); 4]);
        let lines: Vec<_> = left.iter().map(|letter| letter["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
        let said = stderr(&output);
        assert_eq!(
            said.contains("4 not replayed: 4 at the limit of --attempts"),
            attempt == 4,
            "{said}"
        );
        from = to;
    }
    assert_eq!(
        fs::read(dir.path().join("left3")).unwrap(),
        fs::read(dir.path().join("left4")).unwrap()
    );
}

#[test]
fn without_the_identity_whole_events_go_and_the_rest_stays_as_it_is() {
    let dir = sealed();
    key(dir.path(), "other");
    for (identity, fix) in [
        (&["--identity", "other"][..], "--identity is not the key that they are encrypted to"),
        (&[], "they are encrypted: give the key with --identity"),
    ] {
        fs::write(dir.path().join("left"), "{}\n").unwrap();
        let replay = ["replay", "--dead-letter", "dead", "--remaining", "left", "-o", "more"];
        let output = in_folder(&dir, &[&replay[..], identity].concat());
        let said = stderr(&output);
        let wanted = "4 dead letters cannot be decrypted (dead:1, dead:2, dead:3, dead:4): ";
        assert!(said.contains(&format!("{wanted}{fix}")), "{said}");
        assert_eq!(code(&output), 2, "{said}");
        assert_eq!(fs::read(dir.path().join("left")).unwrap(), b"{}\n");
        assert!(!dir.path().join("more").exists());
    }
    // Where others are replayed, those are named, and stay; and the run is not complete.
    let whole = fs::read_to_string(dir.path().join("dead")).unwrap();
    let more = "{\"reason\":\"rule\",\"input\":\"x\",\"line\":1,\"offset\":0,\"length\":7,\"event\":{\"n\":1}}\n";
    fs::write(dir.path().join("mixed"), format!("{more}{whole}")).unwrap();
    for quiet in [false, true] {
        let _ = fs::remove_file(dir.path().join("left"));
        let replay = ["replay", "--dead-letter", "mixed", "--identity", "other"];
        let mut args = [&replay[..], &["--remaining", "left"]].concat();
        args.extend(quiet.then_some("--quiet"));
        let output = in_folder(&dir, &args);
        let said = stderr(&output);
        assert_eq!((code(&output), &output.stdout[..]), (3, &b"{\"n\":1}\n"[..]), "{said}");
        assert!(said.contains("4 dead letters cannot be decrypted (mixed:2, mixed:3"), "{said}");
        assert_eq!(fs::read_to_string(dir.path().join("left")).unwrap(), whole);
        if !quiet {
            assert_eq!(summary(&output)["exit_code"], 3);
        }
    }
    // Not sealed: two are whole events, redacted.
    let args = ["--require", "kind", "--dead-letter", "plain", "app.log", "-o", "no"];
    in_folder(&dir, &args);
    let output = in_folder(&dir, &["replay", "--dead-letter", "plain"]);
    let said = stderr(&output);
    assert!(
        said.contains("1 not replayed: 1 without a whole event; they stay where they are"),
        "{said}"
    );
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(out.lines().nth(1), Some("{\"user\":\"[REDACTED:email]\", \"n\":1.10}"));
    assert_eq!(summary(&output)["read"], 3);
}

#[test]
fn what_a_runtime_cut_is_sealed_and_replayed_whole() {
    let dir = folder(&[]);
    let pieces = concat!(
        "2026-01-01T00:00:00.000000000Z stdout P {\"user\":\"ada@exam\n",
        "2026-01-01T00:00:00.000000000Z stdout P ple.com\",\n",
        "2026-01-01T00:00:00.000000000Z stdout F \"n\":1}\n",
        "2026-01-01T00:00:00.000000000Z stdout F {\"n\":2\n",
    );
    fs::write(dir.path().join("app.log"), pieces).unwrap();
    let key = key(dir.path(), "key");
    let args = ["--require", "kind", "--dead-letter", "dead", "--dead-letter-encrypt-to", &key];
    in_folder(&dir, &[&args[..], &["app.log", "-o", "none"]].concat());
    let found = letters(&dir, "dead");
    assert_eq!(found.len(), 2);
    let lines: Vec<_> = pieces.lines().collect();
    assert_eq!(opened(&dir, &found[0]), lines[..3].join("\n"));
    assert_eq!(opened(&dir, &found[1]), lines[3]);
    let replay = ["replay", "--dead-letter", "dead", "--identity", "key", "--remaining", "left"];
    let output = in_folder(&dir, &replay);
    let out = String::from_utf8(output.stdout.clone()).unwrap();
    let whole = "2026-01-01T00:00:00.000000000Z stdout F {\"user\":\"[REDACTED:email]\",\"n\":1}\n";
    assert_eq!(out, whole, "{}", stderr(&output));
    // The line of the last one is its own, not one of the pieces before it.
    let left = letters(&dir, "left");
    assert_eq!((left.len(), &left[0]["line"]), (1, &4.into()));
}

#[test]
fn what_is_cut_at_the_limit_is_not_sealed() {
    let dir = folder(&[]);
    let long = format!("{{\"a\":\"{}\"}}\n{{\"b\n", "x".repeat(9000));
    fs::write(dir.path().join("app.log"), long).unwrap();
    let key = key(dir.path(), "key");
    let args =
        ["--max-event-bytes", "4096", "--dead-letter", "dead", "--dead-letter-encrypt-to", &key];
    in_folder(&dir, &[&args[..], &["app.log", "-o", "none"]].concat());
    let found = letters(&dir, "dead");
    assert_eq!((found[0].get("sealed"), &found[0]["reason"]), (None, &"oversize".into()));
    assert_eq!(opened(&dir, &found[1]), "{\"b");
}

#[test]
fn what_is_wrong_with_keys_and_files_is_said_before_anything_is_read() {
    let dir = sealed();
    fs::write(dir.path().join("bad"), "AGE-SECRET-KEY-1QQ\n").unwrap();
    for (args, wanted) in [
        (
            &["--dead-letter-encrypt-to", "age1x", "--dead-letter", "d", "app.log"][..],
            "--dead-letter-encrypt-to: not an age public key",
        ),
        (
            &["--dead-letter-encrypt-to", "age1x", "app.log"],
            "--dead-letter-encrypt-to needs --dead-letter FILE",
        ),
        (
            &["replay", "--identity", "key"],
            "replay reads dead letters: run `tamis replay --dead-letter FILE",
        ),
        (
            &["replay", "--dead-letter", "dead", "--identity", "bad"],
            "--identity bad: identity file contains non-identity data on line 1",
        ),
        (
            &["replay", "--dead-letter", "dead", "--identity", "no"],
            "--identity no: no such file or directory",
        ),
        (&["replay", "--dead-letter", "no"], "--dead-letter no: no such file"),
        (
            &["replay", "--dead-letter", "dead", "--remaining", "dead"],
            "is the input dead: choose another",
        ),
        (&["replay", "--dead-letter", "dead", "-r"], "replay has one output"),
    ] {
        let output = in_folder(&dir, args);
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{args:?} {said}");
        assert!(said.contains(wanted), "{args:?} {said}");
        assert!(!said.contains("1QQ"), "{said}");
    }
}
