//! Checks the outputs before anything is read: no output may be an input or another output, or
//! exist already.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{
    identity::Identity,
    inputs::{InputChoice, Inputs},
    outlets::CLOSED,
    resolved::{Output, Run},
    visible,
};
use crate::{
    compression::{Format, Start},
    config::names::Names,
    descriptors,
    sinks::{
        Existing,
        file::{ends_inside_a_line, partial_name},
    },
};

/// An output. Standard output has no path.
struct Written<'a> {
    what: String,
    path: Option<&'a Path>,
    /// Whether `--force` and `--append` apply to it.
    clean: bool,
}

/// Returns the output file below `folder` for each input.
pub(crate) fn for_each(
    inputs: &Inputs,
    folder: &Path,
    options: &Names,
) -> Result<Vec<Option<PathBuf>>> {
    let option = options.at("--out-dir");
    let mut names: HashMap<PathBuf, String> = HashMap::new();
    let mut paths = Vec::new();
    for input in &inputs.choices {
        let relative = match input {
            InputChoice::Stdin => {
                bail!("{option}: standard input has no file name: use -o, or name files")
            }
            InputChoice::Refused { .. } | InputChoice::Unmatched { .. } => None,
            InputChoice::File { path, relative } => below(path, relative),
        };
        if let Some(relative) = &relative
            && let Some(other) = names.insert(relative.clone(), input.name())
        {
            let (name, path) = (input.name(), folder.join(relative));
            let fix = "process them in two runs";
            bail!("{option}: {other} and {name} would both be {}: {fix}", visible::name(&path));
        }
        paths.push(relative);
    }
    for (relative, name) in &names {
        let parents = relative.ancestors().skip(1);
        if let Some(other) = parents.filter_map(|parent| names.get(parent)).next() {
            let fix = "process them in two runs";
            bail!("{option}: {other} would be a file where {name} needs a folder: {fix}");
        }
    }
    Ok(paths.into_iter().map(|path| path.map(|path| folder.join(path))).collect())
}

/// Returns a relative path that cannot leave its folder.
fn below(path: &Path, relative: &Path) -> Option<PathBuf> {
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if inside && relative.file_name().is_some() {
        return Some(relative.to_path_buf());
    }
    path.file_name().map(PathBuf::from)
}

/// Checks all outputs of `run`.
pub(crate) fn check(run: &Run) -> Result<()> {
    let mut read = HashMap::new();
    for input in &run.inputs.choices {
        read.extend(input.identity().map(|identity| (identity, input.name())));
    }
    let mut seen: HashMap<Identity, String> = HashMap::new();
    for Written { what, path, clean } in written(run) {
        if let Some(path) = path.filter(|path| path.is_dir()) {
            let shown = visible::name(path);
            let fix = match what == run.names.at("-o") {
                true => ", or use --out-dir, which writes a file for each input",
                false => "",
            };
            bail!("{what} {shown} is a directory: name a file in it{fix}");
        }
        let report = what == run.names.at("--stats");
        if let Some(path) = path.filter(|path| report && descriptors::was_closed_at(path)) {
            bail!("{what} {}: {CLOSED}", visible::name(path));
        }
        let identity = match path {
            Some(path) => Identity::of_path(path),
            None => Identity::of_descriptor(rustix::stdio::stdout()),
        };
        let Some(identity) = identity else { continue };
        if let Some(input) = read.get(&identity) {
            bail!("{what} is the input {input}: choose another file to write to");
        }
        if let Some(other) = seen.get(&identity) {
            bail!("{what} and {other} are the same file: choose two");
        }
        if let Some(path) = path {
            if let (Identity::Path(_), Some(input)) = (&identity, run.inputs.would_read(path)) {
                let shown = visible::name(path);
                bail!("{what} {shown} would be an input ({input}): write to another file");
            }
            if clean && run.keep_partial {
                let partial = partial_name(path, 0);
                if let Some(input) = run.inputs.would_read(&partial) {
                    let (option, shown) = (run.names.at("--keep-partial"), visible::name(&partial));
                    bail!(
                        "{option}: {shown} would be an input ({input}): let {what} name another \
                         file"
                    );
                }
            }
            if clean {
                is_there(run, &what, path)?;
            }
        }
        seen.insert(identity, what);
    }
    check_reports(run)?;
    check_data_dir(run)
}

