//! Topics as a source: a member of a consumer group, on a thread of its own.
//!
//! | file | does |
//! | --- | --- |
//! | `arrival` | converts a message to a record of a block, decompressed |
//! | `shared` | the state that the thread and the pipeline share: filled blocks, and the progress of each partition |
//! | `dead_letters` | converts a dead letter to its original record, and ends a replay |
//! | `paused` | what is not read: topics with an error of their own, and what an operator paused or skips |
//! | `member` | joins the group, and rejoins it when more partitions need smaller buffers, or certificates changed |
//! | `membership` | the name and group of a member, and the messages about it |
//! | `leave` | removes a member from its group that does not come back |
//! | `measure` | metrics of blocks |
//! | `poison` | records that crash the process that judges them |
//! | `rebalance` | callbacks: partitions that are assigned and revoked |
//! | `monitor` | checks the topics, partitions and certificates periodically |
//! | `unread` | checks whether all partitions are assigned |
//! | `start` | where a partition begins |
//! | `reader` | the thread: serves the group whatever the sink does, and reads while there is room |
//! | `fetch_errors` | errors while reading |
//!
//! Fetched records wait in a queue for each partition, and stay there while there is no room.

mod arrival;
mod dead_letters;
mod fetch_errors;
mod leave;
mod measure;
mod member;
mod membership;
mod monitor;
mod paused;
mod poison;
mod reader;
mod rebalance;
mod shared;
mod start;
mod unread;

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    consumer::{Consumer as _, ConsumerGroupMetadata},
};

use crate::{
    compression::Window,
    journal::Event,
    kafka::Cluster,
    pipeline::records::{Block, Next, Offsets, Piece, Reached, RecordSource, ValueFraming},
    shutdown::Shutdown,
};
pub use arrival::WINDOW_LOG;
pub use dead_letters::{DeadLetters, Narrow};
pub use leave::leave;
use member::Member;
pub use monitor::Judge;
pub use poison::{Notes, Noting};
use reader::Reader;
use rebalance::list;
use shared::Shared;
pub use start::{Begin, Starts};
pub use unread::Reads;
use unread::Unread;

/// The maximum number of filled blocks that wait.
const MOST_READY: usize = 2;
/// The blocks of the source, in addition to those of the pipeline: those that wait, and one to
/// fill.
pub const BLOCKS: usize = MOST_READY + 1;
/// The minimum size of the buffer of a partition.
const LEAST_BYTES: usize = 64 << 10;
/// The maximum size of a fetch response.
const ANSWER_BYTES: usize = 4 << 20;

/// Returns the maximum memory of the source with buffers of `ahead` bytes, without blocks and
/// decoders.
pub fn source_bytes(ahead: usize) -> u64 {
    (ahead + 2 * ANSWER_BYTES) as u64
}

/// How long committing offsets may take at the end.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

/// The settings of the source.
pub struct Settings {
    /// The cluster.
    pub cluster: Cluster,
    /// Topic names, or regular expressions that begin with `^`.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// The name of this process in the group, if it is a static member.
    pub instance: Option<String>,
    /// Whether it leaves the group at the end, so that other members take over its partitions at
    /// once.
    pub leaves: bool,
    /// The number of partitions of these topics.
    pub partitions: usize,
    /// The size of the buffers for fetched records of all partitions together, in bytes.
    pub ahead_bytes: usize,
    /// The size at which a block is handed to the pipeline.
    pub block_bytes: usize,
    /// The maximum size of a record, with its key and headers.
    pub max_event_bytes: usize,
    /// Whether offsets are committed in the sink's transactions.
    pub in_transactions: bool,
    /// The format of a value.
    pub framing: ValueFraming,
    /// The window of a decoder of values.
    pub window: Window,
    /// Where partitions without a valid committed offset begin.
    pub starts: Starts,
    /// Set for a replay: the original records of dead letters are read, and the run ends where the
    /// dead letters end.
    pub letters: Option<DeadLetters>,
    /// Notes about records that crash the process, if they are configured.
    pub notes: Option<Arc<Notes>>,
    /// Whether a topic is read; set if the assignment of all partitions is to be checked.
    pub reads: Option<Reads>,
    /// Checks the topics of the cluster whenever they may have changed. An error ends the run.
    pub judge: Judge,
    /// The shutdown state.
    pub shutdown: Shutdown,
}

