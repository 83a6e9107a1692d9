//! The manual page: what clap generates, then a section for each part of the help outside the options.

use std::io;

use clap::CommandFactory as _;
use clap_mangen::{
    Man,
    roff::{Roff, bold, italic, roman},
};

use super::{Cli, help};

/// The page, as roff.
pub fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let subcommands: Vec<_> = command
        .get_subcommands()
        .flat_map(|c| if c.has_subcommands() { c.get_subcommands().collect() } else { vec![c] })
        .filter(|c| c.get_name() != "help")
        .map(|c| (synopsis(c), c.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let man = Man::new(command)
        .title("TAMIS")
        .source(concat!("tamis ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for (synopsis, about) in &subcommands {
        roff.control("TP", []);
        roff.text([bold(synopsis.as_str())]);
        roff.text([roman(about.as_str())]);
    }
    for section in help::LONG.split("\n\n") {
        let (title, body) = section.split_once(":\n").unwrap_or(("NOTES", section));
        roff.control("SH", [title.to_uppercase().as_str()]);
        lines(&mut roff, body);
    }
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// `tamis patterns show <ID>`
fn synopsis(command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let values = command.get_positionals().map(|p| format!(" {p}"));
    std::iter::once(name.to_owned()).chain(values).collect()
}

/// A list item for each line of the help that has two columns, else a paragraph.
fn lines(roff: &mut Roff, body: &str) {
    for line in body.lines().map(str::trim_start) {
        match line.split_once("  ") {
            Some((left, right)) => {
                roff.control("TP", []);
                roff.text([italic(left)]);
                roff.text([roman(right.trim_start())]);
            }
            None => {
                roff.text([roman(line)]);
            }
        }
    }
}
