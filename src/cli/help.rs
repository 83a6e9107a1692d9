//! The parts of the help that belong to no single option.

/// The synopsis.
pub const USAGE: &str = "my-app | tamis [OPTIONS] > clean.ndjson
       tamis [OPTIONS] FILE… -o clean.ndjson
       tamis COMMAND";

/// The order of the help.
pub const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{all-args}{after-help}";

/// The answer where no file is named and standard input is a terminal.
pub const TERMINAL: &str = "\
Usage: my-app | tamis > clean.ndjson
       tamis FILE… -o clean.ndjson
`tamis -h` lists the options. `tamis -` reads what you type.";

/// The answer of `tamis explain` without an event, where standard input is a terminal.
pub const TERMINAL_EXPLAIN: &str = "\
Usage: tamis explain '{\"user\":\"ada@example.com\"}'
       tail -n 1 app.log | tamis explain
`tamis explain -h` lists the options. `tamis explain -` reads what you type.";

/// The end of `-h`.
pub const SHORT: &str = "`--help` has more options, the exit codes and the signals.";

/// The end of `--help`.
pub const LONG: &str = "\
Examples:
  my-app | tamis > clean.ndjson               redact a stream
  my-app 2>&1 | tamis | my-shipper            include standard error, with its panics
  tamis app.log -o clean.ndjson               redact a file
  tamis -r logs --out-dir clean               redact each file in a directory
  tamis --schema service-log app.log          enforce a schema
  tamis --dead-letter dead.ndjson app.log     keep what is not forwarded
  tamis --patterns mine.toml --without phone  add your detectors, and turn one off
  tamis explain '{\"user\":\"ada@example.com\"}'  explain what happens to an event

Exit codes:
  0  success; also if the reader of the output closes it
  1  rejected events with --fail-on-drop, a failed detector test, or a refused `tamis kafka` command
  2  bad usage or configuration; nothing was read
  3  input or output failed
  130, 143  SIGINT or SIGTERM ended the run before its files were read to their end

Signals:
  After the first SIGINT or SIGTERM, Tamis reads on to the end of the input, for at most
  --drain-timeout, so that the last lines of a dying application arrive. The second signal stops
  reading at once. What was read from pipes and followed files is written. If a file is not read to
  its end, its output is incomplete: -o FILE is not changed, the summary shows how far the run came,
  and the exit code is 130 or 143. If nothing moves for 2 seconds after the stop, or at a third
  signal, Tamis ends with exit code 3. The summary then counts the remaining lines as unwritten, and
  names what did not move.

What happens to a line:
  A clean event is forwarded byte for byte. A finding changes only its own bytes. A text line is
  wrapped as {\"message\":\"…\"} (see --text). A blank line is skipped. A line that is malformed, too
  long, too deep, or against the schema is dropped and counted by reason, or kept in --dead-letter.
  In the summary, `read` is the sum of all outcomes.

Dead letter:
  Each dead letter is one JSON object on one line, with reason, keyword, schema, pointer, input,
  line (from 1), offset and length. It has the redacted `event` or `text`, or else its `shape`:
  letters as x, digits as 0. It never has raw text. Dead letters are appended to FILE, and are on
  disk before Tamis ends.

Environment:
  TAMIS_CONFIG names the configuration file, if --config does not.
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM=dumb have their usual meaning. --color overrides them.
  TAMIS_SIMD=avx2 or scalar uses that instruction set instead of the best one.";
