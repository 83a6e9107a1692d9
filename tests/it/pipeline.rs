//! The pipeline over stand-ins: same bytes whatever the steps, sizes and threads; order,
//! back-pressure, idle flush, long lines, failures, shutdown.

use std::{
    io::ErrorKind,
    thread,
    time::{Duration, Instant},
};

use tamis::pipeline::{End, Failure, Sizes, Stall};

use crate::{
    endings::until,
    stand_ins::{Act, Bench, Script},
};

fn events(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| format!("{{\"n\":{i}}}\n").into_bytes()).collect()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn same_bytes_for_any_step_chunk_size_and_thread_count() {
    let input = [&events(40)[..], b"\n{\"bad\"\n", &events(10), b"last"].concat();
    let wanted = [&events(40)[..], &events(10), b"last\n"].concat();
    for threads in [1, 2, 5] {
        for step in [1, 3, 17, 4096] {
            for chunk_bytes in [1, 16, 100, 1 << 18] {
                let mut bench = Bench::new([("in", Script::bytes(&input, step))]);
                bench.threads = threads;
                bench.sizes.chunk_bytes = chunk_bytes;
                bench.dead_letter = true;
                let seen = bench.seen.clone();
                let report = bench.run();
                let seen = seen.get();
                assert_eq!(seen.clean, wanted, "{threads} threads, {step}, {chunk_bytes}");
                let offset = events(40).len() as u64 + 1;
                assert_eq!(seen.letters, [("in".into(), 42, offset, 6, "syntax")]);
                assert_eq!((report.read(), report.tally.unaccounted()), (53, 0));
                assert_eq!(report.bytes_in, input.len() as u64);
                assert!(seen.finished && !seen.aborted);
            }
        }
    }
}

#[test]
fn slow_workers_keep_the_order() {
    let mut bench = Bench::new([("in", Script::bytes(&events(200), 4096))]);
    bench.threads = 4;
    bench.sizes.chunk_bytes = 32;
    bench.dawdle = |data| ms(u64::from(data[5] % 4));
    let seen = bench.seen.clone();
    bench.run();
    assert_eq!(seen.get().clean, events(200));
}

#[test]
fn a_slow_sink_slows_the_source() {
    let input = events(100_000);
    let script = Script::bytes(&input, 1 << 16);
    let given = script.given.clone();
    let mut bench = Bench::new([("in", script)]);
    bench.sizes.chunk_bytes = 4096;
    bench.tray.dawdle = ms(20);
    let in_flight = bench.budget().batches * (4096 + (64 << 10));
    let (seen, shutdown) = (bench.seen.clone(), bench.shutdown.clone());
    let run = thread::spawn(move || bench.run());
    thread::sleep(ms(200));
    let written = seen.get().clean.len();
    let read = *given.lock().unwrap();
    assert!(read <= written + in_flight + (128 << 10), "{read} read, {written} written");
    shutdown.stop();
    let report = run.join().unwrap();
    let seen = seen.get();
    // The line that the stop cut got an end.
    assert!(input.starts_with(seen.clean.strip_suffix(b"\n").unwrap()));
    assert_eq!(report.unwritten, 0);
}

#[test]
fn whole_lines_leave_while_the_input_idles() {
    let script = Script::new(
        [
            Act::Bytes(b"{\"a\":1}\n{\"part".to_vec()),
            Act::Pause(ms(300)),
            Act::Bytes(b"\":2}\n".to_vec()),
            Act::Pause(ms(300)),
        ],
        1,
    );
    let mut bench = Bench::new([("in", script)]);
    bench.sizes = Sizes::new(1 << 20);
    let seen = bench.seen.clone();
    let started = Instant::now();
    bench.run();
    let seen = seen.get();
    assert_eq!(seen.clean, b"{\"a\":1}\n{\"part\":2}\n");
    let (first, second) = (seen.writes[0], seen.writes[1]);
    // The promise is 10 ms; a shared machine may take its time.
    assert!(first.0 - started < ms(150), "{:?}", first.0 - started);
    assert_eq!(first.1, 8);
    assert!(second.0 - started < ms(450), "{:?}", second.0 - started);
}

