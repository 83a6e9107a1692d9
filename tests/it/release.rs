//! The script that builds the packages of a release, as far as no build is needed: its targets are those of the page and
//! of the workflow.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The targets that the script builds without arguments.
fn targets() -> BTreeSet<String> {
    let script = file("scripts/release");
    let (_, rest) = script.split_once("\nall=(").unwrap();
    rest.split_once(')').unwrap().0.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_page_on_packages_lists_what_the_script_builds() {
    let page = file("docs/packages.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: BTreeSet<_> = rows.clone().map(|(target, _)| target.to_owned()).collect();
    assert_eq!(listed, targets());
    for (target, row) in rows {
        assert_eq!(row.contains("`.deb`"), target.ends_with("-gnu"), "{target}");
    }
    let script = file("scripts/release");
    let oldest = script.split_once("\noldest_glibc=").unwrap().1.lines().next().unwrap();
    assert!(page.contains(&format!("glibc {oldest} or newer")));
    let version = env!("CARGO_PKG_VERSION");
    assert!(page.contains(&format!("tamis_{version}_amd64.deb")));
    assert!(page.contains(&format!("tamis-{version}-x86_64-unknown-linux-musl.tar.gz")));
}

#[test]
fn the_script_refuses_a_target_that_it_does_not_build() {
    let output = Command::new(Path::new(ROOT).join("scripts/release"))
        .arg("riscv64gc-unknown-linux-gnu")
        .env("SOURCE_DATE_EPOCH", "0")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no such target: riscv64gc-unknown-linux-gnu"), "{said}");
    assert!(targets().iter().all(|target| said.contains(target)), "{said}");
}

#[test]
fn the_workflow_publishes_what_the_script_builds() {
    let workflow = file(".github/workflows/release.yml");
    assert!(workflow.contains("- run: scripts/release\n"), "without arguments: every target");
}
