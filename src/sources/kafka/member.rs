//! Being a member of the group: how it is joined, and that it is joined anew when there are more partitions
//! than its memory was shared out for, or other certificates.

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
    rebalance::Ear,
    shared::Shared,
};
use crate::{
    journal::Event,
    kafka::{
        Client, Rebalance, SOCKET_TIMEOUT, STATISTICS_EVERY, is_member, not_made, unless_said,
    },
    shutdown::Phase,
};

/// How long brokers may take for an answer, before a member is given up.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait until the group is left, before it is joined anew all the same. What was read has ten
/// seconds to be delivered.
const LEFT_WITHIN: Duration = Duration::from_secs(15);

/// The member that commits; another one, once the group was joined anew.
#[derive(Clone)]
pub(super) struct Member(Arc<Mutex<Weak<BaseConsumer<Ear>>>>);

impl Member {
    /// Who commits must not keep it in its group.
    pub(super) fn of(consumer: &Arc<BaseConsumer<Ear>>) -> Self {
        Self(Arc::new(Mutex::new(Arc::downgrade(consumer))))
    }

    /// It, while it is there.
    pub(super) fn get(&self) -> Option<Arc<BaseConsumer<Ear>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    fn is(&self, consumer: &Arc<BaseConsumer<Ear>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(consumer);
    }
}

/// A member that has subscribed.
pub(super) fn member(
    settings: &Settings,
    shared: &Arc<Shared>,
) -> io::Result<Arc<BaseConsumer<Ear>>> {
    let consumer = consumer(settings, shared)?;
    subscribe(&consumer, settings)?;
    Ok(Arc::new(consumer))
}

fn subscribe(consumer: &BaseConsumer<Ear>, settings: &Settings) -> io::Result<()> {
    let topics: Vec<_> = settings.topics.iter().map(String::as_str).collect();
    consumer.client().context().membership.awaited(&settings.cluster.voice);
    consumer.subscribe(&topics).map_err(|error| not_made(&error))
}

/// How long the group waits for a member that says nothing, in milliseconds, where nothing else is said:
/// what a member that was killed had rests for so long.
const SESSION_TIMEOUT: &str = "10000";
/// From when on it is said that the group lets this member wait, and how often at least.
pub(super) const WAITS_FROM: Duration = Duration::from_secs(1);
const WAITS_EVERY: Duration = Duration::from_secs(30);
/// How long a member that goes for good may take for that; others have its partitions when its session is
/// over, at the latest.
const GONE_WITHIN: Duration = Duration::from_secs(4);

/// What all members of a group have in common. One with a name is static: the group knows it again by
/// that after a restart.
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

/// One that is in no group yet.
fn consumer(settings: &Settings, shared: &Arc<Shared>) -> io::Result<BaseConsumer<Ear>> {
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
    let ear = Ear {
        shared: shared.clone(),
        voice: settings.cluster.voice.clone(),
        shutdown: settings.shutdown.clone(),
        in_transactions: settings.in_transactions,
        starts: settings.starts,
        membership,
        retired: AtomicBool::new(false),
    };
    let mut consumer: BaseConsumer<Ear> =
        config.create_with_context(ear).map_err(|error| not_made(&error))?;
    let poked = shared.clone();
    consumer.set_nonempty_callback(move || poked.poke());
    Ok(consumer)
}

impl Reader {
    /// Joins the group anew where there is a reason to: librdkafka changes neither how much a client reads
    /// ahead, nor its certificates.
    pub(super) fn renew_member(&mut self) {
        if self.made_with.is_outdated() {
            self.take_certificates();
        } else if self.is_outgrown() {
            self.share_out_anew();
        } else if let Some(why) = self.shared.to_join_anew() {
            self.join_anew(&why);
        }
    }

    /// Leaves the group, so that it shares its partitions out again, and joins it anew.
    fn join_anew(&mut self, why: &str) {
        let what = format!("{why}: rejoining the group, so that all partitions are assigned");
        self.settings.cluster.voice.tell(Event::GroupJoinedAnew, &what);
        self.unsubscribe(LEFT_WITHIN);
        if self.ended || self.settings.shutdown.phase() != Phase::Running {
            return;
        }
        if let Err(error) = subscribe(&self.consumer, &self.settings) {
            self.end(Some(error));
        }
    }

