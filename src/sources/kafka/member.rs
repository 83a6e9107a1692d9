//! Joins the group, and rejoins it if there are more partitions than its buffers allow, or if
//! certificates changed.

use std::{
    io, mem,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{
    ANSWER_BYTES, LEAST_BYTES, Settings,
    membership::Membership,
    reader::{REST, Reader},
    rebalance::ClientCallbacks,
    shared::Shared,
};
use crate::{
    journal::Event,
    kafka::{
        Client, Rebalance, SOCKET_TIMEOUT, STATISTICS_EVERY, is_member, not_made, unless_said,
    },
    shutdown::Phase,
};

/// How long brokers may take to answer before the group is left without committing.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// How long leaving the group may take before it is rejoined anyway. Delivering what was read may
/// take ten seconds.
const LEFT_WITHIN: Duration = Duration::from_secs(15);

/// The member that commits, which is replaced when the group is rejoined.
#[derive(Clone)]
pub(super) struct Member(Arc<Mutex<Weak<BaseConsumer<ClientCallbacks>>>>);

impl Member {
    /// A weak reference, so that committing does not keep a member in its group.
    pub(super) fn of(consumer: &Arc<BaseConsumer<ClientCallbacks>>) -> Self {
        Self(Arc::new(Mutex::new(Arc::downgrade(consumer))))
    }

    /// Returns the member while it exists.
    pub(super) fn get(&self) -> Option<Arc<BaseConsumer<ClientCallbacks>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn is(&self, consumer: &Arc<BaseConsumer<ClientCallbacks>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(consumer);
    }
}

/// Creates a member that has subscribed.
pub(super) fn member(
    settings: &Settings,
    shared: &Arc<Shared>,
) -> io::Result<Arc<BaseConsumer<ClientCallbacks>>> {
    let consumer = consumer(settings, shared)?;
    subscribe(&consumer, settings)?;
    Ok(Arc::new(consumer))
}

fn subscribe(consumer: &BaseConsumer<ClientCallbacks>, settings: &Settings) -> io::Result<()> {
    let topics: Vec<_> = settings.topics.iter().map(String::as_str).collect();
    consumer.client().context().membership.awaited(&settings.cluster.reporter);
    consumer.subscribe(&topics).map_err(|error| not_made(&error))
}

/// The default session timeout in milliseconds. The partitions of a killed member are not read for
/// this long.
const SESSION_TIMEOUT: &str = "10000";
/// How long the member waits before this is reported, and how often it is repeated at least.
pub(super) const WAITS_FROM: Duration = Duration::from_secs(1);
const WAITS_EVERY: Duration = Duration::from_secs(30);
/// How long leaving for good may take. Other members take over the partitions when the session
/// times out, at the latest.
const GONE_WITHIN: Duration = Duration::from_secs(4);

/// Sets the properties that all members of a group share. A member with a name is static: the group
/// recognizes it after a restart.
pub(super) fn as_member(config: &mut ClientConfig, instance: Option<&str>) {
    let usual = [
        ("session.timeout.ms", SESSION_TIMEOUT),
        ("heartbeat.interval.ms", "500"),
        ("partition.assignment.strategy", "cooperative-sticky"),
    ];
    unless_said(config, &usual);
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
}

/// Creates a consumer that has not joined the group.
fn consumer(
    settings: &Settings,
    shared: &Arc<Shared>,
) -> io::Result<BaseConsumer<ClientCallbacks>> {
    let (ahead, answer) = settings.shares();
    let mut config = settings.cluster.client(&[
        ("group.id", &settings.group),
        ("group.protocol", "classic"),
        ("isolation.level", "read_committed"),
        ("enable.auto.commit", if settings.in_transactions { "false" } else { "true" }),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", if settings.letters.is_some() { "true" } else { "false" }),
        ("queued.max.messages.kbytes", &(ahead >> 10).to_string()),
        ("fetch.message.max.bytes", &answer.to_string()),
        ("fetch.max.bytes", &ANSWER_BYTES.to_string()),
    ]);
    as_member(&mut config, settings.instance.as_deref());
    let usual = [
        ("auto.commit.interval.ms", "1000"),
        ("fetch.queue.backoff.ms", "20"),
        ("socket.timeout.ms", SOCKET_TIMEOUT),
        ("statistics.interval.ms", STATISTICS_EVERY),
    ];
    unless_said(&mut config, &usual);
    let session = config.get("session.timeout.ms").and_then(|ms| ms.parse().ok());
    let membership = Membership {
        group: settings.group.clone(),
        instance: settings.instance.clone(),
        session: session.map(Duration::from_millis).unwrap_or_default(),
    };
    let callbacks = ClientCallbacks {
        shared: shared.clone(),
        reporter: settings.cluster.reporter.clone(),
        shutdown: settings.shutdown.clone(),
        in_transactions: settings.in_transactions,
        starts: settings.starts,
        membership,
        retired: AtomicBool::new(false),
    };
    let mut consumer: BaseConsumer<ClientCallbacks> =
        config.create_with_context(callbacks).map_err(|error| not_made(&error))?;
    let poked = shared.clone();
    consumer.set_nonempty_callback(move || poked.poke());
    Ok(consumer)
}

impl Reader {
    /// Rejoins the group if there is a reason: librdkafka can change neither the buffer size nor
    /// the certificates of a client.
    pub(super) fn renew_member(&mut self) {
        if self.made_with.is_outdated() {
            self.take_certificates();
        } else if self.is_outgrown() {
            self.rejoin_with_smaller_buffers();
        } else if let Some(why) = self.shared.rejoin_reason() {
            self.rejoin(&why);
        }
    }

    /// Leaves and rejoins the group, so that it assigns all partitions again.
    fn rejoin(&mut self, why: &str) {
        let what = format!("{why}: rejoining the group, so that all partitions are assigned");
        self.settings.cluster.reporter.tell(Event::GroupJoinedAnew, &what);
        self.unsubscribe(LEFT_WITHIN);
        if self.ended || self.settings.shutdown.phase() != Phase::Running {
            return;
        }
        if let Err(error) = subscribe(&self.consumer, &self.settings) {
            self.end(Some(error));
        }
    }

    fn take_certificates(&mut self) {
        let reporter = &self.settings.cluster.reporter;
        let make = || consumer(&self.settings, &self.shared);
        if let Some(next) = self.made_with.renew(reporter, Client::Source, make) {
            self.join_as(next);
        }
    }

    /// Returns whether the buffers of the current partitions together exceed their limit.
    fn is_outgrown(&self) -> bool {
        let (ahead, answer) = self.settings.shares();
        let all = self.shared.places().len().saturating_mul(ahead + answer);
        all > self.settings.ahead_bytes && ahead > LEAST_BYTES
    }

    /// Rejoins the group with smaller buffers.
    fn rejoin_with_smaller_buffers(&mut self) {
        let partitions = self.shared.places().len();
        let what = format!(
            "{partitions} partitions are assigned, more than at the start: rejoining the group \
             with smaller prefetch buffers"
        );
        self.settings.cluster.reporter.tell(Event::GroupJoinedAnew, &what);
        // More partitions may follow.
        self.settings.partitions = partitions.saturating_mul(2);
        match consumer(&self.settings, &self.shared) {
            Ok(next) => self.join_as(next),
            Err(error) => self.end(Some(error)),
        }
    }

    /// Leaves the group after what was read is delivered and committed. The consumer is closed for
    /// this: one that only unsubscribes is still committing when it is closed, and librdkafka then
    /// does not leave the group.
    fn leave(&mut self) {
        self.queues.clear();
        // The brokers may no longer trust the certificate.
        let places = self.shared.places();
        let Some(topic) = places.first().map(|place| &*place.topic) else { return };
        if self.consumer.fetch_metadata(Some(topic), ANSWERED_WITHIN).is_err() {
            return;
        }
        if self.consumer.close_queue().is_err() {
            return;
        }
        let until = Instant::now() + LEFT_WITHIN;
        while !self.consumer.closed() && Instant::now() < until {
            self.serve_events();
            self.shared.rest(REST);
        }
    }

    /// Reports what this member waits for, after a second, and then less and less often.
    pub(super) fn say_what_is_awaited(&mut self) {
        let Some((what, so_far)) = self.shared.member_status.awaited() else {
            self.said_at = WAITS_FROM;
            return;
        };
        if so_far >= self.said_at {
            let callbacks = self.consumer.client().context();
            callbacks.membership.waits(&self.settings.cluster.reporter, &what, so_far);
            self.said_at = so_far + so_far.min(WAITS_EVERY);
        }
    }

    /// Leaves the group so that other members take over its partitions at once. A static member
    /// that is closed keeps its partitions until its session times out; one that unsubscribes does
    /// not. It has left when it has no member id any more, and closing it waits for the response.
    pub(super) fn leave_for_good(&mut self) {
        let gone = self.unsubscribe(GONE_WITHIN);
        let callbacks = self.consumer.client().context();
        callbacks.membership.left(&self.settings.cluster.reporter, gone);
    }

    /// Leaves the group, and returns whether the group was told in time.
    fn unsubscribe(&mut self, within: Duration) -> bool {
        let consumer = self.consumer.clone();
        consumer.unsubscribe();
        let until = Instant::now() + within;
        while is_member(consumer.client()) {
            if Instant::now() >= until {
                return false;
            }
            self.serve_events();
            self.shared.rest(REST);
        }
        true
    }

    /// Leaves the group, and rejoins it as `next`. If leaving fails, the old member is removed when
    /// its session times out, and what it did not commit is read again.
    fn join_as(&mut self, next: BaseConsumer<ClientCallbacks>) {
        self.leave();
        if self.ended || self.settings.shutdown.phase() != Phase::Running {
            return;
        }
        self.consumer.client().context().retired.store(true, Relaxed);
        let ids: Vec<_> = self.shared.places().iter().map(|place| place.id).collect();
        if !ids.is_empty() {
            self.shared.member_status.rebalanced(Rebalance::Lost);
            self.shared.revoked(&ids);
        }
        // The new client has nothing paused.
        self.paused.forget_client_state();
        let next = Arc::new(next);
        match subscribe(&next, &self.settings) {
            Ok(()) => {
                self.member.is(&next);
                let old = mem::replace(&mut self.consumer, next);
                // Closing a consumer can take as long as brokers do not answer.
                let _ = thread::Builder::new().name("farewell".into()).spawn(move || drop(old));
            }
            Err(error) => self.end(Some(error)),
        }
    }
}