#[test]
fn a_trickle_that_never_idles_is_not_held_back() {
    let acts = (0..200).flat_map(|_| [Act::Bytes(b"{}\n".to_vec()), Act::Pause(ms(1))]);
    let mut bench = Bench::new([("in", Script::new(acts, 100))]);
    bench.sizes = Sizes::new(1 << 20);
    let seen = bench.seen.clone();
    bench.run();
    assert!(seen.get().writes.len() > 10);
}

#[test]
fn a_long_line_is_rejected_within_bounded_memory_and_the_next_is_found() {
    let long = vec![b'x'; 3 << 20];
    let input = [b"{}\n", &long[..], b"\n{\"next\":1}\n{\"bad\n"].concat();
    for step in [1000, 1 << 16, 1 << 22] {
        let mut bench = Bench::new([("in", Script::bytes(&input, step))]);
        bench.sizes = Sizes::new(100_000);
        bench.dead_letter = true;
        let (seen, largest) = (bench.seen.clone(), bench.largest_chunk.clone());
        let report = bench.run();
        let seen = seen.get();
        assert_eq!(seen.clean, b"{}\n{\"next\":1}\n");
        let len = long.len() as u64;
        assert_eq!(
            seen.letters,
            [("in".into(), 2, 3, len, "oversize"), ("in".into(), 4, 3 + len + 12, 5, "syntax")]
        );
        assert_eq!(report.bytes_in, input.len() as u64);
        assert!(*largest.lock().unwrap() < 400_000);
    }
}

