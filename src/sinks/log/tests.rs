//! A log on a failing disk, and over time.

mod clock;
mod failing;
mod halves;

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use tempfile::TempDir;

use super::{faults::Op, *};

/// A log in a folder of its own, with a fixed clock, and the reported messages.
struct Scene {
    dir: TempDir,
    settings: Settings,
    seconds: Arc<AtomicU64>,
    said: Arc<Mutex<Vec<String>>>,
    shutdown: Shutdown,
    meters: Arc<Meters>,
}

impl Scene {
    fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().join(name);
        let name = Template::parse(name.to_str().unwrap()).unwrap();
        Self {
            dir,
            settings: Settings::new(name, 1 << 20),
            // 2026-11-28T01:59:50Z
            seconds: Arc::new(AtomicU64::new(1_795_831_190)),
            said: Arc::default(),
            shutdown: Shutdown::new(Duration::from_secs(60)).unwrap(),
            meters: Arc::default(),
        }
    }

    fn open(&self) -> LogSink {
        self.failing(|_, _| Ok(())).unwrap()
    }

    fn failing(
        &self,
        faults: impl Fn(Op, &str) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<LogSink> {
        let (said, seconds) = (self.said.clone(), self.seconds.clone());
        let say: Say = Arc::new(move |_, text| said.lock().unwrap().push(text.to_owned()));
        let clock = move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(SeqCst));
        let (settings, faults) = (self.settings.clone(), Faults::new(faults));
        let retry = Retry { shutdown: self.shutdown.clone(), say };
        LogSink::with(settings, retry, self.meters.clone(), Arc::new(clock), faults)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| format!("{name}: {e}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn said(&self) -> Vec<String> {
        let prefix = format!("{}/", self.dir.path().display());
        self.said.lock().unwrap().iter().map(|text| text.replace(&prefix, "")).collect()
    }
}

fn error(code: rustix::io::Errno) -> io::Result<()> {
    Err(code.into())
}

#[test]
fn pieces_of_lines_are_written_as_lines() {
    let scene = Scene::new("x");
    let mut log = scene.open();
    for piece in ["{\"a\"", ":1", "}\n{", "}\n{}\n{\"b\":", "2}\n"] {
        log.write(piece.as_bytes()).unwrap();
        let there = scene.read("x");
        assert!(there.is_empty() || there.ends_with('\n'), "{there}");
    }
    log.finish().unwrap();
    assert_eq!(scene.read("x"), "{\"a\":1}\n{}\n{}\n{\"b\":2}\n");
}

#[test]
fn what_is_no_log_of_lines_is_not_cut() {
    let mut scene = Scene::new("x");
    scene.settings.longest_line = 8;
    for content in [&b"\x1f\x8b\x08\0\0\0\0\0packed"[..], b"{}\nlonger than any line"] {
        fs::write(scene.path("x"), content).unwrap();
        assert!(scene.failing(|_, _| Ok(())).is_err());
        assert_eq!(fs::read(scene.path("x")).unwrap(), content);
    }
    fs::remove_file(scene.path("x")).unwrap();
    std::os::unix::fs::symlink("elsewhere", scene.path("x")).unwrap();
    assert!(scene.failing(|_, _| Ok(())).is_err());
    assert_eq!(scene.names(), ["x"]);
}

#[test]
fn size_rotates_between_lines_and_takes_no_name_twice() {
    let mut scene = Scene::new("x.ndjson");
    scene.settings.rotate_size = Some(12);
    fs::write(scene.path("x.ndjson.2026-11-28T01-59-50Z.gz"), "packed").unwrap();
    let mut log = scene.open();
    log.write(b"{\"n\":1}\n{}\n{\"n\":2}\n{\"longer than a file\":3}\n{}\n").unwrap();
    log.finish().unwrap();
    assert_eq!(scene.read("x.ndjson.2026-11-28T01-59-50Z.1"), "{\"n\":1}\n{}\n");
    assert_eq!(scene.read("x.ndjson.2026-11-28T01-59-50Z.2"), "{\"n\":2}\n");
    assert_eq!(scene.read("x.ndjson.2026-11-28T01-59-50Z.3"), "{\"longer than a file\":3}\n");
    assert_eq!(scene.read("x.ndjson"), "{}\n");
    assert_eq!(scene.read("x.ndjson.2026-11-28T01-59-50Z.gz"), "packed");
}

