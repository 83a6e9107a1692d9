//! The configuration file: its values and their positions. `app` resolves it: a flag overrides the
//! file, and the file overrides a default.

pub mod choice;
mod conflicts;
pub mod kafka;
pub mod keys;
mod located;
pub mod names;
pub mod nearest;
pub mod outside;
mod places;
pub mod policy;
mod reader;
pub mod route;
mod shown;
pub mod units;

use std::{net::SocketAddr, time::Duration};

pub use located::{Complaint, Said, Spot};

use choice::{ColorChoice, CompressChoice, FormatChoice, FsyncChoice, IpChoice, TextChoice};
use kafka::{KafkaEntry, LetterEntry, SinkEntry, SourceEntry, Streams};
use outside::Outside;
use policy::{AllowEntry, Entries, RuleEntry};
use reader::Reader;

/// The version of the format.
const VERSION: u64 = 1;
/// Every key.
pub const KEYS: &[&str] = &[
    "version",
    "inputs",
    "recursive",
    "input_format",
    "output",
    "out_dir",
    "force",
    "append",
    "keep_partial",
    "compress",
    "rotate_size",
    "rotate_every",
    "rotate_keep",
    "fsync",
    "follow",
    "data_dir",
    "line_timeout",
    "poll",
    "admin",
    "admin_token_file",
    "admin_hosts",
    "metrics_textfile",
    "dead_letter",
    "dead_letter_encrypt_to",
    "kafka",
    "source",
    "sink",
    "delivery",
    "instance",
    "leave",
    "stats",
    "schema",
    "require",
    "text",
    "ip",
    "patterns",
    "only",
    "without",
    "numbers",
    "known_placeholders",
    "keys",
    "allow",
    "rule",
    "route",
    "max_event_bytes",
    "max_depth",
    "memory",
    "threads",
    "drain_timeout",
    "fail_on_drop",
    "quiet",
    "color",
];

/// The values of a configuration file; `None`: not set. Paths are as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Files to read.
    pub inputs: Option<Vec<Said<String>>>,
    /// Read all files in directories.
    pub recursive: Option<Said<bool>>,
    /// The format of input lines.
    pub input_format: Option<Said<FormatChoice>>,
    /// Where clean events go.
    pub output: Option<Said<String>>,
    /// A folder with one output file for each input.
    pub out_dir: Option<Said<String>>,
    /// Replace outputs that exist.
    pub force: Option<Said<bool>>,
    /// Append to an output that exists.
    pub append: Option<Said<bool>>,
    /// Keep an incomplete output under another name.
    pub keep_partial: Option<Said<bool>>,
    /// Compress the output.
    pub compress: Option<Said<CompressChoice>>,
    /// The size at which the output is rotated.
    pub rotate_size: Option<Said<u64>>,
    /// The period after which the output is rotated.
    pub rotate_every: Option<Said<Duration>>,
    /// The number of rotated files to keep.
    pub rotate_keep: Option<Said<u32>>,
    /// When the output is synced.
    pub fsync: Option<Said<FsyncChoice>>,
    /// Keep reading what is appended to the files.
    pub follow: Option<Said<bool>>,
    /// The folder for positions.
    pub data_dir: Option<Said<String>>,
    /// How long to wait for the end of a followed line, in seconds.
    pub line_timeout: Option<Said<u32>>,
    /// Poll the followed files instead of using inotify.
    pub poll: Option<Said<bool>>,
    /// The address of the admin server.
    pub admin: Option<Said<SocketAddr>>,
    /// The file with the admin server's bearer token.
    pub admin_token_file: Option<Said<String>>,
    /// The host names that the admin server accepts.
    pub admin_hosts: Option<Vec<Said<String>>>,
    /// The file that metrics are written to.
    pub metrics_textfile: Option<Said<String>>,
    /// Where events go that are not forwarded.
    pub dead_letter: Option<Said<String>>,
    /// An age public key that original lines in the dead letter are encrypted for.
    pub dead_letter_encrypt_to: Option<Said<String>>,
    /// Topics instead of files.
    pub streams: Streams,
    /// The file for the summary as JSON.
    pub stats: Option<Said<String>>,
    /// The name or path of a schema.
    pub schema: Option<Said<String>>,
    /// Fields that every event must have.
    pub require: Option<Vec<Said<String>>>,
    /// What happens to lines that are not JSON.
    pub text: Option<Said<TextChoice>>,
    /// What happens to global IP addresses.
    pub ip: Option<Said<IpChoice>>,
    /// Packs: `name@version` of a built-in one, or a path.
    pub patterns: Option<Vec<Said<String>>>,
    /// The only detectors, categories or packs to use.
    pub only: Option<Vec<Said<String>>>,
    /// Detectors, categories or packs not to use.
    pub without: Option<Vec<Said<String>>>,
    /// The allow-list, and the rules for findings.
    pub policy: Entries,
    /// The length of the longest line that is judged.
    pub max_event_bytes: Option<Said<u64>>,
    /// The deepest nesting that is judged.
    pub max_depth: Option<Said<u16>>,
    /// The memory limit.
    pub memory: Option<Said<u64>>,
    /// The number of worker threads.
    pub threads: Option<Said<u16>>,
    /// How long to keep reading after the first signal, in seconds.
    pub drain_timeout: Option<Said<u32>>,
    /// Leave the Kafka group at the end.
    pub leave: Option<Said<bool>>,
    /// Exit with 1 if an event was dropped.
    pub fail_on_drop: Option<Said<bool>>,
    /// Print no summary and no notices.
    pub quiet: Option<Said<bool>>,
    /// Whether to use colour.
    pub color: Option<Said<ColorChoice>>,
    /// The position of each key's value, followed by those of its items.
    pub(crate) spots: Vec<(String, Vec<Spot>)>,
}

