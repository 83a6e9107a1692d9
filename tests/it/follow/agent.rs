//! A program that follows files in a folder of its own, and what it wrote.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Nothing here takes so long; a machine that does other things is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with `logs/`, `data/`, and what the program writes: `out`, `err`.
pub(crate) struct Yard {
    folder: TempDir,
}

impl Yard {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path("logs").join(name)
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.log(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// One event for each id.
    pub(crate) fn events(&self, name: &str, ids: impl IntoIterator<Item = u64>) {
        let events: String = ids.into_iter().map(event).collect();
        self.append(name, &events);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let text = String::from_utf8(fs::read(self.path(name)).unwrap_or_default()).unwrap();
        // What it said, as a terminal would show it.
        if name == "err" { crate::journal::as_shown(&text) } else { text }
    }

    /// Starts the program on `logs/*.log*`, with its streams added to `out` and `err`.
    pub(crate) fn start(&self, args: &[&str]) -> Agent<'_> {
        self.start_on("logs/*.log*", args)
    }

    pub(crate) fn start_on(&self, files: &str, args: &[&str]) -> Agent<'_> {
        self.start_with(files, args, self.added_to("out"))
    }

    /// The same, with so many descriptors.
    pub(crate) fn start_limited(&self, descriptors: usize, args: &[&str]) -> Agent<'_> {
        let script = format!("ulimit -n {descriptors}; exec \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_tamis")]);
        self.spawn(command, "logs/*.log*", args, self.added_to("out"))
    }

    fn added_to(&self, name: &str) -> Stdio {
        let path = self.path(name);
        OpenOptions::new().append(true).create(true).open(path).unwrap().into()
    }

    pub(crate) fn start_with(&self, files: &str, args: &[&str], stdout: Stdio) -> Agent<'_> {
        self.spawn(Command::new(env!("CARGO_BIN_EXE_tamis")), files, args, stdout)
    }

    fn spawn(&self, mut command: Command, files: &str, args: &[&str], stdout: Stdio) -> Agent<'_> {
        let child = command
            .current_dir(self.folder.path())
            .args(["--follow", files])
            .args(args)
            .env_remove("TAMIS_CONFIG")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(self.added_to("err"))
            .spawn()
            .unwrap();
        Agent { yard: self, child }
    }

    /// The ids in what was forwarded, in order.
    pub(crate) fn ids(&self) -> Vec<u64> {
        self.file_ids("out")
    }

    /// The same, in what was forwarded to `file`.
    pub(crate) fn file_ids(&self, file: &str) -> Vec<u64> {
        ids(&self.read(file))
    }

    /// Waits until `done`.
    pub(crate) fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} did not come; out ends with {:?}, err: {}",
                self.ids().iter().rev().take(5).collect::<Vec<_>>(),
                self.read("err")
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the ids that came are these, in this order.
    pub(crate) fn until_ids(&self, wanted: impl IntoIterator<Item = u64>) {
        self.until_file_ids("out", wanted);
    }

    pub(crate) fn until_file_ids(&self, file: &str, wanted: impl IntoIterator<Item = u64>) {
        let wanted: Vec<_> = wanted.into_iter().collect();
        self.until(&format!("{} ids", wanted.len()), || self.file_ids(file).len() >= wanted.len());
        assert_eq!(self.file_ids(file), wanted);
    }

    /// Waits until the checkpoints say that so many bytes of `name` are delivered.
    pub(crate) fn until_kept(&self, name: &str) {
        let wanted = fs::metadata(self.log(name)).unwrap().len();
        self.until("the checkpoint", || self.kept(name).is_some_and(|kept| kept.offset == wanted));
    }

    /// What the checkpoints say of `name`: of the file that was met last under it.
    pub(crate) fn kept(&self, name: &str) -> Option<Kept> {
        let path = self.log(name);
        self.checkpoints().into_iter().rfind(|kept| Path::new(&kept.path) == path)
    }

    pub(crate) fn checkpoints(&self) -> Vec<Kept> {
        let Ok(text) = fs::read(self.path("data/checkpoints.json")) else { return Vec::new() };
        let all: Value = serde_json::from_slice(&text).unwrap();
        let all = all["files"].as_array().unwrap();
        let kept = all.iter().map(|entry| Kept {
            path: entry["path"].as_str().unwrap().into(),
            inode: entry["inode"].as_u64().unwrap(),
            offset: entry["offset"].as_u64().unwrap(),
            start: (
                entry["start"]["bytes"].as_u64().unwrap() as usize,
                entry["start"]["digest"].as_str().unwrap().into(),
            ),
        });
        kept.collect()
    }
}

/// What a checkpoint keeps of a file.
pub(crate) struct Kept {
    pub(crate) path: String,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
    /// So many first bytes, and their digest.
    pub(crate) start: (usize, String),
}

/// A line with `id`, and a canary in every third.
pub(crate) fn event(id: u64) -> String {
    match id % 3 {
        0 => format!("{{\"id\":{id},\"mail\":\"canary{id}@example.com\"}}\n"),
        _ => format!("{{\"id\":{id},\"message\":\"nothing to see in this one\"}}\n"),
    }
}

pub(crate) fn ids(text: &str) -> Vec<u64> {
    let ids = text.lines().filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event["id"].as_u64()
    });
    ids.collect()
}

/// A running program.
pub(crate) struct Agent<'y> {
    pub(crate) yard: &'y Yard,
    child: Child,
}

impl Agent<'_> {
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and returns its account.
    pub(crate) fn stop(self) -> Value {
        self.stop_with(0)
    }

    /// The same, with another exit code.
    pub(crate) fn stop_with(mut self, code: i32) -> Value {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let err = self.yard.read("err");
        assert_eq!(status.code(), Some(code), "{err}");
        let last = err.lines().last().unwrap();
        let summary: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{err}"));
        assert_eq!(summary["unaccounted"], 0, "{last}");
        assert_eq!(summary["unwritten"], 0, "{last}");
        summary
    }

    /// The most memory that it ever had, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak(&self) -> u64 {
        crate::memory::peak_of(&self.child)
    }

    /// Its output, where that is a pipe.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Waits for an end that it comes to by itself: its code.
    pub(crate) fn ends(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `gzip` makes of a file, in its place.
pub(crate) fn gzip(path: &Path) {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let text = fs::read(path).unwrap();
    let mut encoder =
        flate2::write::GzEncoder::new(File::create(packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(&text).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(path).unwrap();
}
