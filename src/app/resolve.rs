//! Resolves and checks the arguments, and reports all errors.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    thread::available_parallelism,
    time::Duration,
};

use anstream::{AutoStream, stream::RawStream};
use anyhow::{Context as _, Result, anyhow, bail};
use clap::CommandFactory as _;

use super::{
    diagnostics::Diagnostics,
    inputs::{InputChoice, Inputs},
    log, outputs, packs, policy,
    resolved::{Follow, Layout, Output, Rules, Run},
    routes, topics,
    watchers::Watchers,
};
use crate::{
    cli::{Cli, RuleArgs, RunArgs},
    compression::Format,
    config::{
        choice::{ColorChoice, CompressChoice, FormatChoice, IpChoice, TextChoice},
        nearest::nearest,
    },
    containers,
    engine::{IpPolicy, Limits, TextPolicy, detect::Pack},
    seal::Seal,
    sinks::Existing,
};

/// How long to read on after the first shutdown request, in seconds.
const DRAIN: u32 = 5;
/// How long to wait for the end of a followed line, in seconds.
const LINE_TIMEOUT: u32 = 60;

/// Resolves and checks the arguments, and reports all errors.
pub(crate) fn run(args: RunArgs) -> Result<(Run, Rules)> {
    check_command(&args.files)?;
    let all_text = args.input_format == Some(FormatChoice::Text);
    let mut diagnostics = Diagnostics::default();
    let rules = diagnostics.with(rules(args.rules.clone()));
    diagnostics.with(check_text(&args));
    let run = diagnostics.with(resolved(args));
    if let Some(run) = &run {
        diagnostics.with(check_followed(run));
        diagnostics.with(outputs::check(run));
    }
    let rules = rules.map(|rules| Rules { all_text, ..rules });
    diagnostics.or(run.zip(rules))
}

fn resolved(args: RunArgs) -> Result<Run> {
    let inputs = Inputs::find(&args.files, args.recursive);
    let compress = args.compress.map(|choice| match choice {
        CompressChoice::Gzip => Format::Gzip,
        CompressChoice::Zstd => Format::Zstd,
    });
    let output = output(&args, &inputs, compress)?;
    let seal = seal(&args)?;
    Ok(Run {
        inputs,
        names: args.rules.names,
        existing: match (args.force, args.append) {
            // A followed device or pipe; other followed outputs are logs.
            _ if args.follow => Existing::Append,
            (true, _) => Existing::Replace,
            (_, true) => Existing::Append,
            _ => Existing::Keep,
        },
        keep_partial: args.keep_partial,
        // For a log, only rotated files are compressed.
        compress: compress.filter(|_| !matches!(output, Output::Log(_))),
        output,
        seal,
        dead_letter: args.dead_letter,
        format: match args.input_format.unwrap_or_default() {
            FormatChoice::Auto => Some(containers::Format::Auto),
            FormatChoice::Docker => Some(containers::Format::Docker),
            FormatChoice::Cri => Some(containers::Format::Cri),
            FormatChoice::Ndjson | FormatChoice::Text => None,
        },
        drop_text: args.rules.text == Some(TextChoice::Drop),
        threads: args.threads.map_or_else(cores, usize::from),
        memory: args.memory,
        drain: Duration::from_secs(args.drain_timeout.unwrap_or(DRAIN).into()),
        fail_on_drop: args.fail_on_drop,
        quiet: args.quiet,
        layout: layout(args.color.unwrap_or_default()),
        stats: args.stats,
        watchers: Watchers::of(args.admin),
        follow: args.follow.then(|| Follow {
            files: args.files,
            recursive: args.recursive,
            data_dir: args.data_dir,
            line_timeout: Duration::from_secs(args.line_timeout.unwrap_or(LINE_TIMEOUT).into()),
            poll: args.poll,
        }),
        topics: topics::resolve(&args.streams, &args.rules.policy.routes, args.leave)?,
    })
}

fn output(args: &RunArgs, inputs: &Inputs, compress: Option<Format>) -> Result<Output> {
    let path = args.output.as_deref().filter(|path| *path != Path::new("-"));
    let longest = limits(&args.rules)?.max_event_bytes;
    let log = match path {
        // Acknowledged lines are not read again, so the output must not be taken back.
        Some(path) if args.follow && log::can_be(path) => {
            Some(log::log(path, args, inputs, compress, longest)?)
        }
        _ => log::wanted(path, args, inputs, compress, longest)?,
    };
    Ok(match (&args.out_dir, log, path) {
        (Some(folder), _, _) => Output::Each(outputs::for_each(inputs, folder, &args.rules.names)?),
        (None, Some(log), _) => Output::Log(Box::new(log)),
        (None, None, Some(path)) => Output::File(path.to_path_buf()),
        (None, None, None) => Output::Standard,
    })
}

/// Detects a misspelt command in place of the first file. (A file that merely does not exist is
/// reported in its turn.)
fn check_command(files: &[PathBuf]) -> Result<()> {
    let Some(word) = files.first().filter(|file| !file.exists()).and_then(|file| file.to_str())
    else {
        return Ok(());
    };
    // Names that other programs use.
    let elsewhere = match word {
        "check" | "validate" => Some("config check FILE"),
        "run" | "start" => Some("exec -- my-app"),
        "list" | "show" | "test" => Some("patterns"),
        _ => None,
    };
    if let Some(command) = elsewhere {
        bail!("no such file `{word}`: did you mean `tamis {command}`?");
    }
    let commands = Cli::command();
    let names = commands.get_subcommands().map(|command| command.get_name());
    match nearest(word, names.chain(["help", "version"])) {
        Some("help") => bail!("no such file `{word}`: did you mean `tamis --help`?"),
        Some("version") => bail!("no such file `{word}`: did you mean `tamis -V`?"),
        Some(command) => bail!("no such file `{word}`: did you mean `tamis {command}`?"),
        None => Ok(()),
    }
}