impl Config {
    /// Parses the text of `file`, and what it refers to in `outside`.
    ///
    /// All errors are reported at once, in the order of the file.
    pub fn parse(file: &str, text: &str, outside: &Outside<'_>) -> Result<Self, Vec<Complaint>> {
        match Self::read(file, text, outside) {
            (config, complaints) if complaints.is_empty() => Ok(config),
            (_, complaints) => Err(complaints),
        }
    }

    /// Like `parse`, but also returns what could be read in spite of errors.
    pub fn read(file: &str, text: &str, outside: &Outside<'_>) -> (Self, Vec<Complaint>) {
        let mut r = Reader::new(file, text, outside);
        let mut config = Self::default();
        config.policy.file = file.to_owned();
        let mut version = None;
        for (key, value) in &r.table() {
            config.spots.push((key.get_ref().to_string(), r.spots(value)));
            match key.get_ref().as_ref() {
                "version" => version = r.whole(value, 0..=u64::MAX),
                "inputs" => config.inputs = r.texts(value),
                "recursive" => config.recursive = r.flag(value),
                "input_format" => config.input_format = r.choice(value),
                "output" => config.output = r.text(value),
                "out_dir" => config.out_dir = r.text(value),
                "force" => config.force = r.flag(value),
                "append" => config.append = r.flag(value),
                "keep_partial" => config.keep_partial = r.flag(value),
                "compress" => config.compress = r.choice(value),
                "rotate_size" => config.rotate_size = r.size(value),
                "rotate_every" => config.rotate_every = r.parsed(value, units::duration),
                "rotate_keep" => config.rotate_keep = r.whole(value, 0..=u32::MAX),
                "fsync" => config.fsync = r.parsed(value, FsyncChoice::parse),
                "follow" => config.follow = r.flag(value),
                "data_dir" => config.data_dir = r.text(value),
                "line_timeout" => config.line_timeout = r.whole(value, 0..=u32::MAX),
                "poll" => config.poll = r.flag(value),
                "admin" => config.admin = r.address(value),
                "admin_token_file" => config.admin_token_file = r.text(value),
                "admin_hosts" => config.admin_hosts = r.hosts(value),
                "metrics_textfile" => config.metrics_textfile = r.text(value),
                "dead_letter" => match r.is_table(value) {
                    true => config.streams.dead_letter = LetterEntry::read(&mut r, value),
                    false => config.dead_letter = r.text(value),
                },
                "dead_letter_encrypt_to" => config.dead_letter_encrypt_to = r.text(value),
                "kafka" => config.streams.kafka = KafkaEntry::read(&mut r, value),
                "source" => config.streams.source = SourceEntry::read(&mut r, value),
                "sink" => config.streams.sink = SinkEntry::read(&mut r, value),
                "delivery" => config.streams.delivery = r.choice(value),
                "instance" => config.streams.instance = r.text(value),
                "stats" => config.stats = r.text(value),
                "schema" => config.schema = r.text(value),
                "require" => config.require = r.texts(value),
                "text" => config.text = r.choice(value),
                "ip" => config.ip = r.choice(value),
                "patterns" => config.patterns = r.texts(value),
                "only" => config.only = r.texts(value),
                "without" => config.without = r.texts(value),
                "numbers" => config.policy.numbers = r.choice(value),
                "known_placeholders" => {
                    config.policy.known_placeholders = policy::placeholders(&mut r, value);
                }
                "keys" => config.policy.keys = keys::rings(&mut r, value),
                "allow" => config.policy.allow = r.tables("allow", value, AllowEntry::read),
                "rule" => config.policy.rules = r.tables("rule", value, RuleEntry::read),
                "route" => config.policy.routes = r.tables("route", value, route::RouteEntry::read),
                "max_event_bytes" => config.max_event_bytes = r.size(value),
                "max_depth" => config.max_depth = r.whole(value, 1..=u16::MAX),
                "memory" => config.memory = r.size(value),
                "threads" => config.threads = r.whole(value, 1..=1024),
                "drain_timeout" => config.drain_timeout = r.whole(value, 0..=u32::MAX),
                "leave" => config.leave = r.flag(value),
                "fail_on_drop" => config.fail_on_drop = r.flag(value),
                "quiet" => config.quiet = r.flag(value),
                "color" => config.color = r.choice(value),
                _ => r.unknown(key, KEYS),
            }
        }
        check_version(version, &mut r);
        conflicts::complain(&config, &mut r);
        (config, r.finish())
    }
}

