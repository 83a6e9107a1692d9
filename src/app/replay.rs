//! `tamis replay`: processes dead letters again.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use anyhow::{Context as _, anyhow};

use super::{
    cause::cause,
    config,
    exit::Trouble,
    kafka,
    outlets::Around,
    resolved::Run,
    room::Room,
    run::{self, Feed},
    visible, wording,
};
use crate::{
    cli::replay::ReplayArgs,
    dead_letter::{self, Chosen, ReplayTerms},
    journal::Event,
    pipeline::{Input, Inputs, RejectSink, Stay, Stays},
    seal::Identities,
    sinks::replayed::{Replayed, ReplayedSink},
    sources::DeadLetterSource,
};

/// Replays the dead letters in a file or in topics, and returns the exit code.
pub(crate) fn run(args: ReplayArgs) -> Result<u8, Trouble> {
    match &args.run.dead_letter {
        Some(_) => file(args),
        None => topics(args),
    }
}

fn file(args: ReplayArgs) -> Result<u8, Trouble> {
    let ReplayArgs { mut run, identity, remaining, attempts, group } = args;
    let (true, Some(path)) = (run.files.is_empty(), run.dead_letter.take()) else {
        return Err(anyhow!("{FORMS}, without other files").into());
    };
    if run.out_dir.is_some() || run.recursive || run.follow {
        return Err(
            anyhow!("replay has one output: use -o FILE, without --out-dir, -r and -f").into()
        );
    }
    if group.is_some() {
        return Err(anyhow!(
            "--group is only for dead letters in topics: remove it, or remove --dead-letter"
        )
        .into());
    }
    let identities = identities(identity)?;
    if !path.is_file() {
        return Err(anyhow!(
            "--dead-letter {}: no such file, or not a regular file",
            path.display()
        )
        .into());
    }
    (run.files, run.dead_letter) = (vec![path.clone()], remaining);
    let applied = config::applied(run)?;
    if applied.args.follow {
        return Err(anyhow!("replay cannot follow files: remove `follow`").into());
    }
    // The dead letters of all inputs are in one file.
    let routes = &applied.args.rules.policy.routes;
    if let Some(route) = routes.iter().find(|route| !route.files.is_empty()) {
        let name = &route.name.value;
        return Err(anyhow!(
            "route `{name}` matches files, but dead letters are not read from these files: replay \
             with a configuration without `match.file`"
        )
        .into());
    }
    if !applied.args.streams.is_empty() {
        return Err(anyhow!(
            "this configuration reads topics: remove --dead-letter to replay the dead letters of \
             its topics"
        )
        .into());
    }
    let chosen = Arc::default();
    run::with(applied, &mut Replay { path, identities, attempts, shut: None, chosen })
}

const FORMS: &str = "replay reads dead letters: run `tamis replay --dead-letter FILE --identity \
                     KEYFILE`, or, for topics, `tamis replay --config tamis.toml --identity \
                     KEYFILE`";

/// Replays the dead letters in the topics that a configuration writes them to.
fn topics(args: ReplayArgs) -> Result<u8, Trouble> {
    let ReplayArgs { run, identity, remaining, attempts, group } = args;
    let typed_output = run.output.is_some() || run.out_dir.is_some();
    let for_files = !run.files.is_empty() || run.recursive || run.follow || typed_output;
    let applied = config::applied(run)?;
    let streams = &applied.args.streams;
    if streams.is_empty() {
        return Err(anyhow!("{FORMS}").into());
    }
    let invalid = |what: &str| Err(anyhow!("{what}").into());
    if remaining.is_some() {
        return invalid(
            "--remaining is only for dead letters in a FILE: those in a topic stay there, and an \
             event that is rejected again is written to the topic with `attempts` one higher",
        );
    }
    if for_files {
        return invalid(
            "dead letters in topics are read from there and forwarded to [sink]: remove FILE, -r, \
             -f, -o and --out-dir",
        );
    }
    let Some(letters) = &streams.dead_letter else {
        return invalid(
            "the configuration has no [dead_letter], so no topic has dead letters: add it, with \
             its `topic`",
        );
    };
    if group.as_ref().is_some_and(String::is_empty) {
        return invalid("--group needs the name of a consumer group");
    }
    if letters.encrypt_to.is_some() && identity.is_none() {
        return invalid(
            "dead_letter.encrypt_to is set, so the originals are encrypted: add --identity \
             KEYFILE to decrypt them",
        );
    }
    let identities = identities(identity)?;
    kafka::replay(applied, kafka::Replay { identities, attempts, group })
}

/// Reads the identities that decrypt originals.
fn identities(path: Option<PathBuf>) -> anyhow::Result<Option<Identities>> {
    let read = |path: PathBuf| {
        Identities::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => anyhow!("--identity {}: {error}", path.display()),
            _ => anyhow!("--identity {}: {}", path.display(), cause(&error)),
        })
    };
    path.map(read).transpose()
}

