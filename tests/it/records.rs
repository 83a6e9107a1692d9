//! The pipeline for records over stand-ins: order, acknowledgement, and an account that adds up.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex},
    thread::sleep,
    time::Duration,
};

use tamis::{
    engine::Reason,
    pipeline::{
        Budget, End, Failure, Report, Sizes,
        budget::Demand,
        records::{
            Block, Fate, How, Incoming, Judged, Key, Next, Offsets, Outgoing, Place, Reached,
            RecordPipeline, RecordSink, RecordSource, RecordWorker, Refusal, Ticket, Value,
            Verdict,
        },
    },
    shutdown::Shutdown,
};

use crate::stand_ins::Seen;

/// Gives blocks of records of several partitions, in turn.
struct Script {
    blocks: VecDeque<Block>,
    fails: bool,
}

fn place(id: u64) -> Place {
    Place { id, topic: "in".into(), partition: id as i32 }
}

/// Of each block: a partition's number, and the values.
fn script(blocks: &[&[(u64, &str)]]) -> Script {
    let mut offsets = BTreeMap::new();
    let block = |records: &&[(u64, &str)]| {
        let mut block = Block::default();
        for (id, value) in *records {
            let offset = offsets.entry(*id).or_insert(0);
            let value = (*value != "none").then_some(value.as_bytes());
            let record = Incoming {
                offset: *offset,
                timestamp: Some(9),
                key: Some(b"k"),
                headers: &[],
                value,
            };
            block.push(&place(*id), &record, 100);
            *offset += 1;
        }
        block.seal();
        block
    };
    Script { blocks: blocks.iter().map(block).collect(), fails: false }
}

impl RecordSource for Script {
    fn next(&mut self, _: Duration, block: &mut Block) -> Next {
        match self.blocks.pop_front() {
            Some(next) => {
                *block = next;
                Next::Filled
            }
            None if self.fails => Next::Failed(io::Error::other("the offsets are gone")),
            None => Next::End,
        }
    }
}

/// Takes what holds `bad` for a reject and dawdles as long as a block's first digit says.
struct Clerk;

impl RecordWorker for Clerk {
    fn process(&mut self, block: &Block, out: &mut Judged) {
        let data = block.chunk().data();
        if let Some(digit) = data.iter().find(|byte| byte.is_ascii_digit()) {
            sleep(Duration::from_millis(u64::from(digit - b'0') * 5));
        }
        for (at, record) in block.records().iter().enumerate() {
            out.output.tally.read += 1;
            let fate = match &record.value {
                Value::Tombstone => {
                    out.output.tally.tombstones += 1;
                    Fate::Forwarded(How::Tombstone, None)
                }
                Value::Line { range, .. } if !data[range.clone()].starts_with(b"bad") => {
                    let from = out.output.clean.len();
                    out.output.clean.extend_from_slice(&data[range.clone()]);
                    out.output.tally.clean += 1;
                    Fate::Forwarded(How::Clean, Some(from..out.output.clean.len()))
                }
                _ => {
                    out.output.tally.rejected[Reason::Syntax.index()] += 1;
                    let reject = tamis::engine::Reject::of(Reason::Syntax, at as u32);
                    out.output.rejects.push(reject);
                    Fate::Rejected(out.output.rejects.len() - 1)
                }
            };
            out.verdicts.push(Verdict { fate, key: Key::Same, headers: None });
        }
    }
}

/// Everything that was sent and acknowledged.
#[derive(Default)]
struct Post {
    sent: Vec<(bool, i32, Option<String>, Vec<String>)>,
    reports: VecDeque<(Ticket, Option<Reason>)>,
    /// Of what is durable, the highest source offset by partition, and what was acknowledged.
    acknowledged: Vec<Reached>,
    told_durable: usize,
    ahead: usize,
}

/// Tells of what was sent only when asked to wait, the latest first.
struct Tray {
    post: Arc<Mutex<Post>>,
    /// Refuses values that hold this, at once or later.
    refuses: Option<(&'static str, bool)>,
    fails: bool,
}

impl RecordSink for Tray {
    fn send(&mut self, ticket: Ticket, record: &Outgoing<'_>) -> Result<(), Refusal> {
        let mut post = self.post.lock().unwrap();
        if self.fails && post.sent.len() == 3 {
            return Err(Refusal::Sink(io::Error::other("not authorised")));
        }
        let value = record.value.map(|value| String::from_utf8(value.to_vec()).unwrap());
        let long =
            self.refuses.filter(|(word, _)| value.as_ref().is_some_and(|v| v.contains(word)));
        if let Some((_, true)) = long {
            return Err(Refusal::Record(Reason::TooLarge));
        }
        let header = |(name, value): &(&str, Option<&[u8]>)| {
            format!("{name}={}", String::from_utf8_lossy(value.unwrap_or_default()))
        };
        let headers = record.headers.iter().map(header).collect();
        post.sent.push((record.dead, record.partition, value, headers));
        post.reports.push_back((ticket, long.map(|_| Reason::TooLarge)));
        Ok(())
    }

    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Option<Reason>)>,
        _: &dyn Fn(Ticket) -> Option<i64>,
    ) -> io::Result<()> {
        let mut post = self.post.lock().unwrap();
        // Every second one, the latest first: what came earlier may be told later.
        if let Some(report) = post.reports.pop_back() {
            post.told_durable += 1;
            reports.push(report);
        }
        Ok(())
    }

    fn wait(&mut self, _: Duration) {}
}

struct Keeper(Arc<Mutex<Post>>);

