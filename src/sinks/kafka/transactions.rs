//! Transactions: records, dead letters and source offsets are committed together or not at all.
//!
//! This follows librdkafka's manual: a retriable error is retried; an error that requires an abort
//! causes one; after a fatal error a new producer replaces the old one, and aborts what that left
//! open. The run only ends if another process has taken over, or if this one lacks a permission.

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
    codes::{broken, is_denied, is_fence, is_retriable},
    fenced::{Fenced, Fences, Next},
    polled_producer::PolledProducer,
    producer,
    recreate::is_hopeless,
};
use crate::{
    kafka::{Backoff, Fault, about},
    pipeline::records::{Reached, Transactions, Undone},
    shutdown::Phase,
};

/// The transaction timeout, after which the coordinator aborts. Our transactions end long before.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
/// The timeout of one call, which is then repeated.
const CALL: Duration = Duration::from_secs(2);
/// The delay after an aborted transaction, which doubles with each further one: the first and the
/// maximum.
const REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(5);
/// How often to abort transactions that were left open, if the group does not return its committed
/// offset.
const TAKEN_BACK_EVERY: Duration = Duration::from_secs(60);
/// A process that does not check for this long was suspended, and another may have taken over.
const SLEPT: Duration = Duration::from_secs(8);

/// Returns the offsets for the given progress and the group metadata, or `None` if the member no
/// longer has all of the partitions.
pub(super) type Group =
    dyn Fn(&[Reached]) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> + Send;

/// The state of a sink with transactions.
pub(super) struct Transacting {
    /// `None` before the group is joined.
    group: Option<Box<Group>>,
    /// The delay after aborted transactions.
    backoff: Backoff,
    /// When the transaction began.
    begun: Cell<Instant>,
    /// When the sink was last active, and whether the process was suspended since the transaction
    /// began.
    looked: Cell<Instant>,
    slept: Cell<bool>,
    fences: Fences,
    /// When transactions that were left open were last aborted.
    taken_back: Option<Instant>,
}

