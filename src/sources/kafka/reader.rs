//! The thread that is the member of the group.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};

use super::{
    MOST_READY, Settings,
    arrival::Arrival,
    hold::Holds,
    member::{Member, WAITS_FROM, member},
    rebalance::{Ear, keep, list},
    shared::Shared,
};
use crate::{
    kafka::{Given, MadeWith, about},
    pipeline::{
        Reason,
        records::{Block, Place},
    },
    shutdown::Phase,
};

/// How long to rest at most: everything that happens wakes the thread up.
pub(super) const REST: Duration = Duration::from_millis(50);
/// How long a member without partitions waits for some, where it ends by itself.
const NONE_FOR: Duration = Duration::from_secs(3);
/// How long the group may take at the end to say which partitions are whose.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// A partition's queue.
pub(super) struct Lane {
    pub(super) place: Place,
    queue: PartitionQueue<Ear>,
    /// What stands there and behind is not for this run.
    end: Option<i64>,
    /// It came there.
    over: bool,
}

pub(super) struct Reader {
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) consumer: Arc<BaseConsumer<Ear>>,
    pub(super) member: Member,
    given: Given,
    pub(super) made_with: MadeWith,
    pub(super) holds: Holds,
    pub(super) lanes: Vec<Lane>,
    arrival: Arrival,
    /// Which lane is first in the next block.
    first: usize,
    /// Since when it has no partitions.
    none_since: Option<Instant>,
    /// When it is said next that it waits, counted from when it began to.
    pub(super) said_at: Duration,
    pub(super) ended: bool,
}

impl Reader {
    /// The member, for whoever commits for it.
    pub(super) fn member(&self) -> Member {
        self.member.clone()
    }

    /// Joins the group.
    pub(super) fn join(settings: Settings, shared: Arc<Shared>) -> io::Result<Self> {
        let made_with = settings.cluster.tls.taken();
        let consumer = member(&settings, &shared)?;
        let (member, lanes) = (Member::of(&consumer), Vec::new());
        let holds = Holds::quarantined(settings.notes.as_deref());
        let arrival = Arrival::new(settings.max_event_bytes, settings.framing);
        let (first, none_since, ended) = (0, None, false);
        Ok(Self {
            settings,
            shared,
            consumer,
            member,
            given: Given::default(),
            made_with,
            holds,
            lanes,
            arrival,
            first,
            none_since,
            said_at: WAITS_FROM,
            ended,
        })
    }