    fn take_certificates(&mut self) {
        let voice = &self.settings.cluster.voice;
        let make = || consumer(&self.settings, &self.shared);
        if let Some(next) = self.made_with.renew(voice, Client::Source, make) {
            self.join_as(next);
        }
    }

    /// Whether more is read ahead of the partitions of now, all together, than has room.
    fn is_outgrown(&self) -> bool {
        let (ahead, answer) = self.settings.shares();
        let all = self.shared.places().len().saturating_mul(ahead + answer);
        all > self.settings.ahead_bytes && ahead > LEAST_BYTES
    }

    /// Joins the group with smaller shares.
    fn share_out_anew(&mut self) {
        let partitions = self.shared.places().len();
        let what = format!(
            "{partitions} partitions are assigned, more than at the start: rejoining the group \
             with smaller prefetch buffers"
        );
        self.settings.cluster.voice.tell(Event::GroupJoinedAnew, &what);
        // More may come.
        self.settings.partitions = partitions.saturating_mul(2);
        match consumer(&self.settings, &self.shared) {
            Ok(next) => self.join_as(next),
            Err(error) => self.end(Some(error)),
        }
    }

    /// Leaves the group, so that what was read is delivered and kept. It is closed for that: one that only
    /// unsubscribes is still committing when it is closed behind that, and librdkafka forgets to leave then.
    fn leave(&mut self) {
        self.lanes.clear();
        // Brokers may not trust it any more.
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
            self.hear();
            self.shared.rest(REST);
        }
    }

    /// Says what this member waits for, after a second, and then less and less often.
    pub(super) fn say_what_is_awaited(&mut self) {
        let Some((what, so_far)) = self.shared.vitals.awaited() else {
            self.said_at = WAITS_FROM;
            return;
        };
        if so_far >= self.said_at {
            let ear = self.consumer.client().context();
            ear.membership.waits(&self.settings.cluster.voice, &what, so_far);
            self.said_at = so_far + so_far.min(WAITS_EVERY);
        }
    }

    /// Leaves the group so that others have its partitions at once. A static member that is closed does not:
    /// the group keeps them for it until its session is over. One that unsubscribes does; that it has, shows
    /// when it has no id any more, and closing it waits for the answer.
    pub(super) fn leave_for_good(&mut self) {
        let gone = self.unsubscribe(GONE_WITHIN);
        let ear = self.consumer.client().context();
        ear.membership.left(&self.settings.cluster.voice, gone);
    }

    /// Leaves the group; whether that was said to it in time.
    fn unsubscribe(&mut self, within: Duration) -> bool {
        let consumer = self.consumer.clone();
        consumer.unsubscribe();
        let until = Instant::now() + within;
        while is_member(consumer.client()) {
            if Instant::now() >= until {
                return false;
            }
            self.hear();
            self.shared.rest(REST);
        }
        true
    }

    /// Leaves the group, and joins it as `next`. A member that could not leave it is out of it when its session
    /// is over, and what it had and was not committed is read again.
    fn join_as(&mut self, next: BaseConsumer<Ear>) {
        self.leave();
        if self.ended || self.settings.shutdown.phase() != Phase::Running {
            return;
        }
        self.consumer.client().context().retired.store(true, Relaxed);
        let ids: Vec<_> = self.shared.places().iter().map(|place| place.id).collect();
        if !ids.is_empty() {
            self.shared.vitals.rebalanced(Rebalance::Lost);
            self.shared.revoked(&ids);
        }
        // Nothing is paused there.
        self.holds.begin_anew();
        let next = Arc::new(next);
        match subscribe(&next, &self.settings) {
            Ok(()) => {
                self.member.is(&next);
                let old = mem::replace(&mut self.consumer, next);
                // To close it takes as long as brokers do not answer.
                let _ = thread::Builder::new().name("farewell".into()).spawn(move || drop(old));
            }
            Err(error) => self.end(Some(error)),
        }
    }
}