#[test]
fn time_rotates_also_over_a_restart_and_an_empty_file_never() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_every = Some(Duration::from_secs(3600));
    let mut log = scene.open();
    log.write(b"{\"n\":1}\n").unwrap();
    scene.seconds.fetch_add(5, SeqCst);
    log.write(b"{\"n\":2}\n").unwrap();
    scene.seconds.fetch_add(5, SeqCst);
    log.write(b"{\"n\":3}\n").unwrap();
    lock(&log.files).tick().unwrap();
    assert_eq!(scene.names(), ["x", "x.2026-11-28T02-00-00Z"]);
    assert_eq!(scene.read("x.2026-11-28T02-00-00Z"), "{\"n\":1}\n{\"n\":2}\n");
    scene.seconds.fetch_add(3600, SeqCst);
    lock(&log.files).tick().unwrap();
    scene.seconds.fetch_add(3600, SeqCst);
    lock(&log.files).tick().unwrap();
    log.finish().unwrap();
    drop(log);
    assert_eq!(scene.names(), ["x", "x.2026-11-28T02-00-00Z", "x.2026-11-28T03-00-00Z"]);
    // The last write was long before.
    fs::write(scene.path("x"), "{}\n").unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options().append(true).open(scene.path("x")).unwrap().set_modified(old).unwrap();
    let mut log = scene.open();
    log.write(b"{\"n\":4}\n").unwrap();
    assert_eq!((scene.read("x").as_str(), scene.names().len()), ("{\"n\":4}\n", 4));
}

#[test]
fn rotated_files_are_compressed_what_a_crash_left_too_and_the_oldest_go() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_size = Some(4);
    scene.settings.rotate_keep = Some(3);
    scene.settings.compress = Some(Format::Gzip);
    for name in [
        "x.2025-01-01T00-00-00Z",
        "x.2026-01-01T00-00-00Z",
        "x.2026-01-01T00-00-00Z.gz",
        &crate::temporary::name("x.2026-01-01T00-00-00Z.gz"),
        "x.old",
    ] {
        fs::write(scene.path(name), "{\"left\":1}\n").unwrap();
    }
    let mut log = scene.open();
    log.write(b"{}\n").unwrap();
    scene.seconds.fetch_add(1, SeqCst);
    log.write(b"[]\n").unwrap();
    log.finish().unwrap();
    assert_eq!(
        scene.names(),
        [
            "x",
            "x.2025-01-01T00-00-00Z.gz",
            "x.2026-01-01T00-00-00Z.gz",
            "x.2026-11-28T01-59-51Z.gz",
            "x.old"
        ]
    );
    let packed = fs::read(scene.path("x.2026-01-01T00-00-00Z.gz")).unwrap();
    let mut text = String::new();
    io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert_eq!(text, "{\"left\":1}\n");
    scene.seconds.fetch_add(1, SeqCst);
    let mut log = scene.open();
    log.write(b"{\"n\":1}\n").unwrap();
    log.finish().unwrap();
    assert_eq!(scene.names().len(), 5, "{:?}", scene.names());
    assert!(!scene.path("x.2025-01-01T00-00-00Z.gz").exists());
}

#[test]
fn a_full_disk_is_waited_for_and_said_once() {
    let scene = Scene::new("x");
    let full = Arc::new(AtomicUsize::new(2));
    let left = full.clone();
    let mut log = scene
        .failing(move |op, _| match op {
            Op::Write if left.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok() => {
                error(rustix::io::Errno::NOSPC)
            }
            _ => Ok(()),
        })
        .unwrap();
    log.write(b"{\"n\":1}\n").unwrap();
    log.write(b"{\"n\":2}\n").unwrap();
    assert_eq!(scene.read("x"), "{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(
        scene.said(),
        [
            "x: no space left on the device: waiting for space; reading is paused",
            "x: the device has space again; continuing"
        ]
    );
    full.store(usize::MAX, SeqCst);
    scene.shutdown.stop();
    let failed = log.write(b"{\"n\":3}\n").unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
    assert_eq!(scene.read("x"), "{\"n\":1}\n{\"n\":2}\n");
    full.store(0, SeqCst);
    assert!(log.write(b"{}\n").is_err() && log.sync().is_err(), "nothing comes behind a gap");
}

#[test]
fn after_a_failed_fsync_it_is_written_again_from_memory() {
    let scene = Scene::new("x");
    let (fails, path) = (Arc::new(AtomicBool::new(false)), scene.path("x"));
    let now = fails.clone();
    let mut log = scene
        .failing(move |op, _| match op {
            Op::Sync if now.swap(false, SeqCst) => {
                // What was in the page cache is lost, and reads as something else.
                let file = fs::File::options().write(true).open(&path).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, b"????", 10).unwrap();
                error(rustix::io::Errno::IO)
            }
            _ => Ok(()),
        })
        .unwrap();
    log.write(b"{\"n\":1}\n").unwrap();
    log.sync().unwrap();
    log.write(b"{\"n\":2}\n{\"n\":3}\n").unwrap();
    fails.store(true, SeqCst);
    log.sync().unwrap();
    log.write(b"{\"n\":4}\n").unwrap();
    log.finish().unwrap();
    assert_eq!(scene.read("x"), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n");
    let said = scene.said();
    assert!(
        said[0].starts_with("x: fsync failed (") && said[0].contains("after byte 8"),
        "{said:?}"
    );
}