    /// Until everything that was read is delivered, or is given up.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let work = AssertUnwindSafe(move || {
            while !self.turn() {}
            self.farewell()
        });
        let kept = catch_unwind(work).unwrap_or_else(|_| {
            let what = "an internal error (see above); please report it";
            shared.end(Some(io::Error::other(what)));
            Ok(())
        });
        shared.finished(kept);
    }

    /// Hears what the group has to tell.
    pub(super) fn hear(&mut self) {
        let consumer = self.consumer.clone();
        while let Some(event) = consumer.poll(Duration::ZERO) {
            match event {
                Ok(message) => self.astray(&message),
                Err(KafkaError::PartitionEOF(partition)) => self.end_astray(partition),
                Err(error) => self.told(&error, None),
            }
        }
    }

    /// Serves the group, and reads if there is room; `true`: nothing more will be delivered.
    fn turn(&mut self) -> bool {
        self.hear();
        self.given.renew(&self.settings.cluster.voice, self.consumer.client());
        if !self.ended {
            self.say_what_is_awaited();
            match self.shared.refusal() {
                Some(why) => self.end(Some(why)),
                None => self.serve_holds(),
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

    /// A lane for each partition that came, and none for one that went.
    fn follow_assignment(&mut self) {
        if self.ended {
            return;
        }
        let places = self.shared.places();
        let same = places.len() == self.lanes.len()
            && places.iter().zip(&self.lanes).all(|(place, lane)| place.id == lane.place.id);
        if same {
            return;
        }
        self.lanes.retain(|lane| places.iter().any(|place| place.id == lane.place.id));
        for place in places {
            if self.lanes.iter().any(|lane| lane.place.id == place.id) {
                continue;
            }
            let Some(mut queue) =
                self.consumer.split_partition_queue(&place.topic, place.partition)
            else {
                continue;
            };
            let shared = self.shared.clone();
            queue.set_nonempty_callback(move || shared.poke());
            let end = self.settings.letters.as_ref().map(|letters| letters.end(&place));
            self.lanes.push(Lane { place, queue, end, over: end == Some(0) });
        }
        self.lanes.sort_by_key(|lane| lane.place.id);
    }

    /// Fills a block with what is there; whether anything was.
    fn fill(&mut self) -> bool {
        let Some(mut block) = self.shared.room(MOST_READY) else { return false };
        block.clear();
        let mut lanes = std::mem::take(&mut self.lanes);
        let (bytes, first) = (self.settings.block_bytes, self.first);
        'full: for at in 0..lanes.len() {
            let number = (first + at) % lanes.len();
            let lane = &mut lanes[number];
            let skips = self.holds.skips(&lane.place);
            if self.one_by_one(lane) {
                // It is alone in its block: behind others it waits for the next.
                if block.records().is_empty() {
                    self.take(lane, &mut block, &skips);
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
                    // The one that filled it comes last the next time.
                    self.first = number + 1;
                    break 'full;
                }
                if !self.take(lane, &mut block, &skips) {
                    break;
                }
            }
        }
        if !self.ended {
            self.lanes = lanes;
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

    /// Takes what comes next in a lane; `false`: nothing for now.
    fn take(&mut self, lane: &mut Lane, block: &mut Block, skips: &[(i64, Reason)]) -> bool {
        if lane.over {
            return false;
        }
        match lane.queue.poll(Duration::ZERO) {
            Some(Ok(message)) if lane.end.is_some_and(|end| message.offset() >= end) => {
                lane.over = true;
            }
            Some(Ok(message)) => self.push(block, &lane.place, &message, skips),
            // What ends there now ended there or before.
            Some(Err(KafkaError::PartitionEOF(_))) => lane.over = lane.end.is_some(),
            Some(Err(error)) => self.told(&error, Some(&lane.place)),
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

    /// Whether all that was there at the start is delivered, where nothing else is wanted.
    fn is_through(&mut self) -> bool {
        if self.settings.letters.is_none() || self.shared.vitals.ready().is_err() {
            return false;
        }
        let places = self.shared.places().len();
        if places == 0 {
            // Another member may have all of them, or is about to give some away.
            return self.none_since.get_or_insert_with(Instant::now).elapsed() >= NONE_FOR;
        }
        self.none_since = None;
        self.lanes.len() == places
            && self.lanes.iter().all(|lane| lane.over)
            && self.shared.is_settled()
    }

    /// A partition ended before it had a lane: it is read again, so that its lane ends, too.
    fn end_astray(&mut self, partition: i32) {
        let places = self.shared.places().into_iter();
        for place in places.filter(|place| place.partition == partition) {
            self.go_back(&place.topic, Some(partition));
        }
    }

    /// Whether runs died of what comes next in a lane.
    fn one_by_one(&self, lane: &Lane) -> bool {
        let last = self.settings.notes.as_ref().and_then(|notes| notes.one_by_one(&lane.place));
        last.is_some_and(|last| {
            let reached = self.shared.reached(&lane.place.topic, lane.place.partition);
            reached.is_none_or(|(handed, _)| handed <= last)
        })
    }

    /// A record that came before its partition had a lane.
    fn astray(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, partition) = (message.topic(), message.partition());
        let places = self.shared.places();
        let known = places.iter().find(|place| place.is(topic, partition));
        // After the end, what is not handed out is read again by the next.
        if let Some(place) = known.filter(|_| !self.ended) {
            let mut block = Block::default();
            let end = self.settings.letters.as_ref().map(|letters| letters.end(place));
            if end.is_some_and(|end| message.offset() >= end) {
                return;
            }
            let skips = self.holds.skips(place);
            self.push(&mut block, place, message, &skips);
            block.seal();
            self.shared.hand(block);
        }
    }

    pub(super) fn end(&mut self, error: Option<io::Error>) {
        self.ended = true;
        self.lanes.clear();
        self.shared.end(error);
    }

    /// Stores what was delivered; librdkafka commits it soon.
    fn store(&self) {
        let reached = self.shared.to_store();
        if !reached.is_empty() {
            // One that went meanwhile was committed when it went.
            let _ = self.consumer.store_offsets(&list(&reached));
        }
    }

    /// Commits what was delivered, and leaves the group.
    fn farewell(mut self) -> io::Result<()> {
        self.lanes.clear();
        let until = Instant::now() + SETTLED_WITHIN;
        let kept = loop {
            match self.commit() {
                // The group is sharing its partitions out anew: this member waits to be told which.
                Err(error) if is_unsettled(&error) && Instant::now() < until => {
                    let _ = self.consumer.poll(REST);
                }
                kept => break kept,
            }
        };
        // Who ends for another reason is started again, as a rule.
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

/// Whether a commit came between two ways of a group to share its partitions out.
fn is_unsettled(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress};
    matches!(error.rdkafka_error_code(), Some(IllegalGeneration | RebalanceInProgress))
}
