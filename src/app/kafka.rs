//! Runs the job that reads and writes Kafka topics.

pub(crate) mod command;
mod dead_letters;
mod open;

use std::{
    io,
    sync::{Arc, mpsc::channel},
    time::Instant,
};

use anyhow::anyhow;

use super::{
    admin::Admin,
    config::Applied,
    exit::{Exit, Trouble},
    notices::Notices,
    plan,
    progress::Progress,
    reload::{self, Live},
    resolve,
    resolved::Run,
    room::{self, Room},
    run::{self, Reloadable},
    telemetry::Telemetry,
    topics::Topics,
    wording::stay,
};
use crate::{
    dead_letter::ReplayTerms,
    journal::{Event, SayWith, tell},
    kafka::{Cluster, Reporter},
    pipeline::{
        Reason, Report,
        records::{Digest, RecordPipeline},
    },
    seal::Identities,
    shutdown::Shutdown,
    sinks::dead_letter,
    sources::kafka::{Notes, Noting},
    summary::Summary,
};
use open::{Opened, open};

/// How dead letters in topics are replayed.
pub(crate) struct Replay {
    pub(crate) identities: Option<Identities>,
    pub(crate) attempts: u32,
    /// The consumer group, if it is not the default one.
    pub(crate) group: Option<String>,
}

/// Processes topics until a shutdown is requested, and returns the exit code.
pub(crate) fn run(applied: Applied) -> Result<u8, Trouble> {
    with(applied, None)
}

/// Replays the existing dead letters, and returns the exit code.
pub(crate) fn replay(applied: Applied, replay: Replay) -> Result<u8, Trouble> {
    with(applied, Some(replay))
}

fn with(applied: Applied, replay: Option<Replay>) -> Result<u8, Trouble> {
    let started = Instant::now();
    run::start_journal(&applied);
    let Applied { args, origin } = applied;
    let typed = origin.as_ref().map_or_else(|| args.clone(), |origin| origin.flags.clone());
    let (mut run, rules) = resolve::run(args)?;
    if let Some(Replay { identities, attempts, group }) = replay {
        let max_event_bytes = rules.limits.max_event_bytes;
        let terms = ReplayTerms { identities, attempts, max_event_bytes };
        run.topics = run.topics.map(|topics| topics.replaying(terms, group)).transpose()?;
    }
    let run = run;
    let Some(topics) = &run.topics else {
        return Err(anyhow!(
            "to read topics, the configuration needs [kafka], [source] and [sink]"
        )
        .into());
    };
    let room = room::fit_records(&run, &rules)?;
    let live = Live::new(None, plan::compile(rules, true)?);
    let (drop_text, seal) = (run.drop_text, run.seal.clone());
    let letters = dead_letter::Settings { drop_text, seal, waits: true };
    let keeps_dead_letters = run.keeps_dead_letters();
    let keeps = move |reason: Reason| keeps_dead_letters && letters.takes(reason);
    let counts = Arc::new(reload::Counts::default());
    let shutdown = Shutdown::new(run.drain).map_err(Trouble::failed)?;
    let telemetry = Telemetry::of(&run, &room, &live, &counts, &shutdown, keeps.clone(), typed)?;
    let notices = Arc::new(Notices::new(run.quiet, Progress::of(&run, &[]), telemetry.clone()));
    let say = run::notify(&notices, &telemetry);
    let say_with = run::notify_with_fields(&notices, &telemetry);
    run::say_started(&telemetry, &say_with);
    let token = run.watchers.token(&run.names)?;
    let _admin = Admin::start(&run.watchers, token, &telemetry, &say).map_err(Trouble::Failed)?;
    let (requests, received) = channel();
    run::listen(shutdown.clone(), origin.as_ref().map(|_| requests.clone()))
        .map_err(Trouble::failed)?;
    let reloadable = origin.map(|origin| {
        Reloadable { origin, all_text: false, counts: counts.clone() }.start(
            &run,
            &live,
            &room,
            say.clone(),
            requests,
            received,
        )
    });
    let _reloading = reloadable.transpose().map_err(Trouble::failed)?;
    let job = Job { run: &run, topics, live: &live, room: &room, telemetry: &telemetry, shutdown };
    let Some(report) = job.run(say_with, &notices, Arc::new(keeps.clone()))? else {
        return Ok(Exit::Done as u8);
    };
    telemetry.see(&report);
    notices.clear();
    if report.tally.stay_total() > 0 && !run.quiet {
        let fix = "they remain in the topic (with another --group, all of its dead letters are \
                    read again)";
        tell(Event::LettersStay, &format!("{} {fix}", stay(&report.tally.stay)));
    }
    let mut summary = run::sum_up(&report, &run, &live, &room, &counts, &keeps, started);
    Ok(finish(&run, &report, &mut summary, &telemetry))
}

/// A job that reads and writes topics.
struct Job<'a> {
    run: &'a Run,
    topics: &'a Topics,
    live: &'a Arc<Live>,
    room: &'a Room,
    telemetry: &'a Telemetry,
    shutdown: Shutdown,
}

impl Job<'_> {
    /// Runs the job. Returns `None` if a shutdown was requested before it started.
    fn run(
        self,
        say: SayWith,
        notices: &Arc<Notices>,
        keeps: Arc<dyn Fn(Reason) -> bool + Send + Sync>,
    ) -> Result<Option<Report>, Trouble> {
        let Self { run, topics, live, room, telemetry, shutdown } = self;
        if topics.transactional_id().is_some() {
            let what = "exactly once: consumers of the sink topics must set \
                        isolation.level=read_committed; others also see the records of aborted \
                        transactions";
            say(Event::ExactlyOnce, what, &[]);
        }
        let reporter =
            Reporter::new(say, telemetry.member_status.clone()).with_login(topics.login.clone());
        let cluster = Cluster::new(topics.properties.clone(), topics.tls.clone(), reporter);
        let opened = open(topics, &cluster, room, &shutdown)?;
        let Some(Opened { source, offsets, sink, notes }) = opened else { return Ok(None) };
        let pseudonyms = topics.pseudonyms.clone();
        let digest = pseudonyms
            .clone()
            .map(|pseudonyms| -> Digest { Arc::new(move |value| pseudonyms.of(value)) });
        let pipeline = RecordPipeline {
            budget: room.budget,
            source,
            offsets,
            sink,
            keeps,
            seal: topics.seal.clone(),
            digest,
            observer: notices.clone(),
            meters: telemetry.meters.clone(),
            shutdown,
        };
        let workers = live.record_workers(run.threads, pseudonyms, topics.hops);
        Ok(Some(match notes {
            None => pipeline.run(workers),
            Some(notes) => pipeline.run(noting(workers, &notes).map_err(Trouble::failed)?),
        }))
    }
}

/// Wraps workers so that they note what they are judging.
fn noting<W>(workers: Vec<W>, notes: &Arc<Notes>) -> io::Result<Vec<Noting<W>>> {
    let workers = workers.into_iter().enumerate();
    workers.map(|(slot, worker)| Noting::new(worker, notes, slot)).collect()
}

fn finish(run: &Run, report: &Report, summary: &mut Summary, telemetry: &Telemetry) -> u8 {
    let code = run::judge(report, summary, run) as u8;
    summary.exit_code = code;
    run::account(run, report, summary, telemetry);
    code
}
