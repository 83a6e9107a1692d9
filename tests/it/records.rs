//! The pipeline for records over stand-ins: order, acknowledgement, and an account that adds up.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Arc, Mutex},
    thread::sleep,
    time::Duration,
};

use tamis::{
    pipeline::{
        Budget, End, EngineReason, Failure, Reason, Reject, Report, Sizes,
        budget::Demand,
        records::{
            Back, Block, Body, Counts, Fate, HOP, How, Incoming, Judged, Key, Lines, Next, Offsets,
            Origin, Outgoing, Place, Reached, RecordPipeline, RecordSink, RecordSource,
            RecordWorker, Refusal, Ticket, Told, Value, ValueFraming, Verdict,
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
                value,
                ..Incoming::default()
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
#[derive(Clone)]
pub(crate) struct Clerk;

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
                    Fate::Forwarded(How::Clean, Some(Body::Clean(from..out.output.clean.len())))
                }
                _ => {
                    out.output.tally.rejected[EngineReason::Syntax.index()] += 1;
                    let reject = Reject::of(Reason::Judged(EngineReason::Syntax), at as u32);
                    out.output.rejects.push(reject);
                    Fate::Rejected(out.output.rejects.len() - 1)
                }
            };
            let hop = data.windows(3).any(|word| word == b"hop").then(|| block.hops(record) + 1);
            out.verdicts.push(Verdict { fate, key: Key::Same, headers: None, hop, route: 0 });
        }
    }
}

/// Everything that was sent and acknowledged.
#[derive(Default)]
struct Post {
    sent: Vec<(bool, i32, Option<String>, Vec<String>)>,
    reports: VecDeque<(Ticket, Told)>,
    /// Of what is durable, the highest source offset by partition, and what was acknowledged.
    acknowledged: Vec<Reached>,
    told_durable: usize,
    ahead: usize,
    /// What did not arrive for its topic's fault, and the places that are read again for that.
    unsent: Vec<Ticket>,
    given_up: Vec<u64>,
}