fn check_version(version: Option<Said<u64>>, r: &mut Reader<'_>) {
    match version {
        Some(Said { value: VERSION, .. }) => {}
        Some(Said { value, spot, .. }) => r.complain(
            spot,
            format!(
                "version {value} is not supported: this version of Tamis reads version {VERSION}"
            ),
        ),
        None => r.complain_of_version(VERSION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        let variable = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
        Config::parse("tamis.toml", text, &Outside { variable: &variable, ..Outside::NOTHING })
            .map_err(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_whole_pipe_is_short() {
        let text = "version = 1\ntext = \"wrap\"\npatterns = [\"core@1\", \"secrets@1\"]\n";
        let config = parse(text).unwrap();
        assert_eq!(config.text.unwrap().value, TextChoice::Wrap);
        let patterns = config.patterns.unwrap();
        assert_eq!(patterns[1].value, "secrets@1");
        assert_eq!(patterns[1].spot, Spot { line: 3, column: 23 });
    }

    #[test]
    fn values_have_their_units() {
        let text = "version = 1\nmemory = \"256MiB\"\nmax_event_bytes = 4096\ndrain_timeout = 0\n";
        let config = parse(text).unwrap();
        assert_eq!(config.memory.unwrap().value, 256 << 20);
        assert_eq!(config.max_event_bytes.unwrap().value, 4096);
        assert_eq!(config.drain_timeout.unwrap().value, 0);
    }

    #[test]
    fn what_is_shown_says_the_same() {
        let text = "version = 1\ninputs = [\"a b\", \"c\\\"d\"]\ntext = \"dead-letter\"\n\
                    max_depth = 7\nquiet = true\n";
        let config = parse(text).unwrap();
        let shown: String =
            config.settings().iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let again = parse(&format!("version = 1\n{shown}")).unwrap();
        assert_eq!(again.settings(), config.settings());
        assert_eq!(again.settings().len(), 4);
        let secret = parse("version = 1\noutput = \"${HOME}\"\n").unwrap();
        assert_eq!(secret.settings(), [("output", "\"***\"".to_owned())]);
    }

    #[test]
    fn the_environment_is_asked_and_said() {
        let text = "version = 1\noutput = \"${HOME}/$${x}\"\nstats = '$HOME'\n";
        let config = parse(text).unwrap();
        let output = config.output.unwrap();
        assert_eq!((output.value.as_str(), output.secret), ("/home/ada/${x}", true));
        let stats = config.stats.unwrap();
        assert_eq!((stats.value.as_str(), stats.secret), ("$HOME", false));
    }

    #[test]
    fn all_errors_are_reported_with_their_place_and_the_fix() {
        let text = "\
version = 2
shema = 'x'
nonsense = 1
text = 'warp'
ip = 4
memory = 'lots'
threads = 0
output = '${NOWHERE}'
stats = '${HOME'
quiet = 'yes'
only = ['email', 7]
require = ['a']
schema = 'service-log'
";
        let wanted = [
            "1:11: version 2 is not supported: this version of Tamis reads version 1",
            "2:1: unknown key `shema`: did you mean `schema`?",
            "3:1: unknown key `nonsense`: expected one of version, inputs, recursive, input_format, ",
            "4:8: invalid value `warp`: did you mean `wrap`? (expected one of wrap, drop, dead-letter)",
            "5:6: expected one of keep, truncate, redact",
            "6:10: `lots` is not a size: write 1048576, 1024KiB or 1MiB",
            "7:11: 0 is not in 1..=1024",
            "8:10: the environment variable NOWHERE is not set: set it, or write $${ for a literal ${",
            "9:9: `${` without `}`: write $${ for a literal ${",
            "10:9: expected true or false",
            "11:18: expected a string",
            "13:10: `schema` and `require` cannot be used together",
        ];
        let all = parse(text).unwrap_err();
        for (said, wanted) in all.iter().zip(wanted) {
            assert!(said.starts_with(&format!("tamis.toml:{wanted}")), "{said}\nwanted {wanted}");
        }
        assert_eq!(all.len(), wanted.len(), "{all:#?}");
    }

    #[test]
    fn toml_is_toml() {
        assert!(parse("version = 1\ntext = \n").unwrap_err()[0].starts_with("tamis.toml:2:"));
        let twice = parse("version = 1\nversion = 1\n").unwrap_err();
        assert!(twice[0].starts_with("tamis.toml:2:1: "), "{twice:?}");
        let none = parse("text = 'wrap'\n").unwrap_err();
        assert_eq!(none, ["tamis.toml:1:1: `version = 1` is missing: put it first"]);
    }
}
