//! The grammar of RFC 8259, case by case: our own in `tests/data/json_cases.txt`, and the public
//! JSONTestSuite's where `JSON_TEST_SUITE` names its folder.

use std::{env, fs, path::Path, sync::Arc};

use tamis::engine::{Chunk, Engine, Output, Plan, Reason};

use crate::shipped::{adds_up, default_plan, process, refusal};

const CASES: &str = include_str!("../data/json_cases.txt");

struct Case {
    name: &'static str,
    /// The reason that refuses it; `None`: forwarded.
    refused: Option<&'static str>,
    line: Vec<u8>,
}

/// The cases of the data file, whose head tells its format.
fn cases() -> Vec<Case> {
    let rows = CASES.lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
    rows.map(|row| {
        let [name, outcome, text] = row.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}")
        };
        let refused = (outcome != "forwarded").then_some(outcome);
        assert!(refused.is_none_or(|word| Reason::ALL.iter().any(|r| r.word() == word)), "{row}");
        match &name[..2] {
            "y_" => assert_eq!(refused, None, "{row}"),
            "n_" => assert!(refused.is_some(), "{row}"),
            kind => assert_eq!(kind, "i_", "{row}"),
        }
        Case { name, refused, line: event(&bytes(text)) }
    })
    .collect()
}

/// `<ff>` is a byte, `<text*7>` a repetition, everything else itself.
fn bytes(mut text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some((plain, rest)) = text.split_once('<') {
        let (inner, behind) = rest.split_once('>').unwrap_or_else(|| panic!("no `>`: {text}"));
        out.extend_from_slice(plain.as_bytes());
        match inner.rsplit_once('*') {
            Some((unit, n)) => out.extend(unit.repeat(n.parse().unwrap()).into_bytes()),
            None => out.push(u8::from_str_radix(inner, 16).unwrap()),
        }
        text = behind;
    }
    out.extend_from_slice(text.as_bytes());
    out
}

/// What begins with `{` is a line of its own; anything else the value of one.
fn event(text: &[u8]) -> Vec<u8> {
    if text.trim_ascii_start().starts_with(b"{") {
        text.to_vec()
    } else {
        [b"{\"v\":", text, b"}"].concat()
    }
}

fn show(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned()
}

fn with_end(line: &[u8]) -> Vec<u8> {
    [line, b"\n"].concat()
}

#[test]
fn every_case_alone() {
    let cases = cases();
    for case in &cases {
        let out = process(&default_plan(), &case.line);
        let (name, line) = (case.name, show(&case.line));
        assert_eq!(refusal(&out).map(Reason::word), case.refused, "{name}: {line}");
        let wanted = if case.refused.is_none() { with_end(&case.line) } else { Vec::new() };
        assert!(out.clean == wanted, "{name}: {line} came out as {}", show(&out.clean));
    }
    let kind = |kind| cases.iter().filter(|case| case.name.starts_with(kind)).count();
    assert!(cases.len() >= 150, "{}", cases.len());
    assert!(kind("y_") >= 50 && kind("n_") >= 80 && kind("i_") >= 10);
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "a name stands twice");
}

#[test]
fn no_case_spoils_its_neighbours() {
    let cases = cases();
    let lines: Vec<Vec<u8>> = cases.iter().map(|case| with_end(&case.line)).collect();
    let all = lines.concat();
    let out = process(&default_plan(), &all);
    adds_up(&all, &out);
    let wanted: Vec<u8> = cases
        .iter()
        .filter(|case| case.refused.is_none())
        .flat_map(|case| with_end(&case.line))
        .collect();
    assert!(out.clean == wanted);
    let words = out.rejects.iter().map(|reject| reject.reason.word());
    for (word, case) in words.zip(cases.iter().filter(|case| case.refused.is_some())) {
        assert_eq!(Some(word), case.refused, "{}", case.name);
    }
    for case in &cases {
        let sound = b"{\"before\":\"\\\\\"}\n";
        let out = process(&default_plan(), &[sound, &with_end(&case.line)[..], sound].concat());
        assert_eq!(out.tally.clean, 2 + u64::from(case.refused.is_none()), "{}", case.name);
    }
}

#[test]
fn the_grammar_is_the_same_everywhere_in_an_event() {
    for case in cases() {
        // What stands around an event, a byte order mark, and depth depend on the place.
        if ["_structure_", "_bom_", "_depth_"].iter().any(|kind| case.name.contains(kind)) {
            continue;
        }
        let inside = [b"{\"a\":[", case.line.trim_ascii(), b",{\"z\":[]}]}"].concat();
        let out = process(&default_plan(), &inside);
        let refused = refusal(&out).is_some();
        assert_eq!(refused, case.refused.is_some(), "{}: {}", case.name, show(&inside));
    }
}

struct Suite {
    plan: Arc<Plan>,
    failed: Vec<String>,
    counts: [u32; 3],
}

impl Suite {
    fn judge(&self, input: &[u8]) -> Output {
        let mut out = Output::default();
        Engine::new(self.plan.clone()).process(&Chunk::from_bytes(input), &mut out);
        adds_up(input, &out);
        out
    }

    fn accepted(&mut self, name: &str, line: &[u8]) {
        let out = self.judge(line);
        if out.clean != with_end(line) {
            self.failed.push(format!("{name} was refused or changed: {:?}", out.rejects));
        }
    }

    fn refused(&mut self, name: &str, line: &[u8]) {
        let out = self.judge(line);
        if out.rejects.first().map(|reject| reject.line) != Some(0) {
            self.failed.push(format!("{name} was forwarded: {}", show(&out.clean)));
        }
    }

    fn case(&mut self, name: &str, text: &[u8]) {
        // The last line end is no part of the document; others are white space, or a case.
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let flat: Vec<u8> = text.iter().map(|&b| if b == b'\n' { b' ' } else { b }).collect();
        match &name[..2] {
            "y_" => {
                self.counts[0] += 1;
                self.accepted(name, &event(&flat));
            }
            "n_" => {
                self.counts[1] += 1;
                self.refused(name, &event(text));
                // In a string a raw line end is what makes the document wrong.
                if name != "n_string_unescaped_newline.json" {
                    self.refused(name, &event(&flat));
                }
            }
            _ => {
                self.counts[2] += 1;
                // UTF-16 is told by the whole input; a byte order mark is the reader's to skip.
                let utf16 = text.contains(&0) || text.starts_with(b"\xff\xfe");
                let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
                let out = self.judge(&if utf16 { text.to_vec() } else { event(text) });
                let words: Vec<_> = out.rejects.iter().map(|r| r.reason.word()).collect();
                let outcome = if words.is_empty() { "forwarded".into() } else { words.join(", ") };
                println!("{name}: {outcome}");
            }
        }
    }
}

#[test]
#[ignore = "needs the public suite: JSON_TEST_SUITE=<its test_parsing folder>"]
fn the_public_suite() {
    let folder = env::var_os("JSON_TEST_SUITE").expect("JSON_TEST_SUITE names the folder");
    let mut files: Vec<_> =
        fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut suite = Suite { plan: default_plan(), failed: Vec::new(), counts: [0; 3] };
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy();
        if ["y_", "n_", "i_"].iter().any(|kind| name.starts_with(kind)) {
            suite.case(&name, &fs::read(&file).unwrap());
        }
    }
    println!("y_, n_, i_: {:?}", suite.counts);
    assert!(suite.counts.iter().all(|&n| n > 10), "{folder:?} holds the suite's files");
    assert!(suite.failed.is_empty(), "{}", suite.failed.join("\n"));
}
