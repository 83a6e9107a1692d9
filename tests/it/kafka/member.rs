//! The program as a member of a group.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::broker::Broker;

/// What is waited for takes seconds; on a machine that has too much to do, minutes.
const PATIENCE: Duration = Duration::from_secs(180);

/// A folder with a configuration, and what the program said.
pub(crate) struct Desk {
    folder: TempDir,
    /// Of the processes that were started.
    names: RefCell<BTreeSet<String>>,
}

impl Desk {
    /// From `source` to `sink` and `dead`, in the group `group`; `more` comes first in the file, and what
    /// stands behind `#source ` in the table of that name.
    pub(crate) fn new(broker: &Broker, topics: [&str; 3], group: &str, more: &str) -> Self {
        let [source, sink, dead] = topics;
        let address = &broker.address;
        let dead = match dead {
            "" => String::new(),
            topic => format!("[dead_letter]\ntopic = \"{topic}\"\n"),
        };
        let secret =
            if more.contains("#secret") { "pseudonym_key_file = \"secret\"\n" } else { "" };
        // What stands behind a word there belongs to the sink.
        let said = |word: &str, key: &str| {
            let value = more.lines().find_map(|line| line.strip_prefix(word));
            value.map(|value| format!("{key} ={value}\n")).unwrap_or_default()
        };
        let (routes, framing) = (said("#routes", "routes"), said("#framing", "framing"));
        // What is compared with what was sent has no header more.
        let hops = if more.contains("#hops") { "" } else { "hops = 0\n" };
        let same = if more.contains("#same") { "partition = \"same\"\n" } else { "" };
        let data = if more.contains("#data") { "data_dir = \"data\"\n" } else { "" };
        let start: String = more
            .lines()
            .filter_map(|line| line.strip_prefix("#source "))
            .map(|line| format!("{line}\n"))
            .collect();
        let eager = match more.contains("#eager") {
            true => ", \"partition.assignment.strategy\" = \"range\"",
            false => "",
        };
        let text = format!(
            "version = 1\n{more}\n[kafka]\nbrokers = [\"{address}\"]\n\
             properties = {{ \"session.timeout.ms\" = \"6000\", \
             \"statistics.interval.ms\" = \"200\", \"topic.metadata.refresh.interval.ms\" = \
             \"1000\"{eager} }}\n{data}\
             [source]\ntopics = [\"{source}\"]\ngroup = \"{group}\"\n{framing}{start}\
             [sink]\ntopic = \"{sink}\"\n{secret}{same}{hops}{routes}{dead}"
        );
        Self::of(&text)
    }

    /// With this configuration.
    pub(crate) fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tamis.toml"), text).unwrap();
        fs::write(folder.path().join("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
        Self { folder, names: RefCell::default() }
    }

    /// Writes the configuration, changed, as the file `name`.
    pub(crate) fn change(&self, name: &str, change: impl Fn(String) -> String) {
        let text = fs::read_to_string(self.path("tamis.toml")).unwrap();
        fs::write(self.path(name), change(text)).unwrap();
    }

    /// How long the group waits for members that say nothing, in place of the usual 6 s here.
    pub(crate) fn session(&self, session: Session) {
        self.change("tamis.toml", |text| {
            let usual = "\"session.timeout.ms\" = \"6000\", ";
            assert!(text.contains(usual));
            text.replace(
                usual,
                match session {
                    Session::Long => "\"session.timeout.ms\" = \"240000\", ",
                    Session::Default => "",
                },
            )
        });
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it; what it says goes into the file `name`, which is its instance's name, too.
    pub(crate) fn start(&self, name: &str) -> Member<'_> {
        self.start_as(name, name)
    }

    pub(crate) fn start_as(&self, name: &str, instance: &str) -> Member<'_> {
        self.spawn(&["--config", "tamis.toml"], name, instance)
    }

    /// Starts it with these arguments.
    pub(crate) fn spawn(&self, args: &[&str], name: &str, instance: &str) -> Member<'_> {
        self.names.borrow_mut().insert(name.to_owned());
        let path = self.path(name);
        let said = OpenOptions::new().append(true).create(true).open(path).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tamis"))
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("TAMIS_CONFIG")
            .env("INSTANCE", instance)
            .stdin(Stdio::null())
            .stdout(Stdio::from(File::create(self.path("out")).unwrap()))
            .stderr(Stdio::from(said))
            .spawn()
            .unwrap();
        Member { desk: self, child, name: name.to_owned() }
    }

    /// Where its admin server listens, once it said so: that of the last process of this name.
    pub(crate) fn admin(&self, name: &str) -> Option<u16> {
        let said = self.said(name);
        let port: String = said
            .rsplit_once("--admin: listening at 127.0.0.1:")?
            .1
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        port.parse().ok()
    }

    pub(crate) fn said(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// What all processes of this desk said, each behind its name.
    fn all_said(&self) -> String {
        let names = self.names.borrow();
        names.iter().map(|name| format!("--- {name}\n{}", self.said(name))).collect()
    }
}

/// How long a group waits.
pub(crate) enum Session {
    /// Longer than a test.
    Long,
    /// As the program has it.
    Default,
}

/// A process.
pub(crate) struct Member<'a> {
    desk: &'a Desk,
    child: Child,
    name: String,
}

impl Member<'_> {
    /// Waits until `done`; the process must go on meanwhile.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            let ended = self.child.try_wait().unwrap();
            let why = match ended {
                Some(status) => format!("it ended before {what}: {status}"),
                None if begun.elapsed() >= PATIENCE => format!("{what} did not come"),
                None => String::new(),
            };
            // Once more behind what it said, for whoever sees the end alone.
            assert!(why.is_empty(), "{why}\n{}\n{why}", self.desk.all_said());
            sleep(Duration::from_millis(50));
        }
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        crate::memory::peak_of(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Its exit code and the account, once it ends.
    pub(crate) fn end(mut self) -> (i32, Value) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.desk.all_said());
            sleep(Duration::from_millis(20));
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        let said = self.desk.said(&self.name);
        let account = said.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        (code, account.unwrap_or_default())
    }

    pub(crate) fn stop(self) -> (i32, Value) {
        self.signal(Signal::TERM);
        self.end()
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
