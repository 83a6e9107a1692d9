//! The parts of the memory formula, each measured with the worst input that is known for it.

use tamis::engine::{Chunk, Engine, Output, Plan, Settings, detect::Pack};

use crate::{Arc, HELD, plan};

/// The longest event that is judged by default.
const LONGEST: usize = 1 << 20;
/// What a chunk holds that is not long.
const USUAL: usize = 320 << 10;

/// What this thread holds after `work`, and the most that it held meanwhile, beyond what it held before.
fn held_by<T>(work: impl FnOnce() -> T) -> (T, i64, i64) {
    let before = HELD.get().0;
    HELD.set((before, before));
    let made = work();
    let (held, most) = HELD.get();
    (made, held - before, most - before)
}

/// A line of about `len` bytes: `unit` over and over.
fn flood(len: usize, head: &str, unit: &str, tail: &str) -> Vec<u8> {
    let times = (len - head.len() - tail.len()) / unit.len();
    format!("{head}{}{tail}\n", unit.repeat(times)).into_bytes()
}

/// Each asks for the most of something: places, candidates, decoded text and its maps, findings, edits,
/// output, rounds.
fn floods(len: usize) -> Vec<Vec<u8>> {
    vec![
        flood(len, "{", "\"", ""),
        flood(len, "{\"m\":\"", "1-", "\"}"),
        flood(len, "{\"m\":\"", "\\na@b.co", "\"}"),
        flood(len, "{\"m\":\"", "token=a ", "\"}"),
        flood(len, "{\"m\":[", "\"a@b.co\",", "0]}"),
        flood(len, "{", "\"a@b.co\":0,", "\"z\":0}"),
        flood(len, "{\"m\":\"[", "\\\"a@b.co\\\\n\\\",", "0]\"}"),
        flood(len, "", "a@b.co ", "."),
        flood(len, "", "a%40b.co ", "."),
        flood(len, "", "\u{1}", ""),
    ]
}

/// Lines that are as short as lines can be: only a chunk that is not long has that many.
fn short_lines(len: usize) -> Vec<Vec<u8>> {
    ["\n", "{}\n", "{\n", "\u{1}\n", "\"\n"]
        .map(|line| line.repeat(len / line.len()).into_bytes())
        .into()
}

/// An engine, whatever it judged before, takes what the formula says, with what it forwards.
#[test]
fn an_engine() {
    let (plan, mut of_long) = (plan(false, false), 0);
    let (mut engine, new, _) = held_by(|| Engine::new(plan));
    let mut kept = new;
    for len in [USUAL, LONGEST, USUAL] {
        let lines = if len == USUAL { short_lines(len) } else { vec![] };
        for text in floods(len).into_iter().chain(lines) {
            let chunk = Chunk::from_bytes(&text);
            let ((), held, most) = held_by(|| {
                engine.process(&chunk, &mut Output::default());
            });
            let (most, limit) = (kept + most, Engine::most_bytes(chunk.data().len()) as i64);
            let unit = String::from_utf8_lossy(&text[..20]);
            assert!(most <= limit, "{unit}: {most} of {limit} bytes");
            kept += held;
            if len == LONGEST {
                of_long = of_long.max(most * 100 / limit);
            }
        }
    }
    // The formula is not far from what there is.
    assert!(of_long > 75, "{of_long} % of what the formula says");
    let ((), freed, _) = held_by(|| drop(engine));
    assert!(kept + freed <= 0, "{kept} bytes, {freed} of which were freed");
}

/// The states of all patterns are part of that, whatever the number of detectors.
#[test]
fn three_hundred_detectors_more() {
    let detector = |n: usize| {
        format!(
            "[[detector]]\nid = \"d{n}\"\ncategory = \"custom\"\ndescription = \"d\"\n\
             literals = [\"k{n:03}_\"]\nregex = 'k{n:03}_[a-z]{{2,400}}'\n"
        )
    };
    let detectors: String = (0..300).map(detector).collect();
    let pack = format!("pack = \"many\"\nversion = 1\n{detectors}");
    let packs = vec![Pack::parse("many.toml", &pack).unwrap()];
    let plan = Arc::new(Plan::compile(Settings { packs, ..Settings::default() }).unwrap());
    // The automata are the plan's, made when they are first needed.
    let chunk = |n: usize| {
        Chunk::from_bytes(format!("{{\"m\":\"k{n:03}_{}\"}}\n", "ab".repeat(190)).as_bytes())
    };
    let run = |engine: &mut Engine| {
        let mut out = Output::default();
        (0..300).for_each(|n| engine.process(&chunk(n), &mut out));
        assert_eq!(out.tally.redacted, 300);
    };
    run(&mut Engine::new(plan.clone()));
    let (_engine, held, most) = held_by(|| {
        let mut engine = Engine::new(plan);
        run(&mut engine);
        engine
    });
    let limit = Engine::most_bytes(0) as i64;
    assert!(most <= limit, "{most} of {limit} bytes");
    assert!(held > 2 << 20, "{held} bytes: the pool was not full");
}

#[cfg(feature = "program")]
mod batches {
    use tamis::pipeline::{
        Output as Judged, Sizes, Worker,
        records::{Block, Incoming, Place, block_bytes, most_block, usual_block},
    };

    use super::*;

    /// A batch with a dead letter, and one without.
    #[test]
    fn a_batch() {
        let sizes = Sizes::new(LONGEST);
        for bodies in [false, true] {
            let plan = plan(bodies, bodies);
            for text in floods(USUAL).into_iter().chain(short_lines(USUAL)) {
                let chunk = Chunk::from_bytes(&text);
                let mut engine = Engine::new(plan.clone());
                let mut out = Judged::default();
                Worker::process(&mut engine, &chunk, &mut Judged::default());
                let (_, held, _) = held_by(|| {
                    out.make_room(chunk.data().len());
                    Worker::process(&mut engine, &chunk, &mut out);
                });
                let limit = sizes.batch_bytes(chunk.data().len(), bodies) + Engine::most_bytes(0);
                let limit = limit as i64;
                assert!(held <= limit, "{bodies}: {held} of {limit} bytes");
                out.recycle(sizes.usual());
                let kept = out.clean.capacity() + out.bodies.capacity();
                assert!(kept <= 4 * sizes.usual(), "{kept} bytes are kept");
            }
        }
    }

    /// A block of the longest records, of the shortest, and of what has the most beside its value.
    #[test]
    fn a_block() {
        let sizes = Sizes::new(LONGEST);
        let place = Place { id: 1, topic: "t".into(), partition: 0 };
        let long = vec![b'x'; LONGEST];
        let header: [(&str, Option<&[u8]>); 1] = [("h", Some(b"v"))];
        let records = [
            Incoming { value: Some(&long), ..Incoming::default() },
            Incoming { value: Some(&long[..60 << 10]), ..Incoming::default() },
            Incoming { value: Some(b"x"), key: Some(b"k"), ..Incoming::default() },
            Incoming { headers: &header, ..Incoming::default() },
        ];
        for record in &records {
            let (block, held, most) = held_by(|| {
                let mut block = Block::default();
                while !block.is_full(sizes.chunk_bytes) {
                    block.push(&place, record, sizes.max_event_bytes);
                }
                block.seal();
                block
            });
            let is_long = block.is_long(usual_block(&sizes));
            let data = if is_long { most_block(&sizes) } else { usual_block(&sizes) };
            let limit = block_bytes(&sizes, data) as i64;
            assert!(held <= limit && most <= 2 * limit, "{held}, {most} of {limit} bytes");
        }
    }
}