/// Returns the properties of a producer with the transactional id `id`.
pub(super) fn properties(id: &str) -> [(&'static str, String); 2] {
    [
        ("transactional.id", id.to_owned()),
        ("transaction.timeout.ms", TIMEOUT.as_millis().to_string()),
    ]
}

impl Transacting {
    /// Makes `producer` the only one with its id: another one is fenced, and what it left open is
    /// aborted.
    pub(super) fn start(producer: &PolledProducer, stopped: &dyn Fn() -> bool) -> io::Result<Self> {
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

    /// Records that the process is active.
    pub(super) fn look(&self) {
        self.slept.set(self.slept.get() || self.looked.get().elapsed() >= SLEPT);
        self.looked.set(Instant::now());
    }

    /// Resets the times for a new transaction.
    fn begin(&self) {
        self.begun.set(Instant::now());
        self.looked.set(Instant::now());
        self.slept.set(false);
    }
}

impl KafkaSink {
    /// Sets the group whose offsets are committed in transactions.
    pub fn with_group(&mut self, group: Box<Group>) {
        if let Some(transacting) = &mut self.transacting {
            transacting.group = Some(group);
        }
    }

    /// Repeats a call until there is an answer.
    fn call(&self, call: impl Fn(&PolledProducer) -> Result<(), KafkaError>) -> Result<(), Undone> {
        let begun = Instant::now();
        loop {
            self.attend();
            let Err(error) = call(&self.producer) else { return Ok(()) };
            if let Some(code) = error.rdkafka_error_code().filter(|code| is_denied(*code)) {
                // The call would be refused again.
                self.settings.cluster.reporter.member_status.count_error(Fault::of(code));
                return Err(Undone::Failed(about("kafka: the transaction", &error)));
            }
            let fatal = self.producer.client().fatal_error().is_some();
            if fatal || !is_retriable(&error) {
                return Err(Undone::Abort);
            }
            self.settings.cluster.reporter.fault(&error);
            if is_hopeless(&self.made_with, begun) {
                return Err(Undone::Abort);
            }
            if self.settings.shutdown.abandons(begun, PATIENCE) {
                return Err(Undone::Failed(about("kafka: the transaction", &error)));
            }
        }
    }

    /// Replaces a failed producer, unless that would break a delivery guarantee.
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
                let reporter = &self.settings.cluster.reporter;
                reporter.say(&format!("kafka: {what}; continuing with a new producer"));
                producer(&self.settings, &self.delivery_reports)?
            }
        };
        self.settle_in(next, &stopped).map_err(|error| match stopped() {
            true => broken(fatal),
            false => error,
        })
    }

    /// Waits until it is clear that the producer was not fenced by another process. Returns whether
    /// its transaction timed out.
    ///
    /// # Errors
    /// It was fenced by another process, or a shutdown was requested.
    fn is_alone(&mut self, stopped: &dyn Fn() -> bool) -> io::Result<bool> {
        let member_status = self.settings.cluster.reporter.member_status.clone();
        let Some(transacting) = &mut self.transacting else { return Ok(true) };
        let (at, slept) = (Instant::now(), transacting.slept.get());
        let fenced = Fenced { age: transacting.begun.get().elapsed(), slept, at };
        loop {
            match transacting.fences.judge(fenced, Instant::now(), member_status.is_replaced()) {
                Next::NewProducer => return Ok(fenced.by_time()),
                Next::End => return Err(broken(Some(Code::ProducerFenced))),
                Next::Wait if stopped() => return Err(broken(Some(Code::ProducerFenced))),
                Next::Wait => std::thread::sleep(ROOM),
            }
        }
    }

    /// Replaces the producer. The records that are still in the old one are given up and reported.
    pub(super) fn settle_in(
        &mut self,
        next: PolledProducer,
        stopped: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        self.producer = next;
        Transacting::start(&self.producer, stopped)?;
        if let Some(transacting) = &self.transacting {
            transacting.begin();
        }
        self.delivery_reports.pending().broken = false;
        Ok(())
    }

    /// Aborts what an earlier producer with this id may have left open, because the group does not
    /// return its committed offset. Transactions that the coordinator knows are aborted for the new
    /// producer. One that it does not know ends with the next transaction of this id that includes
    /// offsets of the group.
    fn take_back_own(&mut self, topic: &str, partition: i32) -> Result<(), Undone> {
        let (shutdown, reporter) = (&self.settings.shutdown, &self.settings.cluster.reporter);
        reporter.say(
            "kafka: the group does not return its committed offset; aborting what this `instance` \
             left open",
        );
        let (begun, shutdown) = (Instant::now(), shutdown.clone());
        let next = producer(&self.settings, &self.delivery_reports).map_err(Undone::Failed)?;
        let stopped = || shutdown.abandons(begun, PATIENCE);
        self.settle_in(next, &stopped).map_err(Undone::Failed)?;
        let group = self.transacting.as_ref().and_then(|it| it.group.as_ref()?(&[]));
        let Some((mut offsets, member)) = group else { return Ok(()) };
        // The transaction is aborted, so this offset is never committed.
        let _ = offsets.add_partition_offset(topic, partition, Offset::Offset(0));
        self.call(|producer| producer.begin_transaction())?;
        let _ = self.call(|producer| producer.send_offsets_to_transaction(&offsets, &member, CALL));
        self.call(|producer| producer.abort_transaction(CALL))
    }

    /// Waits, unless a shutdown is requested.
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
        self.delivery_reports.pending().denied.clear();
        self.take_certificates_between().map_err(Undone::Failed)?;
        self.call(|producer| producer.begin_transaction())
    }

    fn commit(&mut self, reached: &[Reached]) -> Result<(), Undone> {
        // Reports arrive before librdkafka decrements its count of records in flight.
        if !self.settled() {
            return Err(Undone::Abort);
        }
        let group = self.transacting.as_ref().and_then(|it| it.group.as_ref()?(reached));
        let Some((offsets, member)) = group else { return Err(Undone::Abort) };
        let member_status = self.settings.cluster.reporter.member_status.clone();
        member_status.stored();
        let committed = self
            .call(|producer| producer.send_offsets_to_transaction(&offsets, &member, CALL))
            .and_then(|()| self.call(|producer| producer.commit_transaction(CALL)));
        member_status.committed(committed.is_ok());
        committed?;
        if let Some(transacting) = &mut self.transacting {
            transacting.backoff.reset();
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        let Some((topic, partition)) =
            self.settings.cluster.reporter.member_status.without_offset()
        else {
            return Ok(());
        };
        let Some(transacting) = &mut self.transacting else { return Ok(()) };
        if transacting.taken_back.is_some_and(|last| last.elapsed() < TAKEN_BACK_EVERY) {
            return Ok(());
        }
        transacting.taken_back = Some(Instant::now());
        match self.take_back_own(&topic, partition) {
            Ok(()) => Ok(()),
            // A shutdown was requested, which ends the run anyway.
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
        self.settings.cluster.reporter.say("kafka: a transaction was aborted; retrying");
        let rest = self.transacting.as_mut().map(|transacting| transacting.backoff.next_wait());
        self.rest(rest.unwrap_or_default());
        Ok(())
    }
}
