//! The thread that is the member of the group.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue as MessageQueue},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};

use super::{
    MOST_READY, Settings,
    arrival::Arrival,
    member::{Member, WAITS_FROM, member},
    paused::PausedPartitions,
    rebalance::{ClientCallbacks, keep, list},
    shared::Shared,
};
use crate::{
    kafka::{AppliedPassword, MadeWith, about},
    pipeline::{
        Reason,
        records::{Block, Place},
    },
    shutdown::Phase,
};

/// How long to sleep at most; every event wakes the thread up.
pub(super) const REST: Duration = Duration::from_millis(50);
/// How long a replay without assigned partitions waits before it ends.
const NONE_FOR: Duration = Duration::from_secs(3);
/// How long the group may take at the end to finish a rebalance.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// The queue of a partition.
pub(super) struct PartitionQueue {
    pub(super) place: Place,
    messages: MessageQueue<ClientCallbacks>,
    /// Where a replay ends.
    end: Option<i64>,
    /// Whether the end was reached.
    over: bool,
}

pub(super) struct Reader {
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) consumer: Arc<BaseConsumer<ClientCallbacks>>,
    pub(super) member: Member,
    applied_password: AppliedPassword,
    pub(super) made_with: MadeWith,
    pub(super) paused: PausedPartitions,
    pub(super) queues: Vec<PartitionQueue>,
    arrival: Arrival,
    /// The index of the queue that is first in the next block.
    first: usize,
    /// Since when no partitions are assigned.
    none_since: Option<Instant>,
    /// How long the member has waited when this is reported next.
    pub(super) said_at: Duration,
    pub(super) ended: bool,
}

impl Reader {
    /// Returns the member, which is used to commit.
    pub(super) fn member(&self) -> Member {
        self.member.clone()
    }

    /// Joins the group.
    pub(super) fn join(settings: Settings, shared: Arc<Shared>) -> io::Result<Self> {
        let made_with = settings.cluster.tls.taken();
        let consumer = member(&settings, &shared)?;
        let (member, queues) = (Member::of(&consumer), Vec::new());
        let paused = PausedPartitions::quarantined(settings.notes.as_deref());
        let arrival = Arrival::new(settings.max_event_bytes, settings.framing);
        let arrival = arrival.within(&settings.window);
        let (first, none_since, ended) = (0, None, false);
        Ok(Self {
            settings,
            shared,
            consumer,
            member,
            applied_password: AppliedPassword::default(),
            made_with,
            paused,
            queues,
            arrival,
            first,
            none_since,
            said_at: WAITS_FROM,
            ended,
        })
    }

