//! Decides whether an output is a log (appended to and rotated), and resolves its settings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};

use super::{identity::Identity, inputs::Inputs};
use crate::{
    cli::RunArgs,
    compression::Format,
    config::{choice::FsyncChoice, names::Names},
    sinks::log::{Fsync, Settings, Template},
};

/// An output that is a log.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) settings: Settings,
    /// The name as it was typed.
    pub(crate) shown: String,
    /// Example paths of its files.
    pub(crate) paths: Vec<PathBuf>,
}

/// Returns the first option that only logs have.
fn option(args: &RunArgs) -> Option<&'static str> {
    let log = &args.log;
    [
        ("--rotate-size", log.rotate_size.is_some()),
        ("--rotate-every", log.rotate_every.is_some()),
        ("--rotate-keep", log.rotate_keep.is_some()),
        ("--fsync", log.fsync.is_some()),
    ]
    .into_iter()
    .find_map(|(option, there)| there.then_some(option))
}

/// Returns the log settings, if an option or a name with braces asks for a log.
pub(crate) fn wanted(
    path: Option<&Path>,
    args: &RunArgs,
    inputs: &Inputs,
    compress: Option<Format>,
    longest_event: usize,
) -> Result<Option<Log>> {
    let names = &args.rules.names;
    let is_template = path.and_then(Path::to_str).is_some_and(|text| text.contains(['{', '}']));
    match (option(args), path) {
        (None, _) if !is_template => Ok(None),
        (Some(option), _) if args.out_dir.is_some() => {
            let (output, each) =
                (names.beside(option, "-o FILE"), names.beside(option, "--out-dir"));
            bail!("{} is only for {output}: {each} writes each file once", names.at(option))
        }
        (Some(option), None) => {
            bail!("{} needs {}", names.at(option), names.beside(option, "-o FILE"))
        }
        (_, None) => Ok(None),
        (_, Some(path)) => log(path, args, inputs, compress, longest_event).map(Some),
    }
}

/// Returns whether a log can be at `path`. A device or a pipe cannot be rotated or truncated.
pub(crate) fn can_be(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |there| there.is_file() || there.is_dir())
}

/// Returns the settings of the log at `path`.
pub(crate) fn log(
    path: &Path,
    args: &RunArgs,
    inputs: &Inputs,
    compress: Option<Format>,
    longest_event: usize,
) -> Result<Log> {
    let names = &args.rules.names;
    let rotations =
        |first| (names.beside(first, "--rotate-size"), names.beside(first, "--rotate-every"));
    let (name, link) = template(path, names)?;
    let rotates = args.log.rotate_size.is_some() || args.log.rotate_every.is_some();
    if args.force {
        bail!("{}: a log is appended to, never replaced: remove it first", names.at("--force"));
    }
    if compress.is_some() && !rotates {
        let (size, every) = rotations("--compress");
        let option = names.at("--compress");
        bail!("{option} compresses rotated files: add {size} or {every}");
    }
    if args.log.rotate_keep.is_some() && !rotates {
        let (size, every) = rotations("--rotate-keep");
        bail!("{} needs {size} or {every}", names.at("--rotate-keep"));
    }
    if rotates && !name.rotates() {
        let (output, shown) = (names.at("-o"), path.display());
        bail!("{output} {shown}: to rotate it, give its name an extension, like .ndjson");
    }
    let example = name.example();
    let mut rotated = example.clone().into_os_string();
    rotated.push(".2026-11-28T02-00-00Z");
    let others = [&args.dead_letter, &args.stats].into_iter().flatten();
    let avoid = inputs.choices.iter().filter_map(|input| input.identity());
    let avoid = avoid.chain(others.filter_map(|path| Identity::of_path(path)));
    let mut settings = Settings::new(name, longest_line(longest_event));
    settings.link = link;
    settings.rotate_size = args.log.rotate_size;
    settings.rotate_every = args.log.rotate_every;
    settings.rotate_keep = args.log.rotate_keep.map(|n| n as usize);
    settings.compress = compress;
    settings.fsync = match args.log.fsync {
        None | Some(FsyncChoice::Acknowledged) => Fsync::Acknowledged,
        Some(FsyncChoice::Always) => Fsync::Always,
        Some(FsyncChoice::Never) => Fsync::Never,
        Some(FsyncChoice::Every(time)) => Fsync::Every(time),
    };
    settings.avoid = avoid
        .filter_map(|identity| match identity {
            Identity::Inode(device, inode) => Some((device, inode)),
            Identity::Path(_) => None,
        })
        .collect();
    Ok(Log { settings, shown: path.display().to_string(), paths: vec![example, rotated.into()] })
}

/// Returns the name of the log, and the symbolic link that the user named, if it is one.
fn template(path: &Path, names: &Names) -> Result<(Template, Option<PathBuf>)> {
    let invalid = |what| anyhow!("{} {}: {what}", names.at("-o"), path.display());
    if let Some(text) = path.to_str().filter(|text| text.contains(['{', '}'])) {
        return Ok((Template::parse(text).map_err(invalid)?, None));
    }
    // A symbolic link that the user named is kept.
    let is_link = fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
    let there = is_link.then(|| fs::canonicalize(path).ok()).flatten();
    let name = Template::fixed(there.as_deref().unwrap_or(path)).map_err(invalid)?;
    Ok((name, there.map(|_| path.to_path_buf())))
}

/// Returns the length of the longest possible line: a wrapped text line of control characters.
fn longest_line(event: usize) -> u64 {
    6 * event as u64 + (64 << 10)
}
