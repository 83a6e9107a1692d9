//! The configuration file among flags and defaults: which one, and what it comes to.

pub(crate) mod command;
mod merge;

use std::{
    env,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};

use super::{cause::cause, visible::one_line};
use crate::{
    cli::{RuleArgs, RunArgs},
    config::{Config, outside::Outside},
};

/// Names the file where no flag does. The working directory is never searched: whoever can write
/// there could switch the redaction off.
const VARIABLE: &str = "TAMIS_CONFIG";

/// A file that the configuration names is no longer than this.
const LONGEST: u64 = 64 << 20;

/// A file that was read, and the folder that its paths start from.
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
}

/// The file that `--config` or the environment names, if one does.
pub(crate) fn named(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    flag.map(Path::to_path_buf).or_else(variable)
}

/// Reads the file at `path`; every error in it is told, a line each.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("configuration {name}"))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let outside =
        Outside { variable: &|name| env::var(name).ok(), file: &|name| file(&folder, name) };
    let config = Config::parse(&name, &text, &outside);
    let config = config.map_err(|complaints| {
        let lines: Vec<_> = complaints.iter().map(ToString::to_string).collect();
        anyhow!(lines.join("\n"))
    })?;
    Ok(Loaded { path: path.to_path_buf(), folder, config })
}

/// A file that the configuration names, as messages call it, and what is in it.
fn file(folder: &Path, name: &str) -> (String, Result<Vec<u8>, String>) {
    let path = folder.join(name);
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    let bytes = match read {
        Err(error) => Err(cause(&error)),
        Ok(_) if bytes.len() as u64 > LONGEST => Err("longer than 64MiB: split it".into()),
        Ok(_) => Ok(bytes),
    };
    (one_line(&path.display().to_string()), bytes)
}

/// The arguments with what the file says where no flag does.
pub(crate) fn applied(mut args: RunArgs) -> Result<RunArgs> {
    if let Some(path) = named(args.rules.config.as_deref()) {
        load(&path)?.fill_run(&mut args)?;
    }
    Ok(args)
}

/// The same of the rules alone.
pub(crate) fn applied_rules(mut args: RuleArgs) -> Result<RuleArgs> {
    if let Some(path) = named(args.config.as_deref()) {
        load(&path)?.fill_rules(&mut args)?;
    }
    Ok(args)
}
