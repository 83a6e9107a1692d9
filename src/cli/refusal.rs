//! Formats clap's errors about arguments in one line.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::config::nearest::nearest;

/// Returns one line for standard error, or `None` if clap has a page to print (help).
pub fn one_line(error: &Error) -> Option<String> {
    let get = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let argument = get(ContextKind::InvalidArg);
    Some(match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::UnknownArgument => {
            let meant = get(ContextKind::SuggestedArg);
            let fix = match meant.as_str() {
                "" => "`tamis -h` lists the options".to_owned(),
                _ => format!("did you mean {meant}?"),
            };
            format!("unknown option {argument}: {fix}")
        }
        ErrorKind::InvalidSubcommand => {
            let word = get(ContextKind::InvalidSubcommand);
            let meant = get(ContextKind::SuggestedSubcommand);
            let meant = match nearest(&word, meant.split(", ")) {
                None | Some("") => "`tamis -h` lists the commands".to_owned(),
                Some(meant) => format!("did you mean `{meant}`?"),
            };
            format!("unknown command `{word}`: {meant}")
        }
        ErrorKind::InvalidValue => {
            let (word, known) = (get(ContextKind::InvalidValue), get(ContextKind::ValidValue));
            let fix = match nearest(&word, known.split(", ")) {
                _ if known.is_empty() => String::new(),
                Some(meant) => format!(": did you mean `{meant}`? (expected one of {known})"),
                None => format!(": expected one of {known}"),
            };
            match word.as_str() {
                "" => format!("{argument} needs a value{fix}"),
                _ => format!("{argument}: invalid value `{word}`{fix}"),
            }
        }
        ErrorKind::ValueValidation => {
            let word = get(ContextKind::InvalidValue);
            let cause = std::error::Error::source(error).map(ToString::to_string);
            match cause.unwrap_or_default() {
                cause if cause.contains("digit") => {
                    format!("{argument}: `{word}` is not a whole number")
                }
                cause => format!("{argument}: {cause}"),
            }
        }
        ErrorKind::ArgumentConflict => {
            format!("{argument} and {} cannot be used together", get(ContextKind::PriorArg))
        }
        ErrorKind::MissingRequiredArgument => {
            // clap does not say which option requires it.
            let whose = match argument.as_str() {
                "--follow" => ": --data-dir, --line-timeout and --poll are only for followed files",
                "--output <FILE>" => ": --append needs a file to append to",
                _ => "",
            };
            format!("{argument} is missing{whose}")
        }
        _ => first_line(error),
    })
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_mend_is_said() {
        for (words, wanted) in [
            ("--shema x", "unknown option --shema: did you mean --schema?"),
            ("-x", "unknown option -x: `tamis -h` lists the options"),
            ("patterns lst", "unknown command `lst`: did you mean `list`?"),
            ("patterns show", "<ID> is missing"),
            (
                "--poll a.log",
                "--follow is missing: --data-dir, --line-timeout and --poll are only for followed \
                 files",
            ),
            ("--threads x", "--threads <N>: `x` is not a whole number"),
            ("--threads 0", "--threads <N>: 0 is not in 1..=1024"),
            (
                "--memory lots",
                "--memory <BYTES>: `lots` is not a size: write 1048576, 1024KiB or 1MiB",
            ),
            ("--schema", "--schema <NAME|PATH> needs a value"),
            (
                "--schema x --require y",
                "--schema <NAME|PATH> and --require <FIELDS> cannot be used together",
            ),
            (
                "--color alwys",
                "--color <WHEN>: invalid value `alwys`: did you mean `always`? (expected one of \
                 auto, always, never)",
            ),
            ("--ip no", "--ip <HOW>: invalid value `no`: expected one of keep, truncate, redact"),
        ] {
            let typed = std::iter::once("tamis").chain(words.split(' '));
            let error = Cli::try_parse_from(typed).unwrap_err();
            assert_eq!(one_line(&error).as_deref(), Some(wanted), "{words}");
        }
        assert_eq!(one_line(&Cli::try_parse_from(["tamis", "--help"]).unwrap_err()), None);
    }
}
