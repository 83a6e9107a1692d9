//! Runs the main job: connects sources, engines and sinks in the pipeline, and reports the result.

use std::{
    io::{self, IsTerminal as _},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Instant,
};

use anyhow::anyhow;

use super::{
    admin::Admin,
    cause::cause,
    config::{Applied, Origin},
    exit::{Exit, Trouble},
    follow,
    inputs::InputChoice,
    leftovers,
    notices::Notices,
    outlets::{self, Around},
    packs, plan,
    progress::Progress,
    reload::{self, Live, Reload, Reloading, Request},
    reports::write_in_time,
    resolve,
    resolved::{Layout, Output, Run},
    room::{self, Room},
    telemetry::Telemetry,
    visible,
};
use crate::{
    cli::help::TERMINAL,
    compression::{Found, Window},
    containers::Frames,
    journal::{self, Event, Form, Say, SayWith, stderr, tell, tell_with},
    pipeline::{
        End, Framing, Input, Inputs, Pipeline, Reason, RejectSink, Report, Source, Stays,
        Unfinished,
    },
    shutdown::{
        Shutdown,
        signals::{self, Received},
    },
    sinks::dead_letter,
    sources::{DecompressSource, FileSource, RefusedSource, StdinSource, TextSource},
    summary::{Setting, Summary},
};

/// Where the lines of a run come from, and how the run ends.
pub(crate) trait Feed {
    /// Returns the maximum memory of its sources, without decoders.
    fn memory(&self, max_event_bytes: usize) -> u64 {
        let _ = max_event_bytes;
        0
    }

    /// Handles signals from now on. `hang_up` receives SIGHUP, if it has a meaning.
    fn listen(&mut self, shutdown: &Shutdown, hang_up: Option<Sender<Request>>) -> io::Result<()> {
        listen(shutdown.clone(), hang_up)
    }

    /// Wraps the sink for dead letters.
    fn letters(&self, inner: Box<dyn RejectSink>) -> Box<dyn RejectSink> {
        inner
    }