#[test]
fn inputs_follow_one_another_each_with_its_own_lines() {
    let first = Script::bytes(b"\xef\xbb\xbf{\"a\":1}\n{\"bad\"}", 2);
    let second = Script::bytes(b"\xef\xbb\xbf{\"bad\"}\n{\"b\":2}", 5);
    let empty = Script::bytes(b"", 1);
    let mut bench = Bench::new([("a", first), ("empty", empty), ("b", second)]);
    bench.dead_letter = true;
    let seen = bench.seen.clone();
    let report = bench.run();
    let seen = seen.get();
    assert_eq!(seen.clean, b"{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(seen.letters, [("a".into(), 2, 11, 7, "syntax"), ("b".into(), 1, 3, 7, "syntax")]);
    assert_eq!(report.bytes_in, 18 + 18);
    assert_eq!(seen.notices, ["a:2 syntax true", "b:1 syntax true"]);
}

#[test]
fn a_failed_input_does_not_end_the_run() {
    let broken = Script::new([Act::Bytes(b"{\"a\":1}\n{\"b".to_vec()), Act::Fail], 100);
    let bench = Bench::new([("broken", broken), ("sound", Script::bytes(b"{\"c\":1}\n", 100))]);
    let seen = bench.seen.clone();
    let report = bench.run();
    assert_eq!(seen.get().clean, b"{\"a\":1}\n{\"b\n{\"c\":1}\n");
    assert_eq!(seen.get().failed_inputs, ["broken: the disk is gone"]);
    assert!(seen.get().aborted && !seen.get().finished, "the output is not whole");
    assert_eq!(report.failed_inputs, 1);
}

#[test]
fn a_closed_pipe_stops_the_reading() {
    let script = Script::bytes(&events(1_000_000), 1 << 16);
    let given = script.given.clone();
    let mut bench = Bench::new([("in", script)]);
    bench.tray.fails_at = Some((5000, ErrorKind::BrokenPipe));
    let seen = bench.seen.clone();
    let report = bench.run();
    assert!(matches!(report.end, End::Closed));
    assert!(*given.lock().unwrap() < 3_000_000);
    assert!(report.unwritten > 0);
    assert_eq!(report.tally.unaccounted(), 0);
    assert!(seen.get().aborted && !seen.get().finished);
}

#[test]
fn a_failing_sink_is_a_failure_and_what_it_did_not_take_is_counted() {
    let mut bench = Bench::new([("in", Script::bytes(&events(1000), 1 << 16))]);
    bench.tray.fails_at = Some((5000, ErrorKind::StorageFull));
    let seen = bench.seen.clone();
    let report = bench.run();
    assert!(matches!(report.end, End::Failed(Failure::Sink(_))));
    assert!(report.unwritten > 0 && report.read() <= 1000);
    assert!(seen.get().aborted);
}

#[test]
fn lines_that_are_out_are_counted_wherever_the_disk_is_full() {
    let input: Vec<u8> = (0..60)
        .map(|n| match n % 7 {
            3 => "\n".to_owned(),
            5 => format!("bad {n}\n"),
            _ => format!("{{\"n\":{n}}}\n"),
        })
        .collect::<String>()
        .into_bytes();
    for chunk_bytes in [1, 40, 1 << 18] {
        for room in 0..350 {
            let mut bench = Bench::new([("in", Script::bytes(&input, 1 << 16))]);
            bench.sizes.chunk_bytes = chunk_bytes;
            bench.dead_letter = true;
            bench.tray.fails_at = Some((room, ErrorKind::StorageFull));
            let seen = bench.seen.clone();
            let report = bench.run();
            assert!(matches!(report.end, End::Failed(Failure::Sink(_))), "{room}");
            let seen = seen.get();
            assert_eq!(seen.clean.len(), room);
            let out = memchr::memchr_iter(b'\n', &seen.clean).count() as u64;
            assert_eq!(report.tally.forwarded(), out, "{chunk_bytes} {room}");
            assert_eq!(report.tally.rejected_total(), seen.letters.len() as u64);
            assert_eq!(report.tally.unaccounted(), 0);
            // The rest of what was read, and nothing else, is not.
            assert!(report.read() <= 60 && report.unwritten > 0);
            if chunk_bytes > 60 * 8 {
                assert_eq!(report.read(), 60);
            }
        }
    }
}

#[test]
fn where_the_dead_letter_fails_the_others_are_out() {
    let bench_of = |threads| {
        let input = [&events(5)[..], b"bad\n\n", &events(5)].concat();
        let mut bench = Bench::new([("in", Script::bytes(&input, 1 << 16))]);
        bench.sizes.chunk_bytes = 1 << 18;
        (bench.dead_letter, bench.threads) = (true, threads);
        bench.seen.get().letters_fail = true;
        bench
    };
    for threads in [1, 2] {
        let bench = bench_of(threads);
        let seen = bench.seen.clone();
        let report = bench.run();
        assert!(matches!(report.end, End::Failed(Failure::DeadLetter(_))));
        assert_eq!(seen.get().clean, events(5).repeat(2));
        assert_eq!((report.tally.forwarded(), report.tally.blank, report.unwritten), (10, 1, 1));
        assert_eq!(report.tally.unaccounted(), 0);
    }
}

#[test]
fn a_panic_in_a_worker_ends_the_run_with_an_account() {
    let input = [&events(100)[..], b"{\"panic\":1}\n", &events(100)].concat();
    let bench = Bench::new([("in", Script::bytes(&input, 50))]);
    let seen = bench.seen.clone();
    let report = bench.run();
    assert!(matches!(report.end, End::Failed(Failure::Worker)));
    assert!(events(100).starts_with(&seen.get().clean));
    assert!(report.unwritten > 0);
    assert!(seen.get().aborted);
}

#[test]
fn a_panic_in_a_sink_ends_the_run_with_an_account() {
    for threads in [1, 3] {
        let mut bench = Bench::new([("in", Script::bytes(&events(1000), 50))]);
        bench.threads = threads;
        bench.sizes.chunk_bytes = 100;
        bench.tray.panics = true;
        let report = bench.run();
        assert!(matches!(report.end, End::Failed(Failure::Worker)));
        assert_eq!(report.tally.read, 0);
        assert!(report.unwritten > 0);
    }
}

#[test]
fn an_output_without_a_forwarded_line_is_whole() {
    for input in ["bad\nbad\n", "\n\n", ""] {
        let bench = Bench::new([("in", Script::bytes(input.as_bytes(), 100))]);
        let seen = bench.seen.clone();
        let report = bench.run();
        assert!(matches!(report.end, End::Complete) && seen.get().finished, "{input:?}");
    }
}

/// A file that is left at `cut`, whatever its chunks, comes to its whole lines before that, and is not
/// whole.
#[test]
fn a_file_that_a_stop_leaves_comes_to_the_lines_before() {
    let input = [&events(9)[..], b"\n{\"bad\"\n", &[b'x'; 200], b"\n", &events(3)].concat();
    for chunk_bytes in [1, 16, 100, 1 << 18] {
        for cut in 0..input.len() {
            let acts =
                [Act::Bytes(input[..cut].to_vec()), Act::Stop, Act::Bytes(input[cut..].to_vec())];
            let mut script = Script::new(acts, 1 << 16);
            let mut bench = Bench::new([]);
            (script.finite, script.shutdown) = (true, Some(bench.shutdown.clone()));
            bench.inputs.extend([("in", script), ("never", Script::bytes(b"{}\n", 100))]);
            bench.sizes = Sizes { chunk_bytes, ..Sizes::new(100) };
            bench.dead_letter = true;
            let seen = bench.seen.clone();
            let report = bench.run();
            let End::Unfinished(unfinished) = &report.end else { panic!("{:?}", report.end) };
            assert_eq!((unfinished.inputs, unfinished.left), (2, 1));
            let whole = memchr::memrchr(b'\n', &input[..cut]).map_or(0, |at| at + 1);
            let lines = memchr::memchr_iter(b'\n', &input[..whole]).count() as u64;
            let last = unfinished.last.as_ref().map_or((0, 0), |spot| (spot.lines, spot.bytes));
            assert_eq!(last, (lines, whole as u64), "{chunk_bytes} {cut}");
            assert_eq!((report.read(), report.unwritten), (lines, 0), "{chunk_bytes} {cut}");
            assert_eq!(report.tally.unaccounted(), 0);
            let seen = seen.get();
            let events: Vec<u8> = input[..whole]
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| line.starts_with(b"{\"n"))
                .flatten()
                .copied()
                .collect();
            assert_eq!(seen.clean, events, "{chunk_bytes} {cut}");
            let refused = u64::from(lines >= 11) + u64::from(lines >= 12);
            assert_eq!(seen.letters.len() as u64, refused, "{chunk_bytes} {cut}");
            assert!(seen.aborted && !seen.finished);
        }
    }
}