/// A followed checkpoint directory would make the run process its own checkpoints forever.
fn check_data_dir(run: &Run) -> Result<()> {
    let directory = run.follow.as_ref().and_then(|follow| follow.data_dir.as_ref());
    let Some(directory) = directory else { return Ok(()) };
    let written = match directory.exists() {
        true => directory.join("checkpoints.json"),
        false => directory.clone(),
    };
    if let Some(input) = run.inputs.would_read(&written) {
        let shown = visible::name(directory);
        let option = run.names.at("--data-dir");
        bail!("{option} {shown} would be an input ({input}): choose another directory");
    }
    Ok(())
}

fn written(run: &Run) -> Vec<Written<'_>> {
    let one = |flag: &str, path, clean| Written { what: run.names.at(flag), path, clean };
    let mut all = match &run.output {
        Output::Standard => {
            vec![Written { what: "standard output".into(), path: None, clean: false }]
        }
        Output::File(path) => vec![one("-o", Some(path.as_path()), true)],
        // A log is appended to, and checks itself whether that is possible.
        Output::Log(log) => {
            let paths = log.paths.iter();
            paths.map(|path| one("-o", Some(path.as_path()), false)).collect()
        }
        Output::Each(paths) => {
            let paths = paths.iter().flatten();
            let what = format!("{}:", run.names.at("--out-dir"));
            let one = |path| Written { what: what.clone(), path: Some(path), clean: true };
            paths.map(|path| one(path.as_path())).collect()
        }
    };
    all.extend(run.dead_letter.as_deref().map(|path| one("--dead-letter", Some(path), false)));
    all.extend(run.stats.as_deref().map(|path| one("--stats", Some(path), false)));
    let textfile = run.watchers.textfile.as_deref();
    all.extend(textfile.map(|path| one("--metrics-textfile", Some(path), false)));
    all
}

/// The error for a path whose parent is a file.
const IN_A_FILE: &str = "its parent is a file, not a folder: name a file in a folder";

/// Checks the paths of reports. If a disk fails later, the run continues without reports, but a
/// wrong path is an error.
fn check_reports(run: &Run) -> Result<()> {
    for (option, path) in [("--stats", &run.stats), ("--metrics-textfile", &run.watchers.textfile)]
    {
        let Some(path) = path else { continue };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let fix = match folder.map_or(Ok(true), |folder| fs::metadata(folder).map(|it| it.is_dir()))
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                "no such folder: create it first"
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => IN_A_FILE,
            Ok(false) => IN_A_FILE,
            _ => continue,
        };
        let (option, shown) = (run.names.at(option), visible::name(path));
        bail!("{option} {shown}: {fix}");
    }
    Ok(())
}

/// Refuses to overwrite an existing file without a request, or to append to an incomplete line.
fn is_there(run: &Run, what: &str, path: &Path) -> Result<()> {
    let shown = visible::name(path);
    // A dangling link exists, too.
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    match run.existing {
        Existing::Replace => Ok(()),
        Existing::Keep => {
            let one = !matches!(run.output, Output::Each(_));
            let append = if one { ", --append appends to it" } else { "" };
            bail!("{what} {shown} already exists: --force replaces it{append}")
        }
        Existing::Append => appendable(path, run)
            .with_context(|| format!("{what} {shown}"))
            .map(|fix| fix.map_or(Ok(()), |fix| bail!("{what} {shown}: {fix}")))?,
    }
}

/// Returns why the file at `path` cannot be appended to.
fn appendable(path: &Path, run: &Run) -> std::io::Result<Option<String>> {
    // Opening a named pipe would wait for its writer.
    if !fs::metadata(path).is_ok_and(|there| there.is_file()) {
        return Ok(None);
    }
    let (mut file, mut start) = (File::open(path)?, Vec::new());
    Read::by_ref(&mut file).take(16).read_to_end(&mut start)?;
    if start.is_empty() {
        return Ok(None);
    }
    let there = match Format::of(&start) {
        Start::Packed(format) => Some(format),
        Start::Plain | Start::Unsure => None,
    };
    Ok(match (there, run.compress) {
        (Some(there), Some(wanted)) if there == wanted => None,
        (Some(there), _) => {
            Some(format!("it is compressed with {there}, and --append cannot mix formats"))
        }
        (None, Some(_)) => Some("it is not compressed, and --append cannot mix formats".into()),
        (None, None) => {
            let fix = "its last line has no line end: add one (`echo >> FILE`), or remove the line";
            ends_inside_a_line(&file)?.then(|| fix.into())
        }
    })
}
