//! Compressed inputs: told by their bytes, decoded as they come, refused with their name.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    cli::{adds_up, code, run, sieve, stderr, summary, tamis},
    files::{tree, within},
};

/// What the formats' own tools make, and their names in messages.
pub(crate) const TOOLS: &[(&str, &[&str])] = &[
    ("gzip", &["gzip", "-c"]),
    ("zstd", &["zstd", "-c", "-q"]),
    ("lz4", &["lz4", "-c", "-q", "-B5"]),
    ("xz", &["xz", "-c"]),
    ("bzip2", &["bzip2", "-c"]),
];

/// `bytes` through a command. A machine that lacks it has nothing to test with: `None`.
pub(crate) fn through(command: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut command_line = Command::new(command[0]);
    command_line.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command_line.spawn().ok()?;
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let feeder = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    Some(output.stdout)
}

pub(crate) fn packed(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    TOOLS.iter().filter_map(|(name, tool)| Some((*name, through(tool, text)?))).collect()
}

/// Text that no format makes much smaller, so that the data has many blocks.
fn events(n: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut line = |i| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let pad: String =
            (0..12).map(|n| char::from(b'a' + (state >> (5 * n)) as u8 % 26)).collect();
        format!("{{\"n\":{i},\"pad\":\"{pad}\"}}\n").into_bytes()
    };
    (0..n).flat_map(&mut line).collect()
}

#[test]
fn every_format_is_told_by_its_bytes_in_files_and_on_standard_input() {
    let text = events(50_000);
    for (name, data) in packed(&text) {
        let dir = tree(&[("plain.log", &data)]);
        let output = within(&dir, &["plain.log"]);
        assert!(output.stdout == text, "{name}: {}", stderr(&output));
        assert_eq!(code(&output), 0);
        assert_eq!(summary(&output)["bytes_in"], text.len(), "{name}");
        assert!(sieve(&["--threads", "1"], &data).stdout == text, "{name} on standard input");
    }
    let dir = tree(&[("text.gz", b"{\"n\":1}\n")]);
    assert_eq!(within(&dir, &["text.gz"]).stdout, b"{\"n\":1}\n", "a name says nothing");
}

#[test]
fn members_frames_and_padding_follow_one_another() {
    for ((name, first), (_, second)) in packed(b"{\"n\":1}\n").iter().zip(packed(b"{\"n\":2}\n")) {
        let both = [&first[..], &second, first].concat();
        let wanted = b"{\"n\":1}\n{\"n\":2}\n{\"n\":1}\n";
        assert_eq!(sieve(&[], &both).stdout, wanted, "{name}");
        if ["gzip", "xz", "bzip2"].contains(name) {
            let padded = [&both[..], &[0; 512]].concat();
            let output = sieve(&[], &padded);
            assert_eq!((code(&output), output.stdout.as_slice()), (0, &wanted[..]), "{name}");
        }
        if ["zstd", "lz4"].contains(name) {
            let skip = b"\x53\x2a\x4d\x18\x03\0\0\0abc";
            let skipping = [&skip[..], first, &skip[..], &second].concat();
            let output = sieve(&[], &skipping);
            assert_eq!(output.stdout, b"{\"n\":1}\n{\"n\":2}\n", "{name}: {}", stderr(&output));
        }
    }
    for (name, nothing) in packed(b"") {
        let output = sieve(&[], &nothing);
        assert_eq!((code(&output), output.stdout.len()), (0, 0), "{name}: {}", stderr(&output));
    }
}

