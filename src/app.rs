//! The composition root: the only place that names concrete adapters.

mod admin;
mod advice;
mod cause;
mod config;
mod diagnostics;
mod exec;
mod exit;
mod explain;
mod follow;
mod globs;
mod identity;
mod inputs;
mod kafka;
mod leftovers;
mod log;
mod notices;
mod outlets;
mod outputs;
mod packs;
mod patterns;
mod plan;
mod policy;
mod progress;
mod pseudonym;
mod reload;
mod replay;
mod reports;
mod resolve;
mod resolved;
mod room;
mod routes;
mod run;
mod schemas;
mod telemetry;
mod topics;
mod version;
mod visible;
mod watchers;
mod wording;

use std::{
    fmt::Display,
    io::{self, Write as _},
    panic,
    process::ExitCode,
};

use anyhow::anyhow;
use clap::{CommandFactory as _, Parser as _};

use crate::{
    cli::{Cli, Command, RunArgs, man, refusal},
    config::choice::ColorChoice,
    descriptors,
    journal::{Event, stderr, tell},
    shutdown::signals,
};
use exit::{Exit, Trouble};
use visible::visible_lines;

/// Runs the whole program, from arguments to exit code.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        // The panic message is never shown, because it may contain a part of the input.
        let place = info.location().map_or_else(|| "?".into(), ToString::to_string);
        tell(
            Event::InternalError,
            &format_args!("internal error at {place}; please report this line"),
        );
    }));
    // If this fails, a write beyond the file size limit ends the process, as in any other program.
    let _ = signals::outlive_size_limits();
    let exit = panic::catch_unwind(|| match Cli::try_parse() {
        Ok(cli) => dispatch(cli).unwrap_or_else(|trouble| failed(trouble) as u8),
        Err(error) => refused(&error).unwrap_or_else(failed) as u8,
    });
    stderr::finish();
    ExitCode::from(exit.unwrap_or(Exit::Failed as u8))
}

fn failed(trouble: Trouble) -> Exit {
    tell(Event::RunFailed, &trouble);
    trouble.exit()
}

fn dispatch(cli: Cli) -> Result<u8, Trouble> {
    let exit = match cli.command {
        None if cli.run.version => print(&version::version()?),
        None => return run(cli.run),
        Some(Command::Exec(args)) => return exec::run(*args),
        Some(Command::Replay(args)) => return replay::run(*args),
        Some(Command::Explain(args)) => explain::run(*args),
        Some(Command::Pseudonym(args)) => print(&pseudonym::run(args)?),
        Some(Command::Config(args)) => {
            let (text, exit) = config::command::run(args)?;
            print(&text).map(|_| exit)
        }
        Some(Command::Kafka(args)) => kafka::command::run(args),
        Some(Command::Patterns(args)) => {
            let (text, exit) = patterns::run(args)?;
            print(&visible_lines(&text)).map(|_| exit)
        }
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tamis", &mut script);
            print_bytes(&script)
        }
        Some(Command::Man) => print_bytes(&man::page().map_err(Trouble::failed)?),
    }?;
    Ok(exit as u8)
}

/// Runs the main job, which reads files or topics.
fn run(args: RunArgs) -> Result<u8, Trouble> {
    let applied = config::applied(args)?;
    if applied.args.streams.is_empty() { run::run(applied) } else { kafka::run(applied) }
}

/// Shows what clap returned in place of arguments: a requested help page, or one line about an
/// error.
fn refused(error: &clap::Error) -> Result<Exit, Trouble> {
    match refusal::one_line(error) {
        Some(line) => say(&line),
        None if error.use_stderr() => stderr::write(&error.render().to_string()),
        None if resolve::coloured(ColorChoice::Auto, &io::stdout()) => {
            return print(&error.render().ansi().to_string());
        }
        None => return print(&error.render().to_string()),
    }
    Ok(if error.use_stderr() { Exit::Usage } else { Exit::Done })
}

fn print(text: &str) -> Result<Exit, Trouble> {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> Result<Exit, Trouble> {
    if descriptors::stdout_was_closed() {
        return Err(Trouble::failed(anyhow!("standard output: {}", outlets::CLOSED)));
    }
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::failed(anyhow::Error::new(error).context("standard output")))
        }
        _ => Ok(Exit::Done),
    }
}

/// Writes a message to standard error, usually one line.
fn say(message: &dyn Display) {
    let message = visible_lines(&message.to_string()).replace('\n', "\ntamis: ");
    stderr::write(&format!("tamis: {message}\n"));
}