    /// Runs until everything that was read is delivered or given up.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let work = AssertUnwindSafe(move || {
            while !self.turn() {}
            self.commit_and_leave()
        });
        let kept = catch_unwind(work).unwrap_or_else(|_| {
            let what = "an internal error (see above); please report it";
            shared.end(Some(io::Error::other(what)));
            Ok(())
        });
        shared.finished(kept);
    }

    /// Processes the events of the group.
    pub(super) fn serve_events(&mut self) {
        let consumer = self.consumer.clone();
        while let Some(event) = consumer.poll(Duration::ZERO) {
            match event {
                Ok(message) => self.unqueued_record(&message),
                Err(KafkaError::PartitionEOF(partition)) => self.unqueued_end(partition),
                Err(error) => self.handle_error(&error, None),
            }
        }
    }

    /// Serves the group, and reads if there is room. Returns `true` when nothing more will be
    /// delivered.
    fn turn(&mut self) -> bool {
        self.serve_events();
        self.applied_password.renew(&self.settings.cluster.reporter, self.consumer.client());
        if !self.ended {
            self.say_what_is_awaited();
            match self.shared.refusal() {
                Some(why) => self.end(Some(why)),
                None => self.serve_paused(),
            }
        }
        self.follow_assignment();
        if !self.settings.in_transactions {
            self.store();
        }
        if self.shared.is_finishing() {
            return true;
        }
        if !self.ended && self.settings.shutdown.phase() != Phase::Running {
            self.end(None);
        }
        if !self.ended && self.is_through() {
            self.end(None);
        }
        if !self.ended {
            self.renew_member();
        }
        if self.ended || self.shared.is_taken_back() || !self.fill() {
            self.shared.rest(REST);
        }
        false
    }

    /// Creates a queue for each assigned partition, and removes those of revoked ones.
    fn follow_assignment(&mut self) {
        if self.ended {
            return;
        }
        let places = self.shared.places();
        let same = places.len() == self.queues.len()
            && places.iter().zip(&self.queues).all(|(place, queue)| place.id == queue.place.id);
        if same {
            return;
        }
        self.queues.retain(|queue| places.iter().any(|place| place.id == queue.place.id));
        for place in places {
            if self.queues.iter().any(|queue| queue.place.id == place.id) {
                continue;
            }
            let Some(mut messages) =
                self.consumer.split_partition_queue(&place.topic, place.partition)
            else {
                continue;
            };
            let shared = self.shared.clone();
            messages.set_nonempty_callback(move || shared.poke());
            let end = self.settings.letters.as_ref().map(|letters| letters.end(&place));
            self.queues.push(PartitionQueue { place, messages, end, over: end == Some(0) });
        }
        self.queues.sort_by_key(|queue| queue.place.id);
    }

    /// Fills a block with the available records, and returns whether there were any.
    fn fill(&mut self) -> bool {
        let Some(mut block) = self.shared.room(MOST_READY) else { return false };
        block.clear();
        let mut queues = std::mem::take(&mut self.queues);
        let (bytes, first) = (self.settings.block_bytes, self.first);
        'full: for at in 0..queues.len() {
            let number = (first + at) % queues.len();
            let queue = &mut queues[number];
            let skips = self.paused.skips(&queue.place);
            if self.one_by_one(queue) {
                // Such a record is alone in its block, so it waits for the next block if this one
                // has records.
                if block.records().is_empty() {
                    self.take(queue, &mut block, &skips);
                    if !block.records().is_empty() {
                        self.first = number + 1;
                        break 'full;
                    }
                } else {
                    self.first = number;
                }
                continue;
            }
            loop {
                if block.is_full(bytes) {
                    // The partition that filled the block is last in the next one.
                    self.first = number + 1;
                    break 'full;
                }
                if !self.take(queue, &mut block, &skips) {
                    break;
                }
            }
        }
        if !self.ended {
            self.queues = queues;
        }
        let filled = !block.records().is_empty();
        block.seal();
        if filled {
            self.shared.hand(block);
        } else {
            self.shared.give_back(block);
        }
        filled
    }

    /// Takes the next record from a queue. Returns `false` if there is none.
    fn take(
        &mut self,
        queue: &mut PartitionQueue,
        block: &mut Block,
        skips: &[(i64, Reason)],
    ) -> bool {
        if queue.over {
            return false;
        }
        match queue.messages.poll(Duration::ZERO) {
            Some(Ok(message)) if queue.end.is_some_and(|end| message.offset() >= end) => {
                queue.over = true;
            }
            Some(Ok(message)) => self.push(block, &queue.place, &message, skips),
            // The partition ends here now, so it had its end here or before.
            Some(Err(KafkaError::PartitionEOF(_))) => queue.over = queue.end.is_some(),
            Some(Err(error)) => self.handle_error(&error, Some(&queue.place)),
            None => return false,
        }
        true
    }

    fn push(
        &mut self,
        block: &mut Block,
        place: &Place,
        message: &BorrowedMessage<'_>,
        skips: &[(i64, Reason)],
    ) {
        match &self.settings.letters {
            None => self.arrival.push(block, place, message, skips),
            Some(letters) => letters.push(&mut self.arrival, block, place, message, skips),
        }
    }

    /// Returns whether a replay has delivered all dead letters that existed at the start.
    fn is_through(&mut self) -> bool {
        if self.settings.letters.is_none() || self.shared.member_status.ready().is_err() {
            return false;
        }
        let places = self.shared.places().len();
        if places == 0 {
            // Another member may have all partitions, or be about to give some up.
            return self.none_since.get_or_insert_with(Instant::now).elapsed() >= NONE_FOR;
        }
        self.none_since = None;
        self.queues.len() == places
            && self.queues.iter().all(|queue| queue.over)
            && self.shared.is_settled()
    }

    /// Handles the end of a partition that has no queue yet: it is read again, so that its queue
    /// ends, too.
    fn unqueued_end(&mut self, partition: i32) {
        let places = self.shared.places().into_iter();
        for place in places.filter(|place| place.partition == partition) {
            self.go_back(&place.topic, Some(partition));
        }
    }

    /// Returns whether the next record in a queue is suspected to crash the process.
    fn one_by_one(&self, queue: &PartitionQueue) -> bool {
        let last = self.settings.notes.as_ref().and_then(|notes| notes.one_by_one(&queue.place));
        last.is_some_and(|last| {
            let reached = self.shared.reached(&queue.place.topic, queue.place.partition);
            reached.is_none_or(|(handed, _)| handed <= last)
        })
    }

    /// Handles a record that arrived before its partition had a queue.
    fn unqueued_record(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, partition) = (message.topic(), message.partition());
        let places = self.shared.places();
        let known = places.iter().find(|place| place.is(topic, partition));
        // After the end, records that are not handed out are read again by the next run.
        if let Some(place) = known.filter(|_| !self.ended) {
            let mut block = Block::default();
            let end = self.settings.letters.as_ref().map(|letters| letters.end(place));
            if end.is_some_and(|end| message.offset() >= end) {
                return;
            }
            let skips = self.paused.skips(place);
            self.push(&mut block, place, message, &skips);
            block.seal();
            self.shared.hand(block);
        }
    }

    pub(super) fn end(&mut self, error: Option<io::Error>) {
        self.ended = true;
        self.queues.clear();
        self.shared.end(error);
    }

    /// Stores the offsets of delivered records, which librdkafka commits soon.
    fn store(&self) {
        let reached = self.shared.to_store();
        if !reached.is_empty() {
            // A partition that was revoked meanwhile was committed then.
            let _ = self.consumer.store_offsets(&list(&reached));
        }
    }

    /// Commits the offsets of delivered records, and leaves the group.
    fn commit_and_leave(mut self) -> io::Result<()> {
        self.queues.clear();
        let until = Instant::now() + SETTLED_WITHIN;
        let kept = loop {
            match self.commit() {
                // The group is rebalancing, so this member waits for its new assignment.
                Err(error) if is_unsettled(&error) && Instant::now() < until => {
                    let _ = self.consumer.poll(REST);
                }
                kept => break kept,
            }
        };
        // A process that ends for another reason is usually restarted.
        if self.settings.leaves && self.settings.shutdown.phase() != Phase::Running {
            self.leave_for_good();
        }
        kept.map_err(|error| about("kafka: the offsets were not committed", &error))
    }

    fn commit(&self) -> KafkaResult<()> {
        let ids: Vec<_> = self.shared.places().iter().map(|place| place.id).collect();
        let reached = self.consumer.context().reached(&self.consumer, &ids);
        match reached.count() {
            0 => Ok(()),
            _ => keep(&self.consumer, &reached),
        }
    }
}

/// Returns whether a commit failed because the group is rebalancing.
fn is_unsettled(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress};
    matches!(error.rdkafka_error_code(), Some(IllegalGeneration | RebalanceInProgress))
}
