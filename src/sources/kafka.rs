//! Topics as a source: a member of a consumer group, on a thread of its own.
//!
//! | file | does |
//! | --- | --- |
//! | `arrival` | a message as a record of a block, decompressed |
//! | `shared` | what the thread and the pipeline share: filled blocks, how far each partition is, and of which topic |
//! | `letters` | a dead letter as the record that it is about, and the end of a run of these |
//! | `hold` | what is not read at present: topics with a fault of their own |
//! | `member` | joins the group, and anew where more partitions come than memory was shared out for |
//! | `membership` | whose member this is, and what is told of that |
//! | `leave` | takes a member out of its group that does not come back |
//! | `measure` | what is measured of blocks |
//! | `poison` | records that kill the process that judges them |
//! | `rebalance` | partitions that come and go |
//! | `survey` | looks whether topics that come later fit |
//! | `unread` | looks whether all partitions are somebody's |
//! | `start` | where a partition begins |
//! | `reader` | the thread: serves the group whatever the sink does, and reads while there is room |
//!
//! What is read ahead waits in a queue for each partition and stays there while there is no room.

mod arrival;
mod hold;
mod leave;
mod letters;
mod measure;
mod member;
mod membership;
mod poison;
mod reader;
mod rebalance;
mod shared;
mod start;
mod survey;
mod unread;
mod wrong;

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
    journal::Event,
    kafka::Cluster,
    pipeline::records::{Block, Next, Offsets, Piece, Reached, RecordSource, ValueFraming},
    shutdown::Shutdown,
};
use arrival::DECODER_BYTES;
pub use leave::leave;
pub use letters::{Letters, Narrow};
use member::Member;
pub use poison::{Notes, Noting};
use reader::Reader;
use rebalance::list;
use shared::Shared;
pub use start::{Begin, Starts};
pub use survey::Judge;
pub use unread::Reads;
use unread::Unread;

/// So many filled blocks wait at most.
const MOST_READY: usize = 2;
/// Blocks that the source has beside those of the pipeline: those that wait, and one to fill.
pub const BLOCKS: usize = MOST_READY + 1;
/// Of each, at least.
const LEAST_BYTES: usize = 64 << 10;
/// What a broker answers at most at once.
const ANSWER_BYTES: usize = 4 << 20;

/// What the source holds in memory at most that reads so much ahead, beside blocks and the text of a
/// compressed event.
pub fn source_bytes(ahead: usize) -> u64 {
    (ahead + 2 * ANSWER_BYTES) as u64 + DECODER_BYTES
}

/// How long offsets may take to be kept at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// What is read, and how.
pub struct Settings {
    /// The cluster.
    pub cluster: Cluster,
    /// Topics by name, or, with `^` in front, by regular expression.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// The name of this process in the group, if it has one.
    pub instance: Option<String>,
    /// It goes for good at the end: others have its partitions at once.
    pub leaves: bool,
    /// How many partitions these topics have.
    pub partitions: usize,
    /// How much is read ahead of all of them, in bytes.
    pub ahead_bytes: usize,
    /// A block is handed on when it holds so much.
    pub block_bytes: usize,
    /// The longest record that is judged, its key and headers included.
    pub max_event_bytes: usize,
    /// How far records are delivered is committed in the sink's transactions.
    pub in_transactions: bool,
    /// What a value is.
    pub framing: ValueFraming,
    /// Where partitions begin without an offset that holds.
    pub starts: Starts,
    /// Topics with dead letters: what these are about is read, and the run ends where they end.
    pub letters: Option<Letters>,
    /// What is known of records that kill, where notes are kept of them.
    pub notes: Option<Arc<Notes>>,
    /// Which topics are read, where somebody is to look whether all of their partitions are.
    pub reads: Option<Reads>,
    /// Judges the cluster's topics, whenever they may be others; what it says ends the run.
    pub judge: Judge,
    /// When to stop reading.
    pub shutdown: Shutdown,
}

impl Settings {
    /// What is read ahead of each partition, and what a broker answers for it at once.
    fn shares(&self) -> (usize, usize) {
        let share = self.ahead_bytes / self.partitions.max(1);
        ((share / 2).clamp(LEAST_BYTES, 8 << 20), (share / 2).clamp(LEAST_BYTES, 1 << 20))
    }
}

/// A member of a consumer group.
pub struct KafkaSource(Arc<Shared>);

/// Keeps what it has delivered.
pub struct KafkaOffsets {
    shared: Arc<Shared>,
    member: Member,
    thread: Option<JoinHandle<()>>,
}

impl KafkaSource {
    /// Joins the group.
    ///
    /// # Errors
    /// A property that librdkafka does not take; no thread.
    pub fn open(settings: Settings) -> io::Result<(Self, KafkaOffsets)> {
        let shared = Arc::new(Shared::new(settings.cluster.voice.vitals.clone()));
        let voice = &settings.cluster.voice;
        if let Some(notes) = &settings.notes {
            for what in notes.shown() {
                let what = format!("{what}; they are now judged one by one");
                voice.tell(Event::RecordsSuspected, &what);
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
                voice.tell_with(Event::RecordQuarantined, &what, &fields);
            }
        }
        let (cluster, judge) = (settings.cluster.clone(), settings.judge.clone());
        let mut settings = settings;
        let reads = settings.reads.take().filter(|_| settings.instance.is_some());
        let unread = reads.map(|reads| Unread::new(settings.group.clone(), reads));
        let reader = Reader::join(settings, shared.clone())?;
        let member = reader.member();
        let thread = thread::Builder::new().name("kafka".into()).spawn(move || reader.run())?;
        survey::start(cluster, judge, shared.clone(), unread)?;
        Ok((Self(shared.clone()), KafkaOffsets { shared, member, thread: Some(thread) }))
    }
}

impl KafkaOffsets {
    /// What a transaction needs to know: how far the group has come, and as which of its members.
    /// `None`, where this is no member for all of it any more.
    pub fn group(
        &self,
    ) -> impl Fn(&[Reached]) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> + Send + use<>
    {
        let (shared, known) = (self.shared.clone(), self.member.clone());
        move |reached| {
            // First as which member: should it lose a partition behind this, the group refuses it.
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
        let kept = self.shared.finish(Instant::now() + FAREWELL);
        if kept.is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
        kept
    }
}