    /// Opens the inputs, after everything else is ready.
    fn inputs(&mut self, run: &Run, around: &Around<'_>, room: &Room) -> Result<Inputs, Trouble>;

    /// Describes what should have been read but was not, if the report does not contain it.
    fn lacks(&self) -> Option<String> {
        None
    }

    /// Returns the exit code; `own` is that of the processing.
    fn code(&mut self, own: Exit) -> u8 {
        own as u8
    }
}

/// Handles signals from now on. `hang_up` receives SIGHUP.
pub(super) fn listen(shutdown: Shutdown, hang_up: Option<Sender<Request>>) -> io::Result<()> {
    let Some(hang_up) = hang_up else { return signals::listen(shutdown) };
    signals::on_signal(move |received| match received {
        Received::HangUp => drop(hang_up.send(Request::Reload)),
        Received::Interrupt | Received::Terminate => received.ask(&shutdown),
    })
}

/// Standard input and files.
struct Files;

impl Feed for Files {
    fn inputs(&mut self, run: &Run, around: &Around<'_>, room: &Room) -> Result<Inputs, Trouble> {
        let (window, shutdown) = (&room.window, around.shutdown);
        if let Some(choice) = &run.follow {
            return follow::inputs(
                choice,
                &run.names,
                window.clone(),
                around.notices,
                shutdown.clone(),
            )
            .map_err(Trouble::from);
        }
        let inputs = run.inputs.choices.iter().zip(around.found);
        let open = |(input, found)| open(input, window, found, shutdown);
        Ok(Inputs::InTurn(inputs.map(open).collect()))
    }
}

/// Processes files, reports the result, and returns the exit code.
pub(crate) fn run(applied: Applied) -> Result<u8, Trouble> {
    if applied.args.files.is_empty() && !applied.args.follow && io::stdin().is_terminal() {
        stderr::write(&format!("{TERMINAL}\n"));
        return Ok(Exit::Usage as u8);
    }
    with(applied, &mut Files)
}

/// Starts the program's log. Messages from now on are about a run.
pub(super) fn start_journal(applied: &Applied) {
    let color = applied.args.color.unwrap_or_default();
    journal::start(match resolve::layout(color) {
        Layout::Json => Form::Json,
        Layout::Table { .. } => Form::Plain,
    });
}

/// Processes what `feed` reads.
pub(crate) fn with(applied: Applied, feed: &mut dyn Feed) -> Result<u8, Trouble> {
    let started = Instant::now();
    start_journal(&applied);
    let Applied { args, origin } = applied;
    if !args.streams.is_empty() {
        return Err(anyhow!(
            "the configuration reads topics: use it with `tamis --config FILE`, without a command"
        )
        .into());
    }
    let typed = origin.as_ref().map_or_else(|| args.clone(), |origin| origin.flags.clone());
    let (run, rules) = resolve::run(args)?;
    let room = room::fit(&run, &rules, feed.memory(rules.limits.max_event_bytes))?;
    let all_text = rules.all_text;
    let live = Live::new(run.format, plan::compile(rules, run.dead_letter.is_some())?);
    let letters = dead_letter::Settings {
        drop_text: run.drop_text,
        seal: run.seal.clone(),
        waits: run.follow.is_some() || matches!(run.output, Output::Log(_)),
    };
    let counts = Arc::new(reload::Counts::default());
    let reloadable = origin.map(|origin| Reloadable { origin, all_text, counts: counts.clone() });
    let shutdown = Shutdown::new(run.drain).map_err(Trouble::failed)?;
    let keeps = {
        let (dead_letter, letters) = (run.dead_letter.is_some(), letters.clone());
        move |reason: Reason| dead_letter && letters.takes(reason)
    };
    let telemetry = Telemetry::of(&run, &room, &live, &counts, &shutdown, keeps.clone(), typed)?;
    let token = run.watchers.token(&run.names)?;
    let parts =
        Parts { run: &run, live: &live, room: &room, telemetry: &telemetry, token, shutdown };
    let report = parts.run(letters, reloadable, feed)?;
    let mut summary = sum_up(&report, &run, &live, &room, &counts, &keeps, started);
    let own = match (judge(&report, &summary, &run), feed.lacks()) {
        (Exit::Done | Exit::Unfit, Some(why)) => {
            summary.error = Some(why);
            Exit::Failed
        }
        (own, _) => own,
    };
    let code = feed.code(own);
    summary.exit_code = code;
    account(&run, &report, &mut summary, &telemetry);
    Ok(code)
}

/// Returns a function that writes a message and clears the progress line first.
pub(super) fn notify(notices: &Arc<Notices>, telemetry: &Arc<Telemetry>) -> Say {
    let say = notify_with_fields(notices, telemetry);
    Arc::new(move |event, text| say(event, text, &[]))
}

/// Like [`notify`], with fields.
pub(super) fn notify_with_fields(notices: &Arc<Notices>, telemetry: &Arc<Telemetry>) -> SayWith {
    let (notices, telemetry) = (notices.clone(), telemetry.clone());
    Arc::new(move |event, text, fields| {
        notices.clear();
        if event == Event::ConfigReloaded {
            telemetry.reloaded();
            return tell_with(event, &text, &[("config_digest", telemetry.config_digest())]);
        }
        tell_with(event, &text, fields);
    })
}

/// Reports the version and the configuration at the start.
pub(super) fn say_started(telemetry: &Telemetry, say: &SayWith) {
    let version = env!("CARGO_PKG_VERSION");
    let fields = [
        ("version", version.into()),
        ("packs_digest", packs::digest().into()),
        ("config_digest", telemetry.config_digest()),
    ];
    say(Event::RunStarted, &format!("tamis {version} started"), &fields);
}

/// Returns the summary of a run that started at `started`.
pub(super) fn sum_up(
    report: &Report,
    run: &Run,
    live: &Live,
    room: &Room,
    counts: &reload::Counts,
    keeps: &dyn Fn(Reason) -> bool,
    started: Instant,
) -> Summary {
    let setting = Setting {
        detectors: &live.detectors(),
        rules: &live.policy(),
        keeps,
        elapsed: started.elapsed(),
        threads: run.threads,
        memory_ceiling_bytes: room.ceiling_bytes(counts.ceiling_bytes()),
        reloads: counts.reloads(),
    };
    let mut summary = Summary::new(report, &setting);
    summary.error = ended(report, run, summary.error);
    summary
}

/// Describes why the run is incomplete, and the state of its output.
fn ended(report: &Report, run: &Run, error: Option<String>) -> Option<String> {
    let why = match (&report.end, report.failed_inputs) {
        (End::Complete, 0) => return shut(report).or(error),
        (End::Closed, _) => return error,
        (End::Complete, 1) => "1 input was not read to its end".into(),
        (End::Complete, failed) => format!("{failed} inputs were not read to their end"),
        _ => error?,
    };
    Some(match run.unfinished_output() {
        Some(what) => format!("{why}; {what}"),
        None => why,
    })
}

/// Describes dead letters that could not be decrypted.
fn shut(report: &Report) -> Option<String> {
    Some(match report.tally.stay[Stays::Shut.index()] {
        0 => return None,
        1 => "1 dead letter cannot be decrypted".into(),
        shut => format!("{shut} dead letters cannot be decrypted"),
    })
}

/// A configuration that can be reloaded.
pub(super) struct Reloadable {
    pub(super) origin: Origin,
    pub(super) all_text: bool,
    pub(super) counts: Arc<reload::Counts>,
}

impl Reloadable {
    pub(super) fn start(
        self,
        run: &Run,
        live: &Arc<Live>,
        room: &Room,
        say: Say,
        requests: Sender<Request>,
        received: Receiver<Request>,
    ) -> io::Result<Reloading> {
        let Self { origin, all_text, counts } = self;
        let (live, room, memory) = (live.clone(), room.clone(), run.memory);
        let dead_letter = run.keeps_dead_letters();
        let bodies = dead_letter || run.topics.is_some();
        let reload =
            Reload { origin, live, counts, room, memory, dead_letter, bodies, all_text, say };
        Reloading::start(reload, requests, received)
    }
}

/// The parts of a run.
struct Parts<'a> {
    run: &'a Run,
    live: &'a Arc<Live>,
    room: &'a Room,
    telemetry: &'a Arc<Telemetry>,
    token: Option<String>,
    shutdown: Shutdown,
}

