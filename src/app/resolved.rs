//! The resolved settings of a run. Nothing is optional that need not be.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    inputs::Inputs, log::Log, routes::SourceCondition, topics::Topics, visible, watchers::Watchers,
};
use crate::{
    compression::Format,
    config::names::Names,
    containers,
    engine::{
        FieldCondition, IpPolicy, Limits, TextPolicy,
        detect::{Pack, Selection},
        policy::{Policy, Rule},
    },
    seal::Seal,
    sinks::Existing,
};

/// The resolved settings of the main job.
pub(crate) struct Run {
    /// The names of options in messages.
    pub(crate) names: Names,
    pub(crate) inputs: Inputs,
    pub(crate) output: Output,
    pub(crate) existing: Existing,
    /// Whether a partial output is kept under another name.
    pub(crate) keep_partial: bool,
    pub(crate) compress: Option<Format>,
    pub(crate) dead_letter: Option<PathBuf>,
    pub(crate) drop_text: bool,
    /// The public key that the originals in dead letters are encrypted to.
    pub(crate) seal: Option<Seal>,
    /// The expected format of a container runtime.
    pub(crate) format: Option<containers::Format>,
    pub(crate) threads: usize,
    pub(crate) memory: Option<u64>,
    pub(crate) drain: Duration,
    pub(crate) fail_on_drop: bool,
    pub(crate) quiet: bool,
    pub(crate) layout: Layout,
    pub(crate) stats: Option<PathBuf>,
    pub(crate) follow: Option<Follow>,
    pub(crate) watchers: Watchers,
    /// The topics that are read in place of files.
    pub(crate) topics: Option<Topics>,
}

/// How files are followed.
pub(crate) struct Follow {
    /// The named files and globs, which are listed periodically.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) recursive: bool,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) line_timeout: Duration,
    pub(crate) poll: bool,
}

/// Where clean events go.
#[derive(Debug)]
pub(crate) enum Output {
    Standard,
    File(PathBuf),
    /// A log, for long runs.
    Log(Box<Log>),
    /// One file for each input that has an output.
    Each(Vec<Option<PathBuf>>),
}

/// The rules by which lines are judged.
pub(crate) struct Rules {
    pub(crate) names: Names,
    pub(crate) schema: Option<String>,
    pub(crate) require: Vec<String>,
    pub(crate) packs: Vec<Pack>,
    pub(crate) only: Vec<String>,
    pub(crate) without: Vec<String>,
    pub(crate) text: TextPolicy,
    /// Whether every line is treated as a text line.
    pub(crate) all_text: bool,
    pub(crate) ip: IpPolicy,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    /// The packs for events that take no route; if empty, all packs.
    pub(crate) default_packs: Vec<String>,
    /// The routes, in their order.
    pub(crate) routes: Vec<RouteRules>,
}

/// A route.
pub(crate) struct RouteRules {
    pub(crate) name: String,
    pub(crate) source: SourceCondition,
    pub(crate) fields: Vec<FieldCondition>,
    pub(crate) select: Selection,
    /// Its own schema, if it has one, and the name of that key in messages.
    pub(crate) schema: Option<(String, String)>,
    pub(crate) rules: Vec<Rule>,
}

/// The format of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One line of JSON.
    Json,
    /// A table for people.
    Table {
        /// Whether it is coloured.
        color: bool,
    },
}

impl Run {
    /// Describes the state of the output after an incomplete run; `None` if it contains what was
    /// written.
    pub(crate) fn unfinished_output(&self) -> Option<String> {
        let regular = |path: &PathBuf| fs::metadata(path).map_or(true, |there| there.is_file());
        let fix = match self.keep_partial {
            true => "",
            false => " (--keep-partial keeps what was written)",
        };
        match &self.output {
            Output::File(path) if regular(path) => {
                let option = self.names.at("-o");
                Some(format!("{option} {} is unchanged{fix}", visible::name(path)))
            }
            Output::Each(_) if self.follow.is_none() => {
                let option = self.names.at("--out-dir");
                Some(format!(
                    "{option} contains the outputs of those inputs that were read to their \
                     end{fix}"
                ))
            }
            _ => None,
        }
    }

    /// Returns whether dead letters are kept.
    pub(crate) fn keeps_dead_letters(&self) -> bool {
        let topic = self.topics.as_ref().is_some_and(|topics| topics.has_dead_letter);
        self.dead_letter.is_some() || topic
    }
}