/// Tells of what was sent only when asked to wait, the latest first.
struct Tray {
    post: Arc<Mutex<Post>>,
    /// Refuses values that hold this, at once or later.
    refuses: Option<(&'static str, bool)>,
    /// The topic of values that hold this has a fault, which shows at once or later.
    lacks: Option<(&'static str, bool)>,
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
        let lacking =
            self.lacks.filter(|(word, _)| value.as_ref().is_some_and(|v| v.contains(word)));
        match lacking {
            Some((_, true)) => return Err(Refusal::Topic(io::Error::other("no such topic"))),
            Some((_, false)) => {
                post.unsent.push(ticket);
                return Ok(());
            }
            None => {}
        }
        let header = |(name, value): &(&str, Option<&[u8]>)| {
            format!("{name}={}", String::from_utf8_lossy(value.unwrap_or_default()))
        };
        let headers = record.headers.iter().map(header).collect();
        let owned = |value: &Option<&[u8]>| value.map(<[u8]>::to_vec);
        let all = record.headers.iter().map(|(name, value)| ((*name).to_owned(), owned(value)));
        let back = Back { key: None, value: owned(&record.value), headers: all.collect() };
        let told = match long {
            Some(_) => Told::Refused(Reason::TooLarge, Some(back)),
            None => {
                post.sent.push((record.dead, record.partition, value, headers));
                Told::Durable
            }
        };
        post.reports.push_back((ticket, told));
        Ok(())
    }

    fn reports(
        &mut self,
        reports: &mut Vec<(Ticket, Told)>,
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

    fn unsent(&mut self, unsent: &mut Vec<(Ticket, io::Error)>) {
        let told = std::mem::take(&mut self.post.lock().unwrap().unsent);
        unsent.extend(told.into_iter().map(|ticket| (ticket, io::Error::other("no such topic"))));
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

    fn holds(&self, id: u64) -> bool {
        !self.0.lock().unwrap().given_up.contains(&id)
    }

    fn unsent(&mut self, id: u64, why: &io::Error) {
        assert_eq!(why.to_string(), "no such topic");
        self.0.lock().unwrap().given_up.push(id);
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(source: Script, change: impl FnOnce(&mut Tray), letters: bool) -> (Report, Post, Seen) {
    run_with(source, change, letters, Clerk)
}

fn run_with<W: RecordWorker + Clone + 'static>(
    source: Script,
    change: impl FnOnce(&mut Tray),
    letters: bool,
    worker: W,
) -> (Report, Post, Seen) {
    let (post, seen) = (Arc::new(Mutex::new(Post::default())), Seen::default());
    let mut tray = Tray { post: post.clone(), refuses: None, lacks: None, fails: false };
    change(&mut tray);
    let sizes = Sizes::new(1 << 10);
    let demand = Demand::of_lines(&sizes, 3, true, 0, |_| 0);
    let pipeline = RecordPipeline {
        seal: None,
        digest: None,
        budget: Budget::fit(sizes, demand, None).unwrap(),
        source: Box::new(source),
        offsets: Box::new(Keeper(post.clone())),
        sink: Box::new(tray),
        keeps: Arc::new(move |_| letters),
        observer: Arc::new(seen.clone()),
        meters: Arc::default(),
        shutdown: Shutdown::new(Duration::from_secs(1)).unwrap(),
    };
    let report = pipeline.run(vec![worker.clone(), worker.clone(), worker]);
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
    assert_eq!(tally.rejected[EngineReason::Syntax.index()], 1);
    let last = |id| post.acknowledged.iter().rev().find(|reached| reached.id == id).unwrap().offset;
    assert_eq!((last(1), last(2), post.ahead), (6, 3, 0));
    for id in [1, 2] {
        let of = post.acknowledged.iter().filter(|reached| reached.id == id);
        assert!(of.map(|reached| reached.offset).is_sorted());
    }
    assert_eq!(seen.get().notices, ["in[1]:5 syntax false"]);
}

#[test]
fn what_is_replayed_is_told_of_by_where_it_stood_at_first() {
    let mut block = Block::default();
    for (offset, value, line) in [(0, "good", None), (1, "bad", Some(3)), (2, "long", None)] {
        let (topic, attempts, is_whole) = ("first".into(), 1, true);
        let origin = Origin { topic, partition: 5, offset: 77, line, attempts, is_whole };
        let (origin, value) = (Some(&Arc::new(origin)), Some(value.as_bytes()));
        block.push(&place(1), &Incoming { offset, origin, value, ..Incoming::default() }, 100);
    }
    block.seal();
    let source = Script { blocks: [block].into(), fails: false };
    let (_, post, seen) = run(source, |tray| tray.refuses = Some(("long", true)), true);
    assert_eq!(values(&post, 5), ["good"]);
    let letters = post.sent.iter().filter(|(dead, ..)| *dead);
    let letters: Vec<_> =
        letters.map(|(_, partition, _, said)| (*partition, said.join(" "))).collect();
    let of = |reason: &str, line: &str| {
        let at = "__tamis.errors.topic=first __tamis.errors.partition=5 __tamis.errors.offset=77";
        (5, format!("__tamis.errors.reason={reason} {at} {line}__tamis.attempts=2"))
    };
    assert_eq!(letters, [of("syntax", "__tamis.errors.line=3 "), of("too_large", "")]);
    assert_eq!(post.acknowledged, [Reached { id: 1, offset: 3 }]);
    assert_eq!(seen.get().notices, ["first[5]:77:3 syntax true", "first[5]:77 too_large true"]);
}

#[test]
fn letters_say_where_and_why_and_nothing_else() {
    let blocks: &[&[(u64, &str)]] = &[&[(1, "a"), (1, "bad"), (1, "long one")]];
    for at_once in [true, false] {
        let change = |tray: &mut Tray| tray.refuses = Some(("long", at_once));
        let (report, post, seen) = run(script(blocks), change, true);
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
        // It is said once, though the letter grew shorter.
        assert_eq!((letters.len(), letters[1].2.as_deref()), (2, Some("")));
        assert_eq!(seen.get().notices.len(), 2);
        assert_eq!(post.acknowledged, [Reached { id: 1, offset: 3 }]);
    }
}

/// Judges as [`Clerk`] does, each line of a value by itself.
#[derive(Clone)]
struct LineClerk;

impl RecordWorker for LineClerk {
    fn process(&mut self, block: &Block, out: &mut Judged) {
        let data = block.chunk().data();
        for record in block.records() {
            let Value::Lines { range, .. } = &record.value else { panic!() };
            let (first, mut counts) = (out.output.rejects.len(), Counts::default());
            let from = out.output.clean.len();
            for (number, line) in (1..).zip(data[range.clone()].split_inclusive(|b| *b == b'\n')) {
                out.output.tally.read += 1;
                if line.starts_with(b"bad") {
                    out.output.tally.rejected[EngineReason::Syntax.index()] += 1;
                    out.output
                        .rejects
                        .push(Reject::of(Reason::Judged(EngineReason::Syntax), number));
                } else {
                    out.output.clean.extend_from_slice(line);
                    out.output.tally.clean += 1;
                    counts.add(How::Clean);
                }
            }
            let to = out.output.clean.len();
            let value = (to > from).then_some(Body::Clean(from..to));
            let fate =
                Fate::Lines(Lines { value, counts, rejects: first..out.output.rejects.len() });
            out.verdicts.push(Verdict { fate, key: Key::Same, headers: None, hop: None, route: 0 });
        }
    }
}

/// What becomes of records whose values are lines, where the sink refuses what holds `long`.
fn lines(refused_at_once: bool) -> (Report, Post, Seen) {
    let values: [&[u8]; 3] = [b"a\nbad\nb\nbad\n", b"bad", b"long\nbad\nlong, too\n"];
    let mut block = Block::default();
    for (offset, value) in (0..).zip(values) {
        let (value, framing) = (Some(value), ValueFraming::Lines);
        block.push(&place(1), &Incoming { offset, value, framing, ..Incoming::default() }, 1000);
    }
    block.seal();
    let source = Script { blocks: [block].into(), fails: false };
    let change = |tray: &mut Tray| tray.refuses = Some(("long", refused_at_once));
    run_with(source, change, true, LineClerk)
}

#[test]
fn lines_are_counted_and_have_letters_of_their_own() {
    for at_once in [true, false] {
        let (report, post, seen) = lines(at_once);
        assert!(matches!(report.end, End::Complete), "{:?}", report.end);
        let tally = &report.tally;
        assert_eq!((report.read(), tally.clean), (8, 2));
        let rejected = |reason: Reason| tally.rejected[reason.index()];
        assert_eq!(
            (rejected(Reason::Judged(EngineReason::Syntax)), rejected(Reason::TooLarge)),
            (4, 2)
        );
        let forwarded: Vec<_> = values(&post, 1);
        assert_eq!(forwarded.first(), Some(&"a\nb\n"));
        let said = |(_, _, _, headers): &(bool, i32, Option<String>, Vec<String>)| {
            let of = |name: &str| {
                let name = format!("__tamis.errors.{name}=");
                let found = headers.iter().find_map(|header| header.strip_prefix(&name));
                found.unwrap_or("-").to_owned()
            };
            [of("offset"), of("line"), of("reason")].join(":")
        };
        let mut letters: Vec<_> = post.sent.iter().filter(|(dead, ..)| *dead).map(said).collect();
        letters.sort();
        let wanted = ["0:2:syntax", "0:4:syntax", "1:1:syntax", "2:-:too_large", "2:2:syntax"];
        assert_eq!(letters, wanted);
        assert_eq!(post.acknowledged, [Reached { id: 1, offset: 3 }]);
        let notices = &seen.get().notices;
        assert!(notices.contains(&"in[1]:0:4 syntax true".to_owned()), "{notices:?}");
        assert!(notices.contains(&"in[1]:2 too_large true".to_owned()), "{notices:?}");
    }
}

#[test]
fn what_goes_on_says_how_often_it_did() {
    let mut source = script(&[&[(1, "hop"), (1, "bad hop"), (1, "a")]]);
    let before = [(HOP, Some(&b"6"[..])), ("kind", Some(b"order"))];
    let mut block = Block::default();
    for record in source.blocks[0].records() {
        let value = match record.offset {
            1 => b"bad hop",
            _ => b"hop....",
        };
        let (offset, headers, value) = (record.offset, &before[..], Some(&value[..]));
        block.push(&place(1), &Incoming { offset, headers, value, ..Incoming::default() }, 1000);
    }
    block.seal();
    source.blocks[0] = block;
    let (report, post, _) = run(source, |_| {}, true);
    assert_eq!((report.tally.clean, report.tally.rejected_total()), (2, 1));
    for (dead, _, _, headers) in &post.sent {
        match dead {
            false => assert_eq!(headers, &["kind=order", "__tamis.hop=7"]),
            true => assert_eq!(headers.last().map(String::as_str), Some("__tamis.hop=7")),
        }
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

#[test]
fn a_topics_fault_gives_back_what_was_for_it_and_others_go_on() {
    let blocks: &[&[(u64, &str)]] = &[
        &[(1, "a"), (2, "x"), (1, "lost"), (1, "bad"), (1, ""), (2, "y")],
        &[(1, "b"), (2, "z"), (1, "none")],
    ];
    for (at_once, sent, returned) in [(true, vec!["a"], 5), (false, vec!["a", ""], 3)] {
        let change = |tray: &mut Tray| tray.lacks = Some(("lost", at_once));
        let (report, post, _) = run(script(blocks), change, false);
        assert!(matches!(report.end, End::Complete), "{:?}", report.end);
        assert_eq!((values(&post, 1), values(&post, 2)), (sent, vec!["x", "y", "z"]), "{at_once}");
        // What was in the same block is settled where the fault shows later only.
        assert_eq!((report.returned, report.read(), report.unwritten), (returned, 9 - returned, 0));
        let tally = &report.tally;
        assert_eq!((tally.clean, tally.tombstones), (if at_once { 4 } else { 5 }, 0));
        assert_eq!(tally.rejected[EngineReason::Syntax.index()], u64::from(!at_once));
        assert!(post.given_up.iter().all(|id| *id == 1));
    }
}