impl Settings {
    /// Returns the size of the buffer and of the fetch response of each partition.
    fn shares(&self) -> (usize, usize) {
        let share = self.ahead_bytes / self.partitions.max(1);
        ((share / 2).clamp(LEAST_BYTES, 8 << 20), (share / 2).clamp(LEAST_BYTES, 1 << 20))
    }
}

/// A member of a consumer group.
pub struct KafkaSource(Arc<Shared>);

/// Commits the offsets of delivered records.
pub struct KafkaOffsets {
    shared: Arc<Shared>,
    member: Member,
    thread: Option<JoinHandle<()>>,
}

impl KafkaSource {
    /// Joins the group.
    ///
    /// # Errors
    /// librdkafka rejects a property, or a thread cannot be started.
    pub fn open(settings: Settings) -> io::Result<(Self, KafkaOffsets)> {
        let shared = Arc::new(Shared::new(settings.cluster.reporter.member_status.clone()));
        let reporter = &settings.cluster.reporter;
        if let Some(notes) = &settings.notes {
            for what in notes.shown() {
                let what = format!("{what}; they are now judged one by one");
                reporter.tell(Event::RecordsSuspected, &what);
            }
            for (topic, partition, offset) in notes.quarantined() {
                let what = format!(
                    "{topic}[{partition}]:{offset}: quarantined, because the process crashed \
                     repeatedly on this record"
                );
                let fields = [
                    ("topic", topic.into()),
                    ("partition", partition.into()),
                    ("offset", offset.into()),
                    ("reason", "poison".into()),
                ];
                reporter.tell_with(Event::RecordQuarantined, &what, &fields);
            }
        }
        let (cluster, judge) = (settings.cluster.clone(), settings.judge.clone());
        let mut settings = settings;
        let reads = settings.reads.take().filter(|_| settings.instance.is_some());
        let unread = reads.map(|reads| Unread::new(settings.group.clone(), reads));
        let reader = Reader::join(settings, shared.clone())?;
        let member = reader.member();
        let thread = thread::Builder::new().name("kafka".into()).spawn(move || reader.run())?;
        monitor::start(cluster, judge, shared.clone(), unread)?;
        Ok((Self(shared.clone()), KafkaOffsets { shared, member, thread: Some(thread) }))
    }
}

impl KafkaOffsets {
    /// Returns a function that converts progress to offsets, and returns the group metadata for a
    /// transaction. It returns `None` if this member no longer has all of the partitions.
    pub fn group(
        &self,
    ) -> impl Fn(&[Reached]) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> + Send + use<>
    {
        let (shared, known) = (self.shared.clone(), self.member.clone());
        move |reached| {
            // The metadata is read first: if the member loses a partition after that, the group
            // rejects the commit.
            let member = known.get()?.group_metadata()?;
            Some((list(&shared.owned(reached)?), member))
        }
    }
}

impl RecordSource for KafkaSource {
    fn next(&mut self, wait: Duration, block: &mut Block) -> Next {
        self.0.next(wait, block)
    }
}

impl Offsets for KafkaOffsets {
    fn acknowledge(&mut self, reached: &[Reached]) {
        self.shared.acknowledge(reached);
    }

    fn holds(&self, id: u64) -> bool {
        self.shared.holds(id)
    }

    fn unsent(&mut self, id: u64, why: &io::Error) {
        self.shared.unsent(id, why);
    }

    fn sent(&mut self, id: u64, pieces: &[Piece]) {
        self.shared.sent(id, pieces);
    }

    fn has_sent(&self, id: u64) -> bool {
        self.shared.has_sent(id)
    }

    fn was_sent(&self, id: u64, piece: Piece) -> bool {
        self.shared.was_sent(id, piece)
    }

    fn take_back(&mut self) {
        self.shared.take_back();
    }

    fn over(&mut self) {
        self.shared.over();
    }

    fn finish(&mut self) -> io::Result<()> {
        let kept = self.shared.finish(Instant::now() + COMMIT_WITHIN);
        if kept.is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
        kept
    }
}