#[test]
fn what_ends_early_or_is_damaged_is_named_and_what_was_decoded_is_delivered() {
    let text = events(200_000);
    for (name, data) in packed(&text) {
        let mut damaged = data.clone();
        let middle = damaged.len() * 3 / 4;
        damaged[middle..middle + 64].fill(0x55);
        let cases: [(&str, &[u8]); 3] = [
            ("ends early", &data[..data.len() / 2]),
            ("is corrupt", &damaged),
            ("is corrupt", &[&data[..], b"{\"something\":\"else\"}\n"].concat()),
        ];
        for (n, (wanted, bytes)) in cases.into_iter().enumerate() {
            let dir = tree(&[("cut", bytes), ("sound", b"{\"sound\":1}\n")]);
            let output = within(&dir, &["cut", "sound"]);
            assert_eq!(code(&output), 3, "{name} {n}");
            let said = stderr(&output);
            let wanted = format!("tamis: cut: the {name} data {wanted}, after ");
            let tail = said.lines().find_map(|line| line.strip_prefix(&wanted));
            let tail = tail.unwrap_or_else(|| panic!("{name} {n}: {said}"));
            let count: usize = tail.strip_suffix(" bytes of text").unwrap().parse().unwrap();
            assert!(count > 0 && (n == 1 || count <= text.len()), "{name} {n}: {count}");
            // Where the damage is told late, by a checksum, the lines behind it are what they are.
            let sure = if n == 1 { 1000 } else { count - 50 };
            assert!(text.starts_with(&output.stdout[..sure]), "{name} {n}");
            assert!(output.stdout.ends_with(b"{\"sound\":1}\n"), "the rest is done");
            let summary = summary(&output);
            assert_eq!(summary["failed_inputs"], 1);
            adds_up(&summary);
        }
    }
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    let text = events(1000);
    let zstd = ["zstd", "-c", "-q", "--long=28", "--no-check"];
    let Some(data) = through(&zstd, &text.repeat(8000)) else { return };
    let output = sieve(&[], &data);
    let said = stderr(&output);
    assert_eq!(code(&output), 3, "{said}");
    assert!(
        said.contains("tamis: stdin: the zstd data needs too large a window, more than 128 MiB")
    );

    // Within less memory the limit is lower, and still the usual data fits.
    let least = |args: &[&str]| -> u64 {
        let said = stderr(&sieve(args, b""));
        let at = said.split("at least ").nth(1).unwrap();
        at.split("MiB").next().unwrap().parse().unwrap()
    };
    let least = least(&["--threads", "1", "--memory", "1MiB"]).to_string() + "MiB";
    let args = ["--threads", "1", "--memory", &least];
    for (name, data) in packed(&text) {
        let output = sieve(&args, &data);
        assert!(output.stdout == text, "{name}: {}", stderr(&output));
    }
    let nine = through(&["xz", "-9", "-c"], &text).unwrap();
    assert!(sieve(&[], &nine).stdout == text, "the largest of xz's presets");
    let said = stderr(&sieve(&args, &nine));
    assert!(said.contains("the xz data needs too large a window, more than 8 MiB"), "{said}");
}

/// The first line comes out while the pipe stays open, and how long that took.
fn first_line(pieces: &[&[u8]]) -> (String, Duration) {
    let mut child = tamis(&[]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for piece in pieces {
        sleep(Duration::from_millis(20));
        stdin.write_all(piece).unwrap();
    }
    let (written, mut line) = (Instant::now(), String::new());
    stdout.read_line(&mut line).unwrap();
    let took = written.elapsed();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    (line, took)
}

#[test]
fn a_pipe_that_dribbles_is_told_and_its_lines_leave() {
    let plain: &[&[&[u8]]] = &[
        &[b"{\"n\":1}\n"],
        &[b"{", b"\"n\":1}\n"],
        &[b"B", b"Z", b"h", b"9", b"1", b" is text\n"],
        &[b"B\n"],
    ];
    for pieces in plain {
        let whole = pieces.concat();
        let (line, took) = first_line(pieces);
        let text = String::from_utf8(whole).unwrap();
        assert!(line.contains(text.trim().trim_matches(['{', '}'])), "{line}");
        // The promise is 10 ms; a shared machine may take its time.
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
    for (name, data) in packed(b"{\"n\":1}\n") {
        let pieces: Vec<&[u8]> = data.chunks(1).collect();
        let (line, took) = first_line(&pieces);
        assert_eq!(line, "{\"n\":1}\n", "{name}");
        assert!(took < Duration::from_millis(500), "{name}: {took:?}");
    }
}

#[test]
fn what_waits_for_its_magic_is_not_lost() {
    assert_eq!(sieve(&[], b"BZh9").stdout, b"{\"message\":\"BZh9\"}\n");
    let mut child = tamis(&["--drain-timeout", "600"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"BZ").unwrap();
    sleep(Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&child);
    for _ in 0..2 {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.stdout, b"{\"message\":\"BZ\"}\n");
}

#[test]
fn a_bomb_does_not_raise_the_memory() {
    // 64 MiB of one line, from some kilobytes; and of short ones.
    for text in [vec![b'x'; 64 << 20], b"{}\n".repeat(20 << 20)] {
        let Some(bomb) = through(&["gzip", "-9", "-c"], &text) else { return };
        let dir = tree(&[("bomb", &bomb)]);
        let script = "ulimit -v 400000; exec \"$0\" --threads 1 bomb -o /dev/null --quiet";
        let mut limited = Command::new("bash");
        limited.args(["-c", script, env!("CARGO_BIN_EXE_tamis")]).current_dir(&dir);
        limited.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = run(&mut limited, b"");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(stderr(&output), "");
    }
}
