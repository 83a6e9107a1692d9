//! The main job: sources, engines and sinks around the pipeline, and the account at the end.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;

use super::{
    config,
    exit::{self, Exit, Trouble},
    follow,
    inputs::InputChoice,
    notices::Notices,
    outlets::{self, Around},
    plan::{self, Compiled},
    progress::Progress,
    resolved::{Layout, Run},
    room::{self, Room},
    say,
};
use crate::{
    cli::{RunArgs, help::TERMINAL},
    compression::Found,
    containers::Frames,
    engine::Reason,
    pipeline::{End, Framing, Input, Inputs, Pipeline, Report, Sink, Source},
    shutdown::{Shutdown, signals},
    sinks::{Existing, FileSink, dead_letter, log::Say},
    sources::{DecompressSource, FileSource, RefusedSource, StdinSource},
    summary::{Setting, Summary},
};

/// Where a run's lines come from, and what its end comes to.
pub(crate) trait Feed {
    /// What its sources hold in memory at most, beside decoders.
    fn memory(&self, max_event_bytes: usize) -> u64 {
        let _ = max_event_bytes;
        0
    }

    /// Hears signals from now on.
    fn listen(&mut self, shutdown: &Shutdown) -> io::Result<()> {
        signals::listen(shutdown.clone())
    }

    /// Opens the inputs; all else is ready.
    fn inputs(&mut self, run: &Run, around: &Around<'_>, room: &Room) -> Result<Inputs, Trouble>;

    /// The exit code, where that of the sieving is `own`.
    fn code(&mut self, own: Exit) -> u8 {
        own as u8
    }
}

/// Standard input, and files.
struct Files;

impl Feed for Files {
    fn inputs(&mut self, run: &Run, around: &Around<'_>, room: &Room) -> Result<Inputs, Trouble> {
        let (window_log, shutdown) = (room.window_log, around.shutdown);
        if let Some(choice) = &run.follow {
            return follow::inputs(choice, window_log, around.notices, shutdown.clone())
                .map_err(Trouble::from);
        }
        let inputs = run.inputs.choices.iter().zip(around.found);
        let open = |(input, found)| open(input, window_log, found, shutdown);
        Ok(Inputs::InTurn(inputs.map(open).collect()))
    }
}

/// Sieves files, says what there is to say, and returns the exit code.
pub(crate) fn run(args: RunArgs) -> Result<u8, Trouble> {
    let args = config::applied(args)?;
    if args.files.is_empty() && !args.follow && io::stdin().is_terminal() {
        let _ = writeln!(io::stderr(), "{TERMINAL}");
        return Ok(Exit::Usage as u8);
    }
    with(args, &mut Files)
}

/// Sieves what `feed` gives.
pub(crate) fn with(args: RunArgs, feed: &mut dyn Feed) -> Result<u8, Trouble> {
    let started = Instant::now();
    let (run, rules) = Run::resolve(args)?;
    let room = room::fit(&run, &rules, feed.memory(rules.limits.max_event_bytes))?;
    let compiled = plan::compile(rules, run.dead_letter.is_some())?;
    let letters =
        dead_letter::Settings { schema: compiled.schema.clone(), drop_text: run.drop_text };
    let report = sieve(&run, &compiled, &room, letters.clone(), feed)?;
    let mut summary = Summary::new(
        &report,
        &Setting {
            detectors: &compiled.detectors(),
            rules: &compiled.policy(),
            keeps: &|reason: Reason| run.dead_letter.is_some() && letters.takes(reason),
            elapsed: started.elapsed(),
            threads: run.threads,
            memory_ceiling_bytes: room.budget.ceiling_bytes,
        },
    );
    let code = feed.code(exit::judge(&report, &summary, &run));
    summary.exit_code = code;
    if let Err(trouble) = account(&run, &report, &summary) {
        say(&trouble);
        return Ok(feed.code(trouble.exit()));
    }
    Ok(code)
}

fn sieve(
    run: &Run,
    compiled: &Compiled,
    room: &Room,
    letters: dead_letter::Settings,
    feed: &mut dyn Feed,
) -> Result<Report, Trouble> {
    let shutdown = Shutdown::new(run.drain).map_err(Trouble::failed)?;
    feed.listen(&shutdown).map_err(Trouble::failed)?;
    let found: Vec<_> = run.inputs.choices.iter().map(|_| Found::default()).collect();
    let notices = Arc::new(Notices::new(run.quiet, Progress::of(run, &found)));
    let watcher = notices.clone();
    let say: Say = Arc::new(move |text| {
        watcher.clear();
        say(&text);
    });
    let around = Around { found: &found, notices: &notices, shutdown: &shutdown, say };
    let outlets = outlets::open(run, letters, &around).map_err(Trouble::Failed)?;
    let inputs = feed.inputs(run, &around, room)?;
    let framing = run.format.map(|format| -> Arc<dyn Framing> {
        Arc::new(Frames::new(format, room.budget.sizes.max_event_bytes))
    });
    let (budget, observer) = (room.budget, notices.clone());
    let pipeline = Pipeline { budget, inputs, framing, outlets, observer, shutdown };
    let report = pipeline.run(compiled.workers(run.format, run.threads));
    notices.clear();
    Ok(report)
}

fn open(input: &InputChoice, window_log: u32, found: &Found, shutdown: &Shutdown) -> Input {
    let source: Box<dyn Source> = match input {
        InputChoice::Stdin => Box::new(StdinSource::new(shutdown.clone())),
        InputChoice::File { path, .. } => Box::new(FileSource::new(path.clone(), shutdown.clone())),
        InputChoice::Refused { why, .. } | InputChoice::Unmatched { why, .. } => {
            Box::new(RefusedSource::new(why.clone()))
        }
    };
    let source =
        Box::new(DecompressSource::new(source, window_log, found.clone(), shutdown.clone()));
    Input { name: input.name(), source }
}

/// A reader that closed the pipe has seen enough: no word, but the file that was asked for.
fn account(run: &Run, report: &Report, summary: &Summary) -> Result<(), Trouble> {
    if let Some(path) = &run.stats {
        write_stats(path, summary)
            .with_context(|| format!("--stats {}", path.display()))
            .map_err(Trouble::Failed)?;
    }
    let closed = matches!(report.end, End::Closed);
    if run.quiet {
        // Quiet about what went as it should.
        if let Some(error) = &summary.error {
            say(error);
        }
    } else if !closed {
        let _ = io::stderr().write_all(shown(run.layout, summary).as_bytes());
    }
    Ok(())
}

fn shown(layout: Layout, summary: &Summary) -> String {
    match layout {
        Layout::Json => summary.json(),
        Layout::Table { color: true } => summary.table(),
        Layout::Table { color: false } => {
            anstream::adapter::strip_str(&summary.table()).to_string()
        }
    }
}

fn write_stats(path: &Path, summary: &Summary) -> io::Result<()> {
    let mut file = FileSink::create(path, Existing::Replace)?;
    file.write(summary.json().as_bytes())?;
    file.finish()
}
