//! Transactions: records, dead letters, and how far the source is delivered, at once or not at all.
//!
//! As librdkafka's manual has it: what is retriable is called again; what requires an abort is
//! aborted; after a fatal error the producer is of no use any more, and another one takes its place, which
//! takes back what the one before it left open. The run ends only where another process has taken over, or
//! where this one may not do what it must.

use std::{
    cell::Cell,
    io,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::Producer as _,
};

use super::{
    KafkaSink, PATIENCE, ROOM,
    anew::is_hopeless,
    codes::{broken, is_denied, is_fence, is_retriable},
    fenced::{Fenced, Fences, Next},
    heard::Heard,
    producer,
};
use crate::{
    kafka::{Backoff, Fault, about},
    pipeline::records::{Reached, Transactions, Undone},
    shutdown::Phase,
};

/// A coordinator takes back what is older. Ours end long before.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
/// One call has so long; then it is made again.
const CALL: Duration = Duration::from_secs(2);
/// So long to rest at most after a transaction that was taken back, twice as long after each further one.
const REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How often to take back what was left open, where the group does not say where to begin.
const TAKEN_BACK_EVERY: Duration = Duration::from_secs(60);
/// Who does not look for so long was stopped: another may have taken over meanwhile.
const SLEPT: Duration = Duration::from_secs(8);

/// How far a group has come, and as which of its members: `None`, where this is no member any more
/// for all of it.
pub(super) type Group =
    dyn Fn(&[Reached]) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> + Send;

/// What a sink of transactions has beside others.
pub(super) struct Transacting {
    /// For the time before there is a member: nobody's.
    group: Option<Box<Group>>,
    /// Of transactions that are taken back one after the other.
    backoff: Backoff,
    /// When the transaction began.
    begun: Cell<Instant>,
    /// When somebody last looked, and whether that was too late since the transaction began.
    looked: Cell<Instant>,
    slept: Cell<bool>,
    fences: Fences,
    /// When what was left open was taken back last.
    taken_back: Option<Instant>,
}

