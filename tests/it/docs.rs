//! The README and the pages behind it against the program: its commands run and print what it shows; its tables say what
//! the packs and the help say.

mod command_line;
mod readme;

use std::{collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt as _, path::Path};

use tamis::{
    cli::help,
    engine::detect::{
        Pack,
        pack::{Action, Detector, Fires},
    },
};
use tempfile::tempdir;

use crate::cli::tamis;
use readme::{Block, matches, runs};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Commands that a test cannot run, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("scripts/demo", "builds a release, and shows it to people"),
    ("scripts/test", "would run this test"),
    ("cargo install", "installs outside the test's folder"),
];

fn text() -> String {
    fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap()
}

#[test]
fn every_command_prints_what_the_readme_shows() {
    let not_run = commands("README.md");
    let listed: BTreeSet<_> = NOT_RUN.iter().map(|(start, _)| *start).collect();
    assert_eq!(not_run, listed, "an excuse that nothing needs");
}

#[test]
fn every_command_prints_what_the_page_on_files_shows() {
    assert!(commands("docs/files.md").is_empty());
}

#[test]
fn every_command_prints_what_the_page_on_the_configuration_shows() {
    assert!(commands("docs/configuration.md").is_empty());
}

#[test]
fn every_command_prints_what_the_page_on_the_command_line_shows() {
    assert!(commands("docs/cli.md").is_empty());
}

#[test]
fn every_command_prints_what_the_page_on_measures_shows() {
    assert!(commands("docs/metrics.md").is_empty());
}

#[test]
fn the_page_on_kafka_shows_configurations_that_hold() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/kafka.md")).unwrap();
    let dir = tempdir().unwrap();
    let (head, tail) = (
        "[kafka]\nbrokers = [\"k:9092\"]\n",
        "[source]\ntopics = [\"a\"]\ngroup = \"g\"\n[sink]\ntopic = \"b\"\n",
    );
    let blocks: Vec<_> = page.split("```toml\n").skip(1).collect();
    assert!(blocks.len() >= 3);
    for block in blocks {
        let block = block.split("```").next().unwrap();
        let mut text = match (block.contains("[kafka]"), block.contains("[source]")) {
            (true, _) => block.to_owned(),
            (false, true) => format!("version = 1\n{head}{block}"),
            (false, false) => format!("version = 1\n{block}{head}{tail}"),
        };
        for file in ["/etc/tamis/ca.pem", "/run/secrets/kafka", "/run/secrets/pseudonyms"] {
            let here = dir.path().join(file.rsplit('/').next().unwrap());
            fs::write(&here, "0123456789abcdef0123456789abcdef\n").unwrap();
            text = text.replace(file, here.to_str().unwrap());
        }
        fs::write(dir.path().join("tamis.toml"), &text).unwrap();
        let output = tamis(&["config", "check", "tamis.toml"])
            .env("POD_NAME", "tamis-0")
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Runs the commands of a page, in a folder of their own, and returns the excuses that it needed.
fn commands(page: &str) -> BTreeSet<&'static str> {
    let text = fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
    let dir = tempdir().unwrap();
    folder(dir.path());
    let mut not_run = BTreeSet::new();
    for block in Block::all(&text) {
        if let Some(file) = block.file {
            fs::write(dir.path().join(file), block.text).unwrap();
        }
        for shown in block.commands() {
            let excused = |(start, _): &&(&str, &str)| shown.command.starts_with(start);
            if let Some((start, _)) = NOT_RUN.iter().find(excused) {
                not_run.insert(*start);
                continue;
            }
            let printed = runs(&shown.command, dir.path());
            assert!(
                matches(&shown.output, &printed),
                "{page}:{}: $ {}\nprints:\n{printed}",
                shown.line,
                shown.command
            );
        }
    }
    not_run
}

