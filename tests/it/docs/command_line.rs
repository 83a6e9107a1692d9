//! The page on the command line, and the README's options, against the program's own help.

use std::{collections::BTreeSet, env, fs, path::Path};

use clap::{Arg, Command, CommandFactory as _};
use tamis::{
    cli::{Cli, help},
    config::KEYS,
};

use super::ROOT;

const PAGE: &str = "docs/cli.md";

fn read(page: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(page)).unwrap()
}

/// The options of the main job.
fn options(command: &Command) -> Vec<&Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some_and(|long| long != "help"))
        .collect()
}

#[test]
fn the_page_is_that_of_the_help() {
    let text = read(PAGE);
    let wanted = up_to_date(&text);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(Path::new(ROOT).join(PAGE), wanted).unwrap();
    } else {
        assert!(text == wanted, "{PAGE} is out of date: `UPDATE_DOCS=1 cargo test --test it docs`");
    }
}

/// The page with its tables as the program has them. Which option stands in which table, and where,
/// is the page's to say.
fn up_to_date(text: &str) -> String {
    let mut command = Cli::command();
    command.build();
    let mut missing: BTreeSet<_> = options(&command).iter().filter_map(|o| o.get_long()).collect();
    let mut lines = text.lines().peekable();
    let mut page = String::new();
    let mut add = |line: &str| page.extend([line, "\n"]);
    while let Some(line) = lines.next() {
        add(line);
        if !["| option | | default |", "| command | |"].contains(&line) {
            continue;
        }
        add(lines.next().unwrap());
        let mut rows = Vec::new();
        while let Some(row) = lines.next_if(|row| row.starts_with('|')) {
            rows.push(row);
        }
        if line == "| command | |" {
            command_rows(&command).iter().for_each(|row| add(row));
            continue;
        }
        for row in rows {
            let name = row.split_once("--").unwrap().1.split([' ', '`']).next().unwrap();
            let option = options(&command).into_iter().find(|o| o.get_long() == Some(name));
            add(&option_row(option.unwrap_or_else(|| panic!("there is no --{name}"))));
            assert!(missing.remove(name), "--{name} stands twice");
        }
    }
    assert!(missing.is_empty(), "a row `| `--NAME` |` is wanted in one of the tables: {missing:?}");
    page
}

fn command_rows(command: &Command) -> Vec<String> {
    let leaves = command.get_subcommands().flat_map(|c| match c.has_subcommands() {
        true => c.get_subcommands().collect(),
        false => vec![c],
    });
    let leaves = leaves.filter(|c| c.get_name() != "help");
    leaves
        .map(|c| {
            let usage = c.clone().render_usage().to_string();
            let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim);
            let usage = usage.collect::<Vec<_>>().join("`, or `").replace('|', "\\|");
            format!("| `{usage}` | {} |", c.get_about().unwrap())
        })
        .collect()
}

fn option_row(option: &Arg) -> String {
    let short = option.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let takes = option.get_action().takes_values();
    let value = option.get_value_names().filter(|_| takes).map(|names| format!(" {}", names[0]));
    let name = format!("{short}`--{}{}`", option.get_long().unwrap(), value.unwrap_or_default());
    let help = option.get_help().unwrap().to_string();
    let more = option.get_long_help().map(ToString::to_string).unwrap_or_default();
    let (what, default) = match help.split_once(" [default: ") {
        Some((what, default)) => (what.to_owned(), default.trim_end_matches(']').to_owned()),
        // Where there is no room for it in `-h`.
        None => match more.split_once("The default is `") {
            Some((_, rest)) => (help, rest.split('`').next().unwrap().to_owned()),
            None => (help, String::new()),
        },
    };
    let default =
        if default.contains(' ') || default.is_empty() { default } else { format!("`{default}`") };
    format!("| {} | {what} | {default} |", name.replace('|', "\\|"))
}

#[test]
fn each_option_is_a_key_of_the_configuration_file() {
    let command = Cli::command();
    // The key `version` is the format's.
    for name in options(&command).iter().filter_map(|o| o.get_long()).filter(|n| *n != "version") {
        assert_eq!(KEYS.contains(&name.replace('-', "_").as_str()), name != "config", "--{name}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let of_help = help::LONG.split("\n\n").find_map(|s| s.strip_prefix("Exit codes:\n")).unwrap();
    let row = |line: &str| line.trim().replacen("  ", " | ", 1);
    let rows: Vec<_> = of_help.lines().map(|line| format!("| {} |", row(line))).collect();
    let table = format!("| code | |\n| --- | --- |\n{}\n\n", rows.join("\n"));
    assert!(read(PAGE).contains(&table), "the exit codes of {PAGE} should be:\n{table}");
}

#[test]
fn the_environment_is_that_of_the_sources() {
    let sources =
        [include_str!("../../../src/app/config.rs"), include_str!("../../../src/app/plan.rs")];
    let read_by = |text: &str| -> BTreeSet<String> {
        let names = text.split("TAMIS_").skip(1);
        names
            .map(|rest| rest.split(|c: char| !c.is_ascii_uppercase()).next().unwrap().to_owned())
            .collect()
    };
    let known = read_by(&sources.concat());
    assert_eq!(known, read_by(&read(PAGE)));
    assert_eq!(known, read_by(help::LONG));
}

#[test]
fn the_readme_has_options_of_the_help() {
    let text = read("README.md");
    let (_, table) = text.split_once("| option | |\n| --- | --- |\n").unwrap();
    let command = Cli::command();
    let known: BTreeSet<_> = options(&command).iter().filter_map(|o| o.get_long()).collect();
    let cells = table.lines().take_while(|line| line.starts_with('|'));
    let names = cells.map(|line| &line[..line[2..].find("| ").unwrap()]);
    for name in names.flat_map(|cell| cell.split("--").skip(1)) {
        let name = name.split([' ', '`']).next().unwrap();
        assert!(known.contains(name), "--{name}");
    }
}