#[test]
fn a_second_failed_fsync_stops_at_the_boundary() {
    let scene = Scene::new("x");
    let fails = Arc::new(AtomicBool::new(false));
    let now = fails.clone();
    let mut log = scene
        .failing(move |op, _| match op {
            Op::Sync if now.load(SeqCst) => error(rustix::io::Errno::IO),
            _ => Ok(()),
        })
        .unwrap();
    log.write(b"{\"n\":1}\n").unwrap();
    log.sync().unwrap();
    log.write(b"{\"n\":2}\n").unwrap();
    fails.store(true, SeqCst);
    let failed = log.sync().unwrap_err().to_string();
    assert!(
        failed.contains("fsync failed twice") && failed.contains("the first 8 bytes"),
        "{failed}"
    );
    fails.store(false, SeqCst);
    assert!(log.sync().is_err() && log.write(b"{}\n").is_err());
    assert_eq!(scene.read("x"), "{\"n\":1}\n");
}

#[test]
fn a_file_that_was_moved_away_is_not_renamed_over() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_size = Some(4);
    let mut log = scene.open();
    log.write(b"{}\n").unwrap();
    fs::rename(scene.path("x"), scene.path("y")).unwrap();
    fs::write(scene.path("x"), "another's").unwrap();
    log.write(b"[]\n").unwrap();
    log.finish().unwrap();
    assert_eq!(scene.names(), ["x", "x.2026-11-28T01-59-50Z", "y"]);
    assert_eq!((scene.read("x"), scene.read("y")), ("[]\n".into(), "{}\n".into()));
    // The unacknowledged lines were written again.
    assert_eq!(scene.read("x.2026-11-28T01-59-50Z"), "another's\n{}\n");
}

#[test]
fn fields_part_the_lines_and_few_files_are_open() {
    let scene = Scene::new("{s}/{l}.x");
    let mut log = scene.open();
    let mut lines = String::new();
    for n in 0..3000 {
        lines.push_str(&format!("{{\"s\":\"s{}\",\"l\":{},\"n\":{n}}}\n", n % 100, n % 2));
    }
    for piece in lines.as_bytes().chunks(1000) {
        log.write(piece).unwrap();
    }
    let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    assert!(open < 400, "{open}");
    log.finish().unwrap();
    assert_eq!(scene.names().len(), 100);
    let expected: String =
        lines.lines().filter(|l| l.contains("\"s7\"")).map(|l| format!("{l}\n")).collect();
    assert_eq!(scene.read("s7/1.x"), expected);
}

#[test]
fn too_many_values_share_a_file_and_a_new_day_has_new_ones() {
    let scene = Scene::new("{%Y-%m-%d}/{s}.x");
    let mut log = scene.open();
    let lines: String = (0..4200).map(|n| format!("{{\"s\":{n}}}\n")).collect();
    log.write(lines.as_bytes()).unwrap();
    log.sync().unwrap();
    let count = |day: &str| fs::read_dir(scene.path(day)).unwrap().count();
    assert_eq!(count("2026-11-28"), 4097);
    assert_eq!(scene.read("2026-11-28/_other.x").lines().count(), 104);
    scene.seconds.fetch_add(86_400, SeqCst);
    log.write(b"{\"s\":4199}\n").unwrap();
    log.finish().unwrap();
    assert_eq!(scene.read("2026-11-29/4199.x"), "{\"s\":4199}\n");
}

#[test]
fn a_link_among_the_folders_is_refused() {
    let scene = Scene::new("{s}/x");
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), scene.path("evil")).unwrap();
    let mut log = scene.open();
    log.write(b"{\"s\":\"../../etc\"}\n").unwrap();
    assert_eq!(scene.names(), ["%2E.%2F..%2Fetc", "evil"]);
    log.write(b"{\"s\":\"evil\"}\n{\"s\":\"evil\",\"n\":2}\n").unwrap();
    log.write(b"{\"s\":\"evil\",\"n\":3}\n").unwrap();
    assert_eq!(scene.read("_other/x").lines().count(), 3);
    assert_eq!(scene.meters.other(), 3);
    let said = scene.said();
    assert!(said.len() == 1 && said[0].contains("is a symbolic link or a file"), "{said:?}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}
