//! Topics: what a configuration says of them, resolved; and the job from topic to topic.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, mpsc::channel},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    admin::Admin,
    config::Applied,
    exit::{Exit, Trouble},
    notices::Notices,
    plan,
    progress::Progress,
    reload::{self, Live},
    resolved::Run,
    room,
    sieve::{self, Reloadable},
    telemetry::Telemetry,
};
use crate::{
    config::kafka::{PartitionChoice, SaslEntry, SourceEntry, Streams, TlsEntry},
    engine::Reason,
    journal::{Event, Say, tell},
    kafka::{self, Cluster, Voice},
    pipeline::{Report, Sizes, records::RecordPipeline},
    records::Pseudonyms,
    shutdown::{Phase, Shutdown},
    sinks::{KafkaSink, dead_letter, kafka as sink},
    sources::{KafkaSource, kafka as source},
    summary::{Setting, Summary},
};

/// Topics, resolved.
pub(crate) struct Topics {
    /// How the cluster is reached, as librdkafka's properties.
    properties: Vec<(String, String)>,
    source: SourceEntry,
    sink: String,
    pub(crate) dead_letter: Option<String>,
    same_partition: bool,
    pseudonyms: Option<Pseudonyms>,
}

/// Resolves and judges what is said of topics; `None` where nothing is.
pub(crate) fn resolve(streams: &Streams) -> Result<Option<Topics>> {
    let Streams { kafka: Some(kafka), source: Some(source), sink: Some(sink), dead_letter } =
        streams
    else {
        return Ok(None);
    };
    let brokers: Vec<_> = kafka.brokers.iter().map(|said| said.value.as_str()).collect();
    let mut properties = vec![("bootstrap.servers".to_owned(), brokers.join(","))];
    let mut set = |name: &str, value: &str| properties.push((name.to_owned(), value.to_owned()));
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    set("security.protocol", protocol);
    if let Some(tls) = &kafka.tls {
        secure(tls, &mut set)?;
    }
    if let Some(sasl) = &kafka.sasl {
        known(sasl, &mut set)?;
    }
    for (name, said) in &kafka.properties {
        set(name, &said.value);
    }
    let quiet = Voice::new(Arc::new(|_| ()));
    Cluster::new(properties.clone(), quiet)
        .client(&[])
        .create_native_config()
        .map_err(|error| anyhow!("kafka.properties: {error}"))?;
    let secret = sink.pseudonym_key_file.as_ref();
    let pseudonyms = secret.map(|said| {
        let secret = secret_file("sink.pseudonym_key_file", &said.value)?;
        let made = Pseudonyms::new(secret.as_bytes());
        made.with_context(|| format!("sink.pseudonym_key_file {}", said.value))
    });
    Ok(Some(Topics {
        properties,
        source: source.clone(),
        sink: sink.topic.value.clone(),
        dead_letter: dead_letter.as_ref().map(|entry| entry.topic.value.clone()),
        same_partition: sink.partition.as_ref().map(|said| said.value)
            == Some(PartitionChoice::Same),
        pseudonyms: pseudonyms.transpose()?,
    }))
}

fn secure(tls: &TlsEntry, set: &mut dyn FnMut(&str, &str)) -> Result<()> {
    let files = [
        ("ssl.ca.location", "kafka.tls.ca", &tls.ca),
        ("ssl.certificate.location", "kafka.tls.certificate", &tls.certificate),
        ("ssl.key.location", "kafka.tls.key", &tls.key),
    ];
    for (property, key, said) in files {
        if let Some(said) = said {
            fs::metadata(&said.value).with_context(|| format!("{key} {}", said.value))?;
            set(property, &said.value);
        }
    }
    if tls.ca.is_none() {
        // Where the system keeps those that it trusts.
        set("ssl.ca.location", "probe");
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        bail!("kafka.tls: `certificate` and `key` belong together");
    }
    Ok(())
}

fn known(sasl: &SaslEntry, set: &mut dyn FnMut(&str, &str)) -> Result<()> {
    use clap::ValueEnum as _;
    let mechanism = sasl.mechanism.value.to_possible_value();
    set("sasl.mechanism", mechanism.as_ref().map_or("", |value| value.get_name()));
    set("sasl.username", &sasl.user.value);
    let password = secret_file("kafka.sasl.password_file", &sasl.password_file.value)?;
    set("sasl.password", password.trim_end_matches(['\r', '\n']));
    Ok(())
}

fn secret_file(key: &str, path: &str) -> Result<String> {
    fs::read_to_string(Path::new(path)).with_context(|| format!("{key} {path}"))
}

