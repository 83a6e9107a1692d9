//! What was typed, resolved: afterwards nothing is optional that need not be.

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

/// The main job, resolved.
pub(crate) struct Run {
    /// What messages call its options.
    pub(crate) names: Names,
    pub(crate) inputs: Inputs,
    pub(crate) output: Output,
    pub(crate) existing: Existing,
    /// What was written of an output that is not complete stays, under another name.
    pub(crate) keep_partial: bool,
    pub(crate) compress: Option<Format>,
    pub(crate) dead_letter: Option<PathBuf>,
    pub(crate) drop_text: bool,
    /// Whom the originals of what goes there are sealed to.
    pub(crate) seal: Option<Seal>,
    /// Lines may be a container runtime's.
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
    /// Topics in place of files.
    pub(crate) topics: Option<Topics>,
}

/// How files are followed.
pub(crate) struct Follow {
    /// What was named, to be looked for again and again.
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
    /// What long runs write to.
    Log(Box<Log>),
    /// A file for each input, where it has one.
    Each(Vec<Option<PathBuf>>),
}

/// What lines are judged by.
pub(crate) struct Rules {
    pub(crate) names: Names,
    pub(crate) schema: Option<String>,
    pub(crate) require: Vec<String>,
    pub(crate) packs: Vec<Pack>,
    pub(crate) only: Vec<String>,
    pub(crate) without: Vec<String>,
    pub(crate) text: TextPolicy,
    /// Every line is a text line.
    pub(crate) all_text: bool,
    pub(crate) ip: IpPolicy,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    /// The packs of events that take no route; none: all.
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
    /// The schema, where it has one of its own, and how messages call that key.
    pub(crate) schema: Option<(String, String)>,
    pub(crate) rules: Vec<Rule>,
}

/// How the summary looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One line of JSON.
    Json,
    /// For people.
    Table {
        /// With colours.
        color: bool,
    },
}

impl Run {
    /// What becomes of an output that is not complete; `None`: it stays as far as it was written.
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

    /// Whether there is a dead letter.
    pub(crate) fn keeps_dead_letters(&self) -> bool {
        let topic = self.topics.as_ref().is_some_and(|topics| topics.has_dead_letter);
        self.dead_letter.is_some() || topic
    }
}