/// What a reader has: the program and an application on the path, the examples.
fn folder(dir: &Path) {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir(dir.join("examples")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tamis"), bin.join("tamis")).unwrap();
    for example in fs::read_dir(Path::new(ROOT).join("examples")).unwrap() {
        let example = example.unwrap();
        fs::copy(example.path(), dir.join("examples").join(example.file_name())).unwrap();
    }
    fs::write(bin.join("my-app"), "#!/bin/sh\ncat examples/mixed.log\n").unwrap();
    fs::set_permissions(bin.join("my-app"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_table_of_detectors_is_that_of_the_packs() {
    let text = text();
    let head = "| id | finds | checks beside its pattern |\n| --- | --- | --- |\n";
    let (before, rest) = text.split_once(head).expect("the table's head");
    let (shown, after) = rest.split_at(rest.find("\n\n").unwrap() + 1);
    let wanted: String = detectors().iter().map(row).collect();
    if env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}{head}{wanted}{}", after.trim_start_matches("|\n"));
        fs::write(Path::new(ROOT).join("README.md"), text).unwrap();
    } else {
        let fix = "`UPDATE_DOCS=1 cargo test --test it docs` writes it";
        assert!(shown == wanted, "the table of detectors is out of date: {fix}");
    }
}

fn detectors() -> Vec<Detector> {
    let pack = |name: &str| {
        let text = fs::read_to_string(Path::new(ROOT).join("patterns").join(name)).unwrap();
        Pack::parse(name, &text).unwrap().detectors
    };
    [pack("core.toml"), pack("secrets.toml")].concat()
}

fn row(d: &Detector) -> String {
    format!("| `{}` | {} | {} |\n", d.id, d.description, checks(d).join("; "))
}

/// What decides beside the pattern, for people.
fn checks(d: &Detector) -> Vec<String> {
    let mut checks: Vec<String> = d.validator.iter().map(|v| validator(v)).collect();
    let mut say = |yes: bool, what: &str| checks.extend(yes.then(|| what.to_owned()));
    say(!d.fields.is_empty(), "the last words of the key");
    say(d.assigns.is_some(), "the same names as fields");
    say(d.strings == Fires::Context, "only beside a key or word for it");
    say(d.numbers == Fires::Context, "bare numbers under a key for it");
    let vetoes: Vec<_> = d.veto.keys.iter().take(3).map(|key| format!("`{key}`")).collect();
    say(!vetoes.is_empty(), &format!("not under keys like {}", vetoes.join(", ")));
    say(!d.allow.is_empty(), "no masks and templates");
    say(d.action == Action::Truncate, "truncated by default");
    if checks.is_empty() && !d.literals.is_empty() {
        let more = if d.literals.len() > 4 { ", …" } else { "" };
        let few: Vec<_> =
            d.literals.iter().take(4).map(|l| format!("`{}`", l.trim_end())).collect();
        checks.push(format!("begins with {}{more}", few.join(", ")));
    }
    checks
}

fn validator(name: &str) -> String {
    match name {
        "email_address" => "a real top-level domain; no file, package or service name".into(),
        "phone_number" => "country code and length; no counter or version".into(),
        "payment_card" => "issuer prefix and length, Luhn".into(),
        "iban" => "country and length, mod 97".into(),
        "us_ssn" => "areas, groups and serials that are issued".into(),
        "ipv4_global" | "ipv6_global" => "globally reachable; no version".into(),
        "flag_value" => "looks like a value, not like a word".into(),
        "http_credentials" => "looks like credentials, not like a word".into(),
        other => format!("validator `{other}`"),
    }
}

#[test]
fn links_lead_to_files() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "docs/cli.md",
        "docs/configuration.md",
        "docs/delivery.md",
        "docs/files.md",
        "docs/kafka.md",
        "docs/metrics.md",
    ] {
        let page = Path::new(ROOT).join(name);
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            let is_file = !path.is_empty() && !link.contains("://");
            assert!(!is_file || page.with_file_name(path).exists(), "{name}: {link}");
        }
    }
}

#[test]
fn the_help_names_the_exit_codes() {
    let help = tamis(&["--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains(help::LONG.lines().last().unwrap()));
}