#[test]
fn a_line_that_takes_long_is_read_and_named() {
    for (finite, threads) in [(false, 1), (false, 3), (true, 2)] {
        let mut script = Script::bytes(&[&events(2000)[..], b"{\"slow\":1}\n"].concat(), 1 << 16);
        script.finite = finite;
        let mut rest = Script::new([Act::Pause(Duration::from_secs(600))], 1);
        let mut bench = Bench::new([("slow", script)]);
        rest.finite = finite;
        rest.shutdown = Some(bench.shutdown.clone());
        bench.inputs.push(("rest", rest));
        bench.sizes.chunk_bytes = 1 << 18;
        bench.threads = threads;
        bench.dawdle = |data| match data.ends_with(b"{\"slow\":1}\n") {
            true => Duration::from_secs(600),
            false => Duration::ZERO,
        };
        let (seen, shutdown) = (bench.seen.clone(), bench.shutdown.clone());
        let largest = bench.judging.clone();
        let run = thread::spawn(move || bench.run());
        until("the line", || *largest.lock().unwrap());
        shutdown.request_by(tamis::shutdown::Signal::Interrupt);
        shutdown.request();
        let report = run.join().unwrap();
        let stall = match &report.end {
            End::Stalled(stall) if !finite => stall,
            End::Unfinished(tamis::pipeline::Unfinished { stall: Some(stall), .. }) if finite => {
                stall
            }
            other => panic!("{other:?}"),
        };
        let said = stall.to_string();
        assert!(
            said.contains("a line takes too long to judge: it is in slow between byte 0 and"),
            "{said}"
        );
        assert_eq!((report.read(), report.unwritten), (2001, 2001));
        assert!(seen.get().aborted && !seen.get().finished);
    }
}

