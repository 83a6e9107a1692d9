//! Removes a static member from its group that does not come back. librdkafka has no request for
//! this, so another member with the same name joins in its place, and leaves.

use std::{
    error::Error,
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::KafkaError,
    types::RDKafkaRespErr,
};

use super::member::as_member;
use crate::kafka::{Cluster, Fault, Group, Reporter, about, is_member, not_made};

/// How long the coordinator may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long joining and leaving may take, because the group may be rebalancing.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// By how much librdkafka may send a heartbeat too late.
const LATE: Duration = Duration::from_secs(1);

/// The member that joins in its place, and reads nothing.
struct Successor {
    reporter: Reporter,
    joined: AtomicBool,
}

impl ClientContext for Successor {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, about: &str, line: &str) {
        self.reporter.log_line(about, line);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, _: KafkaError, _: &str) {}

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.reporter.token()
    }
}

impl ConsumerContext for Successor {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assigned = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        // An error shows when the group does not continue.
        let _ = match (assigned, cooperative) {
            (true, true) => consumer.incremental_assign(partitions),
            (true, false) => consumer.assign(partitions),
            (false, true) => consumer.incremental_unassign(partitions),
            (false, false) => consumer.unassign(),
        };
        if assigned {
            let _ = consumer.pause(partitions);
            self.joined.store(true, Relaxed);
        }
    }
}

/// Removes the member `instance` from `group`, which reads `topics`. Returns `false` if it is not a
/// member. If the member is still running, it is fenced.
///
/// # Errors
/// The cluster does not allow it, or does not answer.
pub fn leave(
    cluster: &Cluster,
    group: &str,
    instance: &str,
    topics: &[String],
) -> io::Result<bool> {
    if !Group::ask(cluster, group, PATIENCE)?.has(instance) {
        return Ok(false);
    }
    let mut config = cluster.client(&[
        ("group.id", group),
        ("group.protocol", "classic"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
    ]);
    as_member(&mut config, Some(instance));
    let heartbeat = config.get("heartbeat.interval.ms").and_then(|text| text.parse().ok());
    let heartbeat = Duration::from_millis(heartbeat.unwrap_or_default());
    let successor =
        Successor { reporter: cluster.reporter.clone(), joined: AtomicBool::new(false) };
    let consumer: BaseConsumer<Successor> =
        config.create_with_context(successor).map_err(|error| not_made(&error))?;
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(|error| not_made(&error))?;
    until(&consumer, "assign partitions", || consumer.context().joined.load(Relaxed))?;
    // If the old member is still running, its next heartbeat tells it that another member has its
    // name. If the new member left earlier, the old one would only be unknown, and rejoin.
    let (begun, heard_within) = (Instant::now(), 2 * heartbeat + LATE);
    until(&consumer, "stay stable", || begun.elapsed() >= heard_within)?;
    consumer.unsubscribe();
    until(&consumer, "let the member leave", || !is_member(consumer.client()))?;
    drop(consumer);
    let begun = Instant::now();
    while Group::ask(cluster, group, PATIENCE)?.has(instance) {
        if begun.elapsed() >= WITHIN {
            let what = format!(
                "kafka: group `{group}` still has the member `{instance}`: is its process running \
                 again?"
            );
            return Err(io::Error::other(what));
        }
        sleep(LOOK_EVERY);
    }
    Ok(true)
}

/// Serves a member until `done` returns true.
fn until(
    consumer: &BaseConsumer<Successor>,
    what: &str,
    done: impl Fn() -> bool,
) -> io::Result<()> {
    let begun = Instant::now();
    while !done() {
        if let Some(Err(error)) = consumer.poll(LOOK_EVERY)
            && error.rdkafka_error_code().map(Fault::of) == Some(Fault::Lasting)
        {
            return Err(about("kafka", &error));
        }
        if begun.elapsed() >= WITHIN {
            let within = WITHIN.as_secs();
            let what = format!("kafka: the group did not {what} within {within} s; try again");
            return Err(io::Error::other(what));
        }
    }
    Ok(())
}