impl Offsets for Keeper {
    fn acknowledge(&mut self, reached: &[Reached]) {
        let mut post = self.0.lock().unwrap();
        let done = post.sent.len() - post.reports.len();
        // No more can be acknowledged than was told to be durable.
        if done < post.told_durable {
            post.ahead += 1;
        }
        post.acknowledged.extend_from_slice(reached);
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(source: Script, change: impl FnOnce(&mut Tray), letters: bool) -> (Report, Post, Seen) {
    let (post, seen) = (Arc::new(Mutex::new(Post::default())), Seen::default());
    let mut tray = Tray { post: post.clone(), refuses: None, fails: false };
    change(&mut tray);
    let demand = Demand { workers: 3, dead_letter: true, engine_bytes: 0, fixed_bytes: 0 };
    let pipeline = RecordPipeline {
        seal: None,
        budget: Budget::fit(Sizes::new(1 << 10), demand, None).unwrap(),
        source: Box::new(source),
        offsets: Box::new(Keeper(post.clone())),
        sink: Box::new(tray),
        keeps: Arc::new(move |_| letters),
        observer: Arc::new(seen.clone()),
        meters: Arc::default(),
        shutdown: Shutdown::new(Duration::from_secs(1)).unwrap(),
    };
    let report = pipeline.run(vec![Clerk, Clerk, Clerk]);
    assert_eq!(report.tally.unaccounted(), 0);
    let post = std::mem::take(&mut *post.lock().unwrap());
    (report, post, seen)
}

fn values(post: &Post, partition: i32) -> Vec<&str> {
    let of = post.sent.iter().filter(|(dead, from, ..)| !dead && *from == partition);
    of.map(|(_, _, value, _)| value.as_deref().unwrap_or("none")).collect()
}

#[test]
fn order_holds_in_each_partition_and_offsets_follow_the_reports() {
    let blocks: &[&[(u64, &str)]] = &[
        &[(1, "9a"), (2, "x"), (1, "b")],
        &[(1, "0c"), (2, "y")],
        &[(2, "3z"), (1, "none"), (1, "e")],
        &[(1, "bad")],
    ];
    let (report, post, seen) = run(script(blocks), |_| {}, false);
    assert!(matches!(report.end, End::Complete), "{:?}", report.end);
    assert_eq!(values(&post, 1), ["9a", "b", "0c", "none", "e"]);
    assert_eq!(values(&post, 2), ["x", "y", "3z"]);
    let tally = &report.tally;
    assert_eq!((report.read(), tally.clean, tally.tombstones), (9, 7, 1));
    assert_eq!(tally.rejected[Reason::Syntax.index()], 1);
    let last = |id| post.acknowledged.iter().rev().find(|reached| reached.id == id).unwrap().offset;
    assert_eq!((last(1), last(2), post.ahead), (6, 3, 0));
    for id in [1, 2] {
        let of = post.acknowledged.iter().filter(|reached| reached.id == id);
        assert!(of.map(|reached| reached.offset).is_sorted());
    }
    assert_eq!(seen.get().notices, ["in[1]:5 syntax false"]);
}

#[test]
fn letters_say_where_and_why_and_nothing_else() {
    let blocks: &[&[(u64, &str)]] = &[&[(1, "a"), (1, "bad"), (1, "long one")]];
    for at_once in [true, false] {
        let change = |tray: &mut Tray| tray.refuses = Some(("long", at_once));
        let (report, post, _) = run(script(blocks), change, true);
        assert!(matches!(report.end, End::Complete), "{:?}", report.end);
        let tally = &report.tally;
        assert_eq!((tally.clean, tally.rejected_total()), (1, 2));
        assert_eq!(tally.rejected[Reason::TooLarge.index()], 1);
        let letters: Vec<_> = post.sent.iter().filter(|(dead, ..)| *dead).collect();
        let said = |at: usize| letters[at].3.join(" ");
        let wanted = "__tamis.errors.reason=syntax __tamis.errors.topic=in \
                      __tamis.errors.partition=1 __tamis.errors.offset=1 __tamis.errors.timestamp=9";
        assert_eq!((said(0).as_str(), letters[0].2.as_deref()), (wanted, Some("")));
        assert!(
            said(1).contains("reason=too_large") && said(1).contains("offset=2"),
            "{}",
            said(1)
        );
        assert_eq!(letters[1].2.as_deref(), Some(""));
        assert_eq!(post.acknowledged, [Reached { id: 1, offset: 3 }]);
    }
}

#[test]
fn what_was_sent_is_acknowledged_though_the_source_fails() {
    let mut source = script(&[&[(1, "a")], &[(1, "b")]]);
    source.fails = true;
    let (report, post, _) = run(source, |_| {}, true);
    assert!(matches!(report.end, End::Failed(Failure::Source(_))), "{:?}", report.end);
    assert_eq!((report.read(), report.tally.clean), (2, 2));
    assert_eq!(post.acknowledged.last(), Some(&Reached { id: 1, offset: 2 }));
}

#[test]
fn a_sink_that_fails_ends_the_run_and_what_is_not_sent_is_unwritten() {
    let change = |tray: &mut Tray| tray.fails = true;
    let (report, post, _) =
        run(script(&[&[(1, "a"), (1, "b")], &[(1, "c"), (1, "d")]]), change, true);
    assert!(matches!(report.end, End::Failed(Failure::Sink(_))), "{:?}", report.end);
    assert_eq!((report.read(), post.sent.len()), (4, 3));
    assert_eq!(report.unwritten + report.tally.read, 4);
    assert!(post.acknowledged.iter().all(|reached| reached.offset <= 2));
}