/// Checks that everything that is followed is a file.
fn check_followed(run: &Run) -> Result<()> {
    let Some(follow) = &run.follow else { return Ok(()) };
    let option = run.names.at("--follow");
    let other_name = |flag| run.names.beside("--follow", flag);
    if matches!(run.output, Output::Each(_)) || run.compress.is_some() {
        let (compress, out_dir) = (other_name("--compress"), other_name("--out-dir"));
        bail!(
            "{option} appends to one uncompressed output: {compress} is only for rotated files, \
             and {out_dir} cannot be used"
        );
    }
    if follow.files.is_empty() {
        let fix = match other_name("--inputs").as_str() {
            "inputs" => "list them as `inputs`",
            _ => "name them, as in `tamis --follow app.log`",
        };
        bail!("{option} needs files: {fix}");
    }
    if run.inputs.choices.contains(&InputChoice::Stdin) {
        bail!("{option} needs files: standard input (`-`) is read to its end without it");
    }
    Ok(())
}

/// Checks that there is a place for text lines that are kept.
fn check_text(args: &RunArgs) -> Result<()> {
    let kept = args.dead_letter.is_some() || args.streams.dead_letter.is_some();
    if args.rules.text == Some(TextChoice::DeadLetter) && !kept {
        let names = &args.rules.names;
        let (text, other_name) = (names.at("--text"), names.beside("--text", "--dead-letter FILE"));
        bail!("{text} dead-letter needs {other_name}");
    }
    Ok(())
}

/// Returns the public key that originals are encrypted to.
fn seal(args: &RunArgs) -> Result<Option<Seal>> {
    let Some(key) = &args.dead_letter_encrypt_to else { return Ok(None) };
    let names = &args.rules.names;
    let option = names.at("--dead-letter-encrypt-to");
    if args.dead_letter.is_none() {
        let other_name = names.beside("--dead-letter-encrypt-to", "--dead-letter FILE");
        bail!("{option} needs {other_name}");
    }
    key.parse().map(Some).with_context(|| option)
}

/// Resolves and checks the arguments about rules.
pub(crate) fn rules(args: RuleArgs) -> Result<Rules> {
    let mut diagnostics = Diagnostics::default();
    if let Some(empty) = args.require.iter().position(String::is_empty) {
        let option = args.names.at_item("--require", Some(empty));
        diagnostics.add([format!("{option}: field {} of the list is empty", empty + 1)]);
    }
    let limits = diagnostics.with(limits(&args));
    let mut packs = diagnostics.with(packs::load(args.pinned.as_deref(), &args.patterns));
    // Without the packs, unknown names cannot be recognized.
    let judged = packs.as_mut().and_then(|packs| {
        diagnostics.add(unknown_names(&args, packs));
        let routes = routes::resolve(&args, packs);
        let routes = routes.map_err(|errors| diagnostics.add(errors)).ok();
        routes.zip(diagnostics.with(policy::resolve(&args.policy, packs)))
    });
    let (packs, (judged, limits)) = diagnostics.or(packs.zip(judged.zip(limits)))?;
    let (routes::Resolved { mut routes, default_packs }, (policy, own)) = judged;
    routes.iter_mut().zip(own).for_each(|(route, rules)| route.rules = rules);
    Ok(Rules {
        names: args.names,
        policy,
        packs,
        all_text: false,
        limits,
        text: match args.text.unwrap_or_default() {
            TextChoice::Wrap => TextPolicy::Wrap,
            TextChoice::Drop | TextChoice::DeadLetter => TextPolicy::Reject,
        },
        ip: match args.ip.unwrap_or_default() {
            IpChoice::Keep => IpPolicy::Keep,
            IpChoice::Truncate => IpPolicy::Truncate,
            IpChoice::Redact => IpPolicy::Redact,
        },
        schema: args.schema,
        require: args.require,
        only: args.only,
        without: args.without,
        default_packs,
        routes,
    })
}

/// Reports names in `--only` and `--without` that are in no pack.
pub(crate) fn unknown_names(args: &RuleArgs, packs: &[Pack]) -> Vec<String> {
    let lists = [("--only", &args.only), ("--without", &args.without)].into_iter();
    lists
        .flat_map(|(option, list)| {
            packs::unknown(packs, list, |i| args.names.at_item(option, Some(i)))
        })
        .collect()
}

fn limits(args: &RuleArgs) -> Result<Limits> {
    /// Positions inside a chunk are 32-bit numbers.
    const MOST: u64 = 1 << 30;
    let mut limits = Limits::default();
    if let Some(bytes) = args.max_event_bytes {
        if bytes > MOST {
            bail!("{} {bytes}: the maximum is 1GiB", args.names.at("--max-event-bytes"));
        }
        limits.max_event_bytes = usize::try_from(bytes).map_err(|error| anyhow!(error))?;
    }
    if let Some(depth) = args.max_depth {
        limits.max_depth = depth.into();
    }
    Ok(limits)
}

/// Returns the number of cores that this process may use.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Selects the table for terminals, and if colour is forced.
pub(crate) fn layout(choice: ColorChoice) -> Layout {
    let stderr = io::stderr();
    let color = coloured(choice, &stderr);
    if color || stderr.is_terminal() { Layout::Table { color } } else { Layout::Json }
}

/// Returns whether output to `stream` is coloured.
pub(crate) fn coloured(choice: ColorChoice, stream: &impl RawStream) -> bool {
    match choice {
        ColorChoice::Auto => AutoStream::choice(stream) != anstream::ColorChoice::Never,
        ColorChoice::Always => true,
        ColorChoice::Never => false,
    }
}