/// Reads topics until somebody wants the end, and returns the exit code.
pub(crate) fn run(applied: Applied) -> Result<u8, Trouble> {
    let started = Instant::now();
    sieve::start_journal(&applied);
    let Applied { args, origin } = applied;
    let typed = origin.as_ref().map_or_else(|| args.clone(), |origin| origin.flags.clone());
    let (run, rules) = Run::resolve(args)?;
    let Some(topics) = &run.topics else {
        return Err(anyhow!("topics need [kafka], [source] and [sink]").into());
    };
    let room = room::fit_records(&run, &rules)?;
    let live = Live::new(None, plan::compile(rules, true)?);
    let letters = dead_letter::Settings { drop_text: run.drop_text };
    let keeps_letters = run.keeps_letters();
    let keeps = move |reason: Reason| keeps_letters && letters.takes(reason);
    let counts = Arc::new(reload::Counts::default());
    let shutdown = Shutdown::new(run.drain).map_err(Trouble::failed)?;
    let telemetry = Telemetry::of(&run, &room, &live, &counts, &shutdown, keeps.clone(), typed)?;
    let notices = Arc::new(Notices::new(run.quiet, Progress::of(&run, &[]), telemetry.clone()));
    let watcher = notices.clone();
    let speak: Say = Arc::new(move |event, text| {
        watcher.clear();
        tell(event, &text);
    });
    let token = run.watchers.token(&run.names)?;
    let _admin = Admin::start(&run.watchers, token, &telemetry, &speak).map_err(Trouble::Failed)?;
    let (words, heard) = channel();
    sieve::listen(shutdown.clone(), origin.as_ref().map(|_| words.clone()))
        .map_err(Trouble::failed)?;
    let reloadable = origin.map(|origin| {
        Reloadable { origin, all_text: false, counts: counts.clone() }.start(
            &run,
            &live,
            &room,
            speak.clone(),
            words,
            heard,
        )
    });
    let _reloading = reloadable.transpose().map_err(Trouble::failed)?;
    let report = {
        let voice = Voice::new(Arc::new(move |what| speak(Event::ClusterFault, what)));
        let cluster = Cluster::new(topics.properties.clone(), voice);
        let opened = open(topics, &cluster, room.budget.sizes, &shutdown)?;
        let Some(Opened { source, offsets, sink }) = opened else { return Ok(Exit::Done as u8) };
        let (keeps, observer) = (Arc::new(keeps.clone()), notices.clone());
        let (budget, shutdown) = (room.budget, shutdown.clone());
        let meters = telemetry.meters.clone();
        RecordPipeline { budget, source, offsets, sink, keeps, observer, meters, shutdown }
            .run(live.record_workers(run.threads, topics.pseudonyms.clone()))
    };
    telemetry.see(&report);
    notices.clear();
    let mut summary = Summary::new(
        &report,
        &Setting {
            detectors: &live.detectors(),
            rules: &live.policy(),
            keeps: &keeps,
            elapsed: started.elapsed(),
            threads: run.threads,
            memory_ceiling_bytes: room.budget.ceiling_bytes.max(counts.ceiling_bytes()),
            reloads: counts.reloads(),
        },
    );
    finish(&run, &report, &mut summary)
}

fn finish(run: &Run, report: &Report, summary: &mut Summary) -> Result<u8, Trouble> {
    let code = sieve::judge(report, summary, run) as u8;
    summary.exit_code = code;
    if let Err(trouble) = sieve::account(run, report, summary) {
        tell(Event::RunFailed, &trouble);
        return Ok(trouble.exit() as u8);
    }
    Ok(code)
}

struct Opened {
    source: Box<KafkaSource>,
    offsets: Box<source::KafkaOffsets>,
    sink: Box<KafkaSink>,
}

/// Asks the cluster whether it has what is named, and opens it; `None`: somebody wants the end.
fn open(
    topics: &Topics,
    cluster: &Cluster,
    sizes: Sizes,
    shutdown: &Shutdown,
) -> Result<Option<Opened>, Trouble> {
    let stopped = || shutdown.phase() != Phase::Running;
    let all = match kafka::list(cluster, &stopped) {
        Ok(all) => all,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(trouble(error)),
    };
    let partitions = topics.check(&all).map_err(Trouble::Failed)?;
    let written = [Some(&topics.sink), topics.dead_letter.as_ref()];
    let limits = written.into_iter().flatten().filter_map(|topic| kafka::limit(cluster, topic));
    let sink = KafkaSink::open(sink::Settings {
        cluster: cluster.clone(),
        topic: topics.sink.clone(),
        dead_letter: topics.dead_letter.clone(),
        same_partition: topics.same_partition,
        limit: limits.min(),
        shutdown: shutdown.clone(),
    });
    let max_event_bytes = sizes.max_event_bytes;
    let joined = KafkaSource::open(source::Settings {
        cluster: cluster.clone(),
        topics: topics.source.topics.iter().map(|said| said.value.clone()).collect(),
        group: topics.source.group.value.clone(),
        partitions,
        block_bytes: sizes.chunk_bytes - max_event_bytes,
        max_event_bytes,
        shutdown: shutdown.clone(),
    });
    let sink = Box::new(sink.map_err(trouble)?);
    let (source, offsets) = joined.map_err(trouble)?;
    Ok(Some(Opened { source: Box::new(source), offsets: Box::new(offsets), sink }))
}

/// What librdkafka does not take is the configuration's fault.
fn trouble(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::InvalidInput => Trouble::Usage(anyhow!("kafka: {error}")),
        _ => Trouble::Failed(anyhow!("{error}")),
    }
}

impl Topics {
    /// Whether a cluster has what is named; how many partitions the source has.
    fn check(&self, all: &kafka::Topics) -> Result<usize> {
        let written = [Some(&self.sink), self.dead_letter.as_ref()];
        let named = self.source.topics.iter().map(|said| &said.value);
        let named = named.filter(|topic| !topic.starts_with('^'));
        for topic in written.into_iter().flatten().chain(named) {
            if !all.contains_key(topic) {
                bail!("kafka: no topic `{topic}`, or none that this user may see: make it first");
            }
        }
        let read: Vec<_> = all.iter().filter(|(topic, _)| self.source.covers(topic)).collect();
        if self.same_partition {
            let wanted = all.get(&self.sink).copied().unwrap_or_default();
            for (topic, has) in &read {
                if **has != wanted {
                    bail!(
                        "kafka: partition = \"same\" needs as many partitions on both sides: \
                         `{topic}` has {has}, `{}` has {wanted}",
                        self.sink
                    );
                }
            }
        }
        Ok(read.iter().map(|(_, partitions)| **partitions).sum())
    }
}
