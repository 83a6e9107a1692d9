//! The parts of the help that no single option owns.

/// The synopsis.
pub const USAGE: &str = "my-app | tamis [OPTIONS] > clean.ndjson
       tamis [OPTIONS] FILE… -o clean.ndjson
       tamis COMMAND";

/// The order of the help.
pub const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{all-args}{after-help}";

/// What standard input being a terminal, and no file, is answered with.
pub const TERMINAL: &str = "\
Usage: my-app | tamis > clean.ndjson
       tamis FILE… -o clean.ndjson
`tamis -h` lists the options; `tamis -` reads what you type.";

/// What `tamis explain` without an event is answered with, where standard input is a terminal.
pub const TERMINAL_EXPLAIN: &str = "\
Usage: tamis explain '{\"user\":\"ada@example.com\"}'
       tail -n 1 app.log | tamis explain
`tamis explain -h` lists the options; `tamis explain -` reads what you type.";

/// Closes `-h`.
pub const SHORT: &str = "`--help` has more options, the exit codes and the signals.";

/// Closes `--help`.
pub const LONG: &str = "\
Examples:
  my-app | tamis > clean.ndjson               redact a stream
  my-app 2>&1 | tamis | my-shipper            with the panics of standard error
  tamis app.log -o clean.ndjson               redact a file
  tamis -r logs --out-dir clean               redact all files in a directory, each on its own
  tamis --schema service-log app.log          enforce a schema
  tamis --dead-letter dead.ndjson app.log     keep what is not forwarded
  tamis --patterns mine.toml --without phone  with detectors of your own, without one of ours
  tamis explain '{\"user\":\"ada@example.com\"}'  why an event becomes what it becomes

Exit codes:
  0  done; also when whoever reads the output closes it
  1  something was refused and --fail-on-drop is set, a pattern's test failed, or an order is refused
  2  bad usage or configuration; nothing was read
  3  input or output failed
  130, 143  SIGINT, SIGTERM ended the run before its files were read to their end

Signals:
  The first SIGINT or SIGTERM reads on to the end of input, for at most --drain-timeout, so that
  the last words of a dying application arrive. The second stops reading at once. Of pipes and
  followed files what was read is written. If files are left before their end, their output is not
  complete: -o FILE is unchanged, the summary says how far the run came, and the exit code is 130
  or 143. If nothing moves for 2 seconds after the stop, or at a third signal, the summary counts
  the rest as unwritten and says what stood still, and the exit code is 3.

What becomes of a line:
  A clean event leaves byte for byte; a finding changes only its own bytes. A text line is wrapped
  as {\"message\":\"…\"} (--text). A blank line is skipped. What is malformed, too long, too deep, or
  against the schema is dropped and counted by reason, or kept in --dead-letter. `read` is the sum
  of all outcomes.

Dead letter:
  One JSON object a line: reason, keyword, schema, pointer, input, line (from 1), offset, length,
  and `event` or `text`, both redacted, or `shape`: letters as x, digits as 0. Appended to FILE,
  and on disk before tamis ends. Never raw text.

Environment:
  TAMIS_CONFIG names the configuration file where --config names none.
  NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM=dumb have their usual meaning; --color overrides them.
  TAMIS_SIMD=avx2 or scalar uses that instruction set in place of the best one.";