#[test]
fn an_input_that_does_not_answer_is_named() {
    let mut bench = Bench::new([("in", Script::new([Act::Hang], 1))]);
    bench.dead_letter = true;
    let shutdown = bench.shutdown.clone();
    shutdown.request();
    shutdown.request();
    // Asked before it is read, it is not read.
    assert!(matches!(bench.run().end, End::Complete));
    let bench = Bench::new([("in", Script::new([Act::Hang], 1))]);
    let (shutdown, judging) = (bench.shutdown.clone(), bench.judging.clone());
    let run = thread::spawn(move || bench.run());
    thread::sleep(ms(100));
    shutdown.request();
    shutdown.request();
    let report = run.join().unwrap();
    assert!(matches!(report.end, End::Stalled(Stall::Input)), "{:?}", report.end);
    assert!(!*judging.lock().unwrap());
}

/// A source that pauses for so long that only a shutdown ends it.
fn endless(shutdown: &tamis::shutdown::Shutdown) -> Script {
    let mut script = Script::new(
        [
            Act::Bytes(b"{\"a\":1}\n".to_vec()),
            Act::Pause(ms(150)),
            Act::Bytes(b"{\"last\":1}\n{\"words".to_vec()),
            Act::Pause(Duration::from_secs(600)),
        ],
        100,
    );
    script.shutdown = Some(shutdown.clone());
    script
}

#[test]
fn the_first_request_drains_until_the_deadline() {
    let mut bench = Bench::new([]);
    bench.shutdown = tamis::shutdown::Shutdown::new(ms(500)).unwrap();
    let shutdown = bench.shutdown.clone();
    bench.inputs.push(("in", endless(&shutdown)));
    let seen = bench.seen.clone();
    let started = Instant::now();
    shutdown.request();
    let report = bench.run();
    assert!(started.elapsed() >= ms(500) && started.elapsed() < Duration::from_secs(5));
    assert_eq!(seen.get().clean, b"{\"a\":1}\n{\"last\":1}\n{\"words\n");
    assert!(matches!(report.end, End::Complete));
}

#[test]
fn the_second_request_stops_and_what_was_read_is_written() {
    let mut bench = Bench::new([]);
    let shutdown = bench.shutdown.clone();
    bench.inputs.push(("in", endless(&shutdown)));
    bench.inputs.push(("never", Script::bytes(b"{\"never\":1}\n", 100)));
    let seen = bench.seen.clone();
    let run = thread::spawn(move || bench.run());
    thread::sleep(ms(50));
    shutdown.request();
    shutdown.request();
    run.join().unwrap();
    assert_eq!(seen.get().clean, b"{\"a\":1}\n");
}

#[test]
fn a_stuck_sink_is_given_up_and_the_rest_counted() {
    let mut bench = Bench::new([("in", Script::bytes(&events(10_000), 1 << 16))]);
    bench.tray.dawdle = Duration::from_secs(600);
    let shutdown = bench.shutdown.clone();
    let started = Instant::now();
    let run = thread::spawn(move || bench.run());
    thread::sleep(ms(200));
    shutdown.request();
    shutdown.request();
    let report = run.join().unwrap();
    assert!(matches!(report.end, End::Stuck));
    assert!(started.elapsed() < Duration::from_secs(6));
    assert_eq!(report.tally.read, 0);
    assert!(report.unwritten > 0);
}