impl Parts<'_> {
    fn run(
        self,
        letters: dead_letter::Settings,
        reloadable: Option<Reloadable>,
        feed: &mut dyn Feed,
    ) -> Result<Report, Trouble> {
        let Self { run, live, room, telemetry, token, shutdown } = self;
        let (requests, received) = channel();
        let hang_up = reloadable.as_ref().map(|_| requests.clone());
        feed.listen(&shutdown, hang_up).map_err(Trouble::failed)?;
        let found: Vec<_> = run.inputs.choices.iter().map(|_| Found::default()).collect();
        let progress = Progress::of(run, &found);
        let notices = Arc::new(Notices::new(run.quiet, progress, telemetry.clone()));
        let say = notify(&notices, telemetry);
        let _admin =
            Admin::start(&run.watchers, token, telemetry, &say).map_err(Trouble::Failed)?;
        let reloading =
            reloadable.map(|it| it.start(run, live, room, say.clone(), requests, received));
        let _reloading = reloading.transpose().map_err(Trouble::failed)?;
        let meters = &telemetry.meters;
        let around = Around { found: &found, notices: &notices, shutdown: &shutdown, meters, say };
        leftovers::remove(run);
        let mut outlets = outlets::open(run, letters, &around).map_err(Trouble::Failed)?;
        outlets.dead_letter = outlets.dead_letter.map(|sink| feed.letters(sink));
        let inputs = feed.inputs(run, &around, room)?;
        let framing = run.format.map(|format| -> Arc<dyn Framing> {
            Arc::new(Frames::new(format, room.budget.sizes.max_event_bytes))
        });
        let (budget, observer, meters) = (room.budget, notices.clone(), telemetry.meters.clone());
        let pipeline = Pipeline { budget, inputs, framing, outlets, observer, meters, shutdown };
        let report = pipeline.run(live.workers(run.threads));
        telemetry.see(&report);
        notices.clear();
        Ok(report)
    }
}

fn open(input: &InputChoice, window: &Window, found: &Found, shutdown: &Shutdown) -> Input {
    let source: Box<dyn Source> = match input {
        InputChoice::Stdin => Box::new(StdinSource::new(shutdown.clone())),
        InputChoice::File { path, .. } => Box::new(FileSource::new(path.clone(), shutdown.clone())),
        InputChoice::Refused { why, .. } | InputChoice::Unmatched { why, .. } => {
            Box::new(RefusedSource::new(why.clone()))
        }
    };
    let source = Box::new(DecompressSource::new(source, window, found.clone(), shutdown.clone()));
    let source = Box::new(TextSource::new(source, shutdown.clone()));
    Input { name: input.name(), source, finite: input.is_finite() }
}

/// Writes the summary. If the reader closed the pipe, only the statistics file is written, if
/// requested.
pub(super) fn account(run: &Run, report: &Report, summary: &mut Summary, telemetry: &Telemetry) {
    summary.other_file_lines = telemetry.meters.other();
    summary.failed_reports = telemetry.failed_reports();
    if let Some(path) = &run.stats
        && let Err(error) = write_in_time(path, summary.json())
    {
        summary.failed_reports += 1;
        let (option, shown) = (run.names.at("--stats"), visible::name(path));
        tell(Event::StatsFailed, &format_args!("{option} {shown}: {}", cause(&error)));
    }
    let closed = matches!(report.end, End::Closed);
    if run.quiet {
        // With `--quiet`, success is not reported, nor a failure that was reported for its input.
        let inputs = matches!(report.end, End::Complete) && report.failed_inputs > 0;
        let said = inputs && run.unfinished_output().is_none();
        if let Some(error) = summary.error.as_ref().filter(|_| !said) {
            tell(Event::RunFailed, error);
        }
    } else if !closed {
        stderr::write_last(&shown(run.layout, summary));
    }
}

fn shown(layout: Layout, summary: &Summary) -> String {
    match layout {
        Layout::Json => {
            let failed = summary.exit_code == Exit::Failed as u8 || summary.error.is_some();
            journal::run_ended(&summary.json(), failed)
        }
        Layout::Table { color: true } => summary.table(),
        Layout::Table { color: false } => {
            anstream::adapter::strip_str(&summary.table()).to_string()
        }
    }
}

/// Returns the exit code of a run.
pub(super) fn judge(report: &Report, summary: &Summary, run: &Run) -> Exit {
    match &report.end {
        End::Closed => Exit::Done,
        End::Unfinished(Unfinished { signal, .. }) => (*signal).into(),
        End::Stuck | End::Stalled(_) | End::Failed(_) => Exit::Failed,
        End::Complete if report.failed_inputs > 0 => Exit::Failed,
        // These dead letters were read, but could not be decrypted.
        End::Complete if report.tally.stay[Stays::Shut.index()] > 0 => Exit::Failed,
        End::Complete if run.fail_on_drop && summary.refused_total() > 0 => Exit::Unfit,
        End::Complete => Exit::Done,
    }
}