struct Replay {
    path: PathBuf,
    identities: Option<Identities>,
    attempts: u32,
    /// The error for dead letters that could not be decrypted.
    shut: Option<String>,
    /// The selected dead letters and the maximum event size, once they are known.
    chosen: Arc<OnceLock<(Arc<Chosen>, usize)>>,
}

impl Feed for Replay {
    fn letters(&self, inner: Box<dyn RejectSink>) -> Box<dyn RejectSink> {
        let (path, chosen) = (self.path.clone(), self.chosen.clone());
        let ask = move || {
            let (chosen, max_event_bytes) = chosen.get()?;
            let (path, chosen, max_event_bytes) = (path.clone(), chosen.clone(), *max_event_bytes);
            Some(Replayed { path, chosen, max_event_bytes })
        };
        Box::new(ReplayedSink::new(inner, Box::new(ask)))
    }

    fn inputs(&mut self, run: &Run, around: &Around<'_>, room: &Room) -> Result<Inputs, Trouble> {
        let max_event_bytes = room.budget.sizes.max_event_bytes;
        let (identities, attempts) = (self.identities.take(), self.attempts);
        let terms = ReplayTerms { identities, attempts, max_event_bytes };
        let Choice { chosen, stay, shut } = choose(&self.path, &terms, run.dead_letter.as_deref())
            .with_context(|| format!("--dead-letter {}", self.path.display()))
            .map_err(Trouble::Failed)?;
        if !shut.is_empty() {
            self.shut = Some(self.cannot_open(&shut, terms.identities.is_some()));
        }
        if let Some(why) = self.shut.take_if(|_| chosen.lines.iter().all(|lines| *lines == 0)) {
            return Err(anyhow!(why).into());
        }
        if stay.iter().any(|count| *count > 0) && !run.quiet {
            let where_to = match &run.dead_letter {
                Some(path) => format!("they are kept in {}", path.display()),
                None => {
                    "they stay where they are (--remaining FILE keeps them in a file of their own)"
                        .into()
                }
            };
            (around.say)(Event::LettersStay, &format!("{} {where_to}", wording::stay(&stay)));
        }
        let chosen = Arc::new(chosen);
        // It is set only here.
        let _ = self.chosen.set((chosen.clone(), max_event_bytes));
        let shutdown = around.shutdown.clone();
        let name = self.path.display().to_string();
        let source = DeadLetterSource::new(self.path.clone(), Arc::new(terms), chosen, shutdown);
        Ok(Inputs::InTurn(vec![Input { name, source: Box::new(source), finite: true }]))
    }

    fn lacks(&self) -> Option<String> {
        self.shut.clone()
    }
}

impl Replay {
    /// Describes the dead letters that the identity does not decrypt.
    fn cannot_open(&self, shut: &[u64], identity: bool) -> String {
        let path = visible::name(&self.path);
        let some: Vec<_> = shut.iter().take(SHOWN).map(|line| format!("{path}:{line}")).collect();
        let more = match shut.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let fix = match identity {
            true => "--identity is not the key that they are encrypted to",
            false => "they are encrypted: give the key with --identity",
        };
        let noun = if shut.len() == 1 { "letter" } else { "letters" };
        let (count, some) = (shut.len(), some.join(", "));
        format!("{count} dead {noun} cannot be decrypted ({some}{more}): {fix}")
    }
}

/// The maximum number of dead letters that are named.
const SHOWN: usize = 5;

/// The dead letters of a file that are replayed, the counts of the others, and the lines of those
/// that cannot be decrypted.
struct Choice {
    chosen: Chosen,
    stay: Stay,
    shut: Vec<u64>,
}

/// Selects the dead letters to replay; the others are copied to `remaining` unchanged. If nothing
/// is replayed because nothing can be decrypted, nothing is copied.
fn choose(path: &Path, terms: &ReplayTerms, remaining: Option<&Path>) -> io::Result<Choice> {
    let file = remaining.map(|path| OpenOptions::new().append(true).open(path)).transpose()?;
    let before = file.as_ref().map(|file| file.metadata().map(|there| there.len())).transpose()?;
    let mut file = file.map(BufWriter::new);
    let (mut stay, mut shut) = (Stay::default(), Vec::new());
    let chosen = dead_letter::choose(path, terms, &mut |line, letter, why| {
        stay[why.index()] += 1;
        if why == Stays::Shut {
            shut.push(line);
        }
        let Some(file) = &mut file else { return Ok(()) };
        file.write_all(letter)?;
        file.write_all(b"\n")
    })?;
    if let (Some(file), Some(before)) = (&mut file, before) {
        file.flush()?;
        let regular = file.get_ref().metadata()?.is_file();
        if regular && !shut.is_empty() && chosen.lines.iter().all(|lines| *lines == 0) {
            file.get_ref().set_len(before)?;
        }
    }
    Ok(Choice { chosen, stay, shut })
}
