//! Opens the sinks of a run.

use std::{fs, io, path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};

use super::{
    cause::cause,
    notices::Notices,
    resolved::{Output, Run},
    visible,
};
use crate::{
    compression::Found,
    descriptors,
    journal::{Event, Say},
    metrics::Meters,
    pipeline::{Outlets, RejectSink, Sink},
    shutdown::Shutdown,
    sinks::{
        CompressSink, DeadLetterFile, EachSink, Existing, FileSink, LogSink, StdoutSink,
        dead_letter, each, file::Kept,
    },
};

/// The error for a standard descriptor that was closed at the start, so that the runtime replaced
/// it.
pub(super) const CLOSED: &str =
    "it was closed before Tamis started, so output would be lost: open it, or write to a file";

/// What an output needs in addition to its settings.
pub(crate) struct Around<'a> {
    /// The detected compression format of each input.
    pub(crate) found: &'a [Found],
    /// Receives notices.
    pub(crate) notices: &'a Arc<Notices>,
    pub(crate) shutdown: &'a Shutdown,
    pub(crate) meters: &'a Arc<Meters>,
    /// Reports events that must be known immediately.
    pub(crate) say: Say,
}

/// Opens all outputs of a run.
pub(crate) fn open(
    run: &Run,
    letters: dead_letter::Settings,
    around: &Around<'_>,
) -> Result<Outlets> {
    let sink = sink(run, around)?;
    let sink = match run.compress {
        Some(format) => Box::new(CompressSink::new(sink, format, true)?),
        None => sink,
    };
    let dead_letter: Option<Box<dyn RejectSink>> = match &run.dead_letter {
        None => None,
        Some(path) if descriptors::was_closed_at(path) => {
            bail!("{} {}: {CLOSED}", run.names.at("--dead-letter"), visible::name(path))
        }
        Some(path) => {
            let (shutdown, say) = (around.shutdown.clone(), around.say.clone());
            let file = DeadLetterFile::open(path, letters, shutdown, say).with_context(|| {
                format!("{} {}", run.names.at("--dead-letter"), visible::name(path))
            })?;
            Some(Box::new(file))
        }
    };
    Ok(Outlets { sink, dead_letter })
}

fn sink(run: &Run, around: &Around<'_>) -> Result<Box<dyn Sink>> {
    let keep = run.keep_partial.then(|| kept(around.say.clone()));
    Ok(match &run.output {
        Output::Standard if descriptors::stdout_was_closed() => {
            bail!("standard output: {CLOSED}")
        }
        Output::Standard => Box::new(StdoutSink::default()),
        Output::File(path) if descriptors::was_closed_at(path) => {
            bail!("{} {}: {CLOSED}", run.names.at("-o"), visible::name(path))
        }
        Output::File(path) => {
            let file = FileSink::create(path, run.existing)
                .with_context(|| format!("{} {}", run.names.at("-o"), visible::name(path)))?;
            Box::new(file.keeping_partial(keep))
        }
        Output::Log(log) => {
            let (shutdown, say) = (around.shutdown.clone(), around.say.clone());
            let meters = around.meters.clone();
            let sink = LogSink::open(log.settings.clone(), shutdown, say, meters);
            Box::new(sink.with_context(|| format!("{} {}", run.names.at("-o"), log.shown))?)
        }
        Output::Each(paths) => {
            let (paths, found, existing) = (paths.clone(), around.found.to_vec(), run.existing);
            let open: each::Open = Box::new(move |input| match &paths[input] {
                Some(path) => as_it_came(path, existing, &keep, &found[input]).map_err(|error| {
                    io::Error::other(format!("{}: {}", visible::name(path), cause(&error)))
                }),
                // An input that could not be opened has no lines, so its output is never requested.
                None => Err(io::ErrorKind::NotFound.into()),
            });
            Box::new(EachSink::new(open))
        }
    })
}

/// Returns a callback that reports where a partial output is kept.
fn kept(say: Say) -> Kept {
    Arc::new(move |kept: Result<&Path, &io::Error>| {
        let what = match kept {
            Ok(path) => {
                format!("the partial output is kept as {}", visible::name(path))
            }
            Err(error) => format!("the partial output could not be kept: {}", cause(error)),
        };
        say(Event::PartialKept, &what);
    })
}

/// Opens the output of one input, with the compression of that input.
fn as_it_came(
    path: &Path,
    existing: Existing,
    keep: &Option<Kept>,
    found: &Found,
) -> io::Result<Box<dyn Sink>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = Box::new(FileSink::create(path, existing)?.keeping_partial(keep.clone()));
    Ok(match found.get() {
        Some(format) => Box::new(CompressSink::new(file, *format, false)?),
        None => file,
    })
}