/// The properties of a producer of transactions under the name `id`.
pub(super) fn properties(id: &str) -> [(&'static str, String); 2] {
    [
        ("transactional.id", id.to_owned()),
        ("transaction.timeout.ms", TIMEOUT.as_millis().to_string()),
    ]
}

impl Transacting {
    /// Makes `producer` the only one of its name: one that still runs is fenced, and what it left
    /// open is taken back.
    pub(super) fn start(producer: &Heard, stopped: &dyn Fn() -> bool) -> io::Result<Self> {
        loop {
            match producer.init_transactions(CALL) {
                Ok(()) => {
                    let (backoff, now) = (Backoff::new(REST, LONGEST_REST), Instant::now());
                    let (begun, looked, slept) = (Cell::new(now), Cell::new(now), Cell::new(false));
                    let (group, fences, taken_back) = (None, Fences::default(), None);
                    return Ok(Self { group, backoff, begun, looked, slept, fences, taken_back });
                }
                Err(error) if is_retriable(&error) && !stopped() => {}
                Err(_) if stopped() => return Err(io::ErrorKind::Interrupted.into()),
                Err(error) => return Err(about("kafka: transactions", &error)),
            }
        }
    }

    /// Somebody looks.
    pub(super) fn look(&self) {
        self.slept.set(self.slept.get() || self.looked.get().elapsed() >= SLEPT);
        self.looked.set(Instant::now());
    }

    /// From now on.
    fn begin(&self) {
        self.begun.set(Instant::now());
        self.looked.set(Instant::now());
        self.slept.set(false);
    }
}

impl KafkaSink {
    /// From now on transactions hold how far this group has come.
    pub fn with_group(&mut self, group: Box<Group>) {
        if let Some(transacting) = &mut self.transacting {
            transacting.group = Some(group);
        }
    }

    /// Calls until there is an answer.
    fn call(&self, call: impl Fn(&Heard) -> Result<(), KafkaError>) -> Result<(), Undone> {
        let begun = Instant::now();
        loop {
            self.attend();
            let Err(error) = call(&self.producer) else { return Ok(()) };
            if let Some(code) = error.rdkafka_error_code().filter(|code| is_denied(*code)) {
                // It would be refused again and again.
                self.settings.cluster.voice.vitals.erred(Fault::of(code));
                return Err(Undone::Failed(about("kafka: the transaction", &error)));
            }
            let fatal = self.producer.client().fatal_error().is_some();
            if fatal || !is_retriable(&error) {
                return Err(Undone::Abort);
            }
            self.settings.cluster.voice.fault(&error);
            if is_hopeless(&self.made_with, begun) {
                return Err(Undone::Abort);
            }
            if self.settings.shutdown.abandons(begun, PATIENCE) {
                return Err(Undone::Failed(about("kafka: the transaction", &error)));
            }
        }
    }

    /// Has a new producer in the place of one that is broken, unless that would break a promise.
    fn renew(&mut self) -> io::Result<()> {
        let shutdown = self.settings.shutdown.clone();
        let stopped = || shutdown.phase() != Phase::Running;
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        if stopped() {
            return Err(broken(fatal));
        }
        let what = match fatal {
            Some(code) if is_fence(code) => match self.is_alone(&stopped)? {
                true => "the brokers were unreachable for longer than the transaction timeout",
                false => {
                    "the producer was fenced, but no other process of this `instance` was found"
                }
            },
            Some(code) if is_denied(code) => return Err(broken(fatal)),
            Some(_) => "the brokers and the producer disagree about the state of the transaction",
            None => "the transaction could not be aborted",
        };
        let outdated = self.made_with.is_outdated();
        let next = match outdated.then(|| self.next_producer()).flatten() {
            Some(next) => next,
            None => {
                let voice = &self.settings.cluster.voice;
                voice.say(&format!("kafka: {what}; continuing with a new producer"));
                producer(&self.settings, &self.desk)?
            }
        };
        self.settle_in(next, &stopped).map_err(|error| match stopped() {
            true => broken(fatal),
            false => error,
        })
    }

    /// Waits until it is clear that the producer was not fenced by another process; whether it was fenced by
    /// time.
    ///
    /// # Errors
    /// It was fenced by another process, or somebody wants the end.
    fn is_alone(&mut self, stopped: &dyn Fn() -> bool) -> io::Result<bool> {
        let vitals = self.settings.cluster.voice.vitals.clone();
        let Some(transacting) = &mut self.transacting else { return Ok(true) };
        let (at, slept) = (Instant::now(), transacting.slept.get());
        let fenced = Fenced { age: transacting.begun.get().elapsed(), slept, at };
        loop {
            match transacting.fences.judge(fenced, Instant::now(), vitals.is_ousted()) {
                Next::BeginAnew => return Ok(fenced.by_time()),
                Next::End => return Err(broken(Some(Code::ProducerFenced))),
                Next::Wait if stopped() => return Err(broken(Some(Code::ProducerFenced))),
                Next::Wait => std::thread::sleep(ROOM),
            }
        }
    }

    /// Has `next` in the place of the producer. What is still in the old one is given up with it, and told.
    pub(super) fn settle_in(&mut self, next: Heard, stopped: &dyn Fn() -> bool) -> io::Result<()> {
        self.producer = next;
        Transacting::start(&self.producer, stopped)?;
        if let Some(transacting) = &self.transacting {
            transacting.begin();
        }
        self.desk.tray().broken = false;
        Ok(())
    }

    /// Takes back what an earlier producer of this name may have left open, for the group does not say where a
    /// partition begins: what the coordinator knows is taken back for the new producer, and what it does not
    /// know ends with the next transaction of that name that reaches the group's offsets.
    fn take_back_own(&mut self, topic: &str, partition: i32) -> Result<(), Undone> {
        let (shutdown, voice) = (&self.settings.shutdown, &self.settings.cluster.voice);
        voice.say(
            "kafka: the group does not return its committed offset; aborting what this `instance` \
             left open",
        );
        let (begun, shutdown) = (Instant::now(), shutdown.clone());
        let next = producer(&self.settings, &self.desk).map_err(Undone::Failed)?;
        let stopped = || shutdown.abandons(begun, PATIENCE);
        self.settle_in(next, &stopped).map_err(Undone::Failed)?;
        let group = self.transacting.as_ref().and_then(|it| it.group.as_ref()?(&[]));
        let Some((mut offsets, member)) = group else { return Ok(()) };
        // It is taken back: the offset is never committed.
        let _ = offsets.add_partition_offset(topic, partition, Offset::Offset(0));
        self.call(|producer| producer.begin_transaction())?;
        let _ = self.call(|producer| producer.send_offsets_to_transaction(&offsets, &member, CALL));
        self.call(|producer| producer.abort_transaction(CALL))
    }

    /// Rests for so long, unless somebody wants the end.
    fn rest(&self, rest: Duration) {
        let until = Instant::now() + rest;
        while Instant::now() < until && self.settings.shutdown.phase() == Phase::Running {
            std::thread::sleep(ROOM);
        }
    }
}

impl Transactions for KafkaSink {
    fn begin(&mut self) -> Result<(), Undone> {
        if let Some(transacting) = &self.transacting {
            transacting.begin();
        }
        self.desk.tray().denied.clear();
        self.take_certificates_between().map_err(Undone::Failed)?;
        self.call(|producer| producer.begin_transaction())
    }

    fn commit(&mut self, reached: &[Reached]) -> Result<(), Undone> {
        // Reports come before librdkafka takes the records off its own account.
        if !self.settled() {
            return Err(Undone::Abort);
        }
        let group = self.transacting.as_ref().and_then(|it| it.group.as_ref()?(reached));
        let Some((offsets, member)) = group else { return Err(Undone::Abort) };
        let vitals = self.settings.cluster.voice.vitals.clone();
        vitals.stored();
        let committed = self
            .call(|producer| producer.send_offsets_to_transaction(&offsets, &member, CALL))
            .and_then(|()| self.call(|producer| producer.commit_transaction(CALL)));
        vitals.committed(committed.is_ok());
        committed?;
        if let Some(transacting) = &mut self.transacting {
            transacting.backoff.reset();
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        let Some((topic, partition)) = self.settings.cluster.voice.vitals.without_offset() else {
            return Ok(());
        };
        let Some(transacting) = &mut self.transacting else { return Ok(()) };
        if transacting.taken_back.is_some_and(|last| last.elapsed() < TAKEN_BACK_EVERY) {
            return Ok(());
        }
        transacting.taken_back = Some(Instant::now());
        match self.take_back_own(&topic, partition) {
            Ok(()) => Ok(()),
            // Somebody wants the end, which comes anyway.
            Err(Undone::Failed(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(Undone::Failed(error)) => Err(error),
            Err(Undone::Abort) => self.renew(),
        }
    }

    fn abort(&mut self) -> io::Result<()> {
        match self.call(|producer| producer.abort_transaction(CALL)) {
            Ok(()) => {}
            Err(Undone::Failed(error)) => return Err(error),
            Err(Undone::Abort) => {
                if let Some(transacting) = &self.transacting {
                    transacting.look();
                }
                self.renew()?;
            }
        }
        self.settings.cluster.voice.say("kafka: a transaction was aborted; retrying");
        let rest = self.transacting.as_mut().map(|transacting| transacting.backoff.next_wait());
        self.rest(rest.unwrap_or_default());
        Ok(())
    }
}
