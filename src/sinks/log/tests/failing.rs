//! Single names from events that cannot be written.

use super::*;
use rustix::io::Errno;

fn lines(name: &str, numbers: std::ops::Range<u32>) -> String {
    numbers.map(|n| format!("{{\"s\":\"{name}\",\"n\":{n}}}\n")).collect()
}

#[test]
fn an_open_file_that_fails_does_not_stop_the_others() {
    for (op, code, rotate) in [
        (Op::Write, Errno::IO, None),
        (Op::Write, Errno::FBIG, None),
        (Op::Write, Errno::PERM, Some(1 << 20)),
        (Op::Rename, Errno::ACCESS, Some(24)),
        (Op::Open, Errno::PERM, Some(24)),
    ] {
        let mut scene = Scene::new("{s}.x");
        scene.settings.rotate_size = rotate;
        let fails = Arc::new(AtomicBool::new(false));
        let now = fails.clone();
        let hook = move |at: Op, name: &str| match name == "evil.x" && at == op {
            true if now.load(SeqCst) => error(code),
            _ => Ok(()),
        };
        let mut log = scene.failing(hook).unwrap();
        log.write((lines("evil", 0..1) + &lines("good", 0..1)).as_bytes()).unwrap();
        log.sync().unwrap();
        fails.store(true, SeqCst);
        log.write((lines("evil", 1..3) + &lines("good", 1..3)).as_bytes()).unwrap();
        lock(&log.files).tick().unwrap();
        log.sync().unwrap();
        fails.store(false, SeqCst);
        log.write((lines("evil", 3..4) + &lines("good", 3..4)).as_bytes()).unwrap();
        log.finish().unwrap();
        let of = |begins: [&str; 2]| {
            let names = scene.names();
            let mine = names.iter().filter(|n| begins.iter().any(|begin| n.starts_with(begin)));
            let text: String = mine.map(|name| scene.read(name)).collect();
            let mut lines: Vec<_> = text.lines().map(|line| format!("{line}\n")).collect();
            lines.sort();
            lines.concat()
        };
        assert_eq!(of(["good", "good"]), lines("good", 0..4), "{op:?} {code:?}");
        assert_eq!(of(["evil", "_other"]), lines("evil", 0..4), "{op:?} {code:?}");
        assert!(scene.meters.other() > 0, "{op:?} {code:?}");
        assert_eq!(scene.said().len(), 1, "{:?}", scene.said());
    }
}

#[test]
fn with_few_descriptors_files_are_open_in_turn() {
    let scene = Scene::new("{s}.x");
    let refused = Arc::new(AtomicUsize::new(0));
    let now = refused.clone();
    let mut log = scene
        .failing(move |op, name| match op {
            Op::Open if name == "s3.x" && now.fetch_add(1, SeqCst) < 2 => error(Errno::MFILE),
            _ => Ok(()),
        })
        .unwrap();
    for n in 0..5 {
        log.write(lines(&format!("s{n}"), 0..1).as_bytes()).unwrap();
    }
    assert_eq!(lock(&log.files).open(), ["s2.x", "s3.x", "s4.x"]);
    log.finish().unwrap();
    assert_eq!(scene.names(), ["s0.x", "s1.x", "s2.x", "s3.x", "s4.x"]);
    assert_eq!((scene.said(), scene.meters.other()), (Vec::new(), 0));
}

#[test]
fn what_is_in_rotated_files_counts_as_written_when_the_next_one_fails() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_size = Some(12);
    let renames = AtomicUsize::new(0);
    let mut log = scene
        .failing(move |op, _| match op {
            Op::Rename if renames.fetch_add(1, SeqCst) > 0 => error(Errno::IO),
            _ => Ok(()),
        })
        .unwrap();
    log.write(b"{\"n\"").unwrap();
    assert!(log.write(b":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\"").is_err());
    assert_eq!(log.taken(), 4 + 8, "the end of the first line, and the second");
    assert_eq!(scene.read("x"), "{\"n\":2}\n");
    assert!(log.write(b"{}\n").is_err());
    assert_eq!(log.taken(), 0);
}
