//! Finds and loads the configuration file, and combines it with flags and defaults.

pub(crate) mod command;
mod flags;
mod merge;
mod stamps;

use std::{
    cell::RefCell,
    env,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow};

pub(crate) use stamps::FileStamps;

use super::{cause::cause, visible};
use crate::{
    cli::{RuleArgs, RunArgs},
    config::{Complaint, Config, KEYS, Said, choice::TextChoice, outside::Outside},
    engine::schema::Schema,
};

/// The environment variable that names the file if no flag does. The working directory is never
/// searched, because anyone who can write there could switch redaction off.
const VARIABLE: &str = "TAMIS_CONFIG";

/// The maximum size of a file that the configuration names.
const LONGEST: u64 = 64 << 20;

/// A configuration file that was read, and the folder that its relative paths start from.
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    /// The stamps of the file, and of the lists that it names, from before they were read.
    stamps: FileStamps,
}

/// Returns the file that `--config` or the environment variable names.
pub(crate) fn named(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    flag.map(Path::to_path_buf).or_else(variable)
}

/// Reads the file at `path`. The error contains all errors in it, one per line.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    let (loaded, complaints) = read(path)?;
    if complaints.is_empty() {
        return Ok(loaded);
    }
    let lines: Vec<_> = complaints.iter().map(ToString::to_string).collect();
    Err(anyhow!(lines.join("\n")))
}

/// Reads the valid parts of the file at `path`, and returns all errors in the rest.
fn read(path: &Path) -> Result<(Loaded, Vec<Complaint>)> {
    let name = path.display().to_string();
    let stamps = RefCell::new(FileStamps::at(vec![path.to_path_buf()]));
    let text = fs::read_to_string(path).with_context(|| format!("configuration {name}"))?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let outside = Outside {
        variable: &|name| env::var(name).ok(),
        file: &|name| file(&folder.join(name), &stamps),
    };
    let (config, complaints) = Config::read(&name, &text, &outside);
    let stamps = stamps.into_inner();
    Ok((Loaded { path: path.to_path_buf(), folder, config, stamps }, complaints))
}

/// Reads a file that the configuration names. Returns its name for messages, and its content.
fn file(path: &Path, stamps: &RefCell<FileStamps>) -> (String, Result<Vec<u8>, String>) {
    let before = FileStamps::at(vec![path.to_path_buf()]);
    stamps.replace_with(|stamps| std::mem::take(stamps).and(before));
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    let bytes = match read {
        Err(error) => Err(cause(&error)),
        Ok(_) if bytes.len() as u64 > LONGEST => Err("longer than 64MiB: split it".into()),
        Ok(_) => Ok(bytes),
    };
    (visible::name(path), bytes)
}

/// Arguments completed from the configuration file, and where the file is.
pub(crate) struct Applied {
    pub(crate) args: RunArgs,
    /// `None` if there is no file.
    pub(crate) origin: Option<Origin>,
}

/// The command line and the file, which can be read again.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) flags: RunArgs,
    pub(crate) path: PathBuf,
    /// The stamps of the file, and of the files that it names, from before they were read.
    pub(crate) stamps: FileStamps,
    /// The resulting settings, by key.
    settings: Vec<(&'static str, String)>,
    pub(crate) drops_text: bool,
    /// The topics that routes write to, by the names of the routes.
    pub(crate) written: Vec<(String, Option<String>, Option<String>)>,
}

/// Applies the configuration file to the command line.
pub(crate) fn applied(flags: RunArgs) -> Result<Applied> {
    let Some(path) = named(flags.rules.config.as_deref()) else {
        return Ok(Applied { args: flags, origin: None });
    };
    let (loaded, mut args) = (load(&path)?, flags.clone());
    loaded.fill_run(&mut args)?;
    let stamps = loaded.stamps.and(FileStamps::at(files(&args.rules)));
    let settings = flags::said_by_flags(&args).settings();
    let drops_text = args.rules.text == Some(TextChoice::Drop);
    let topic = |said: &Option<Said<String>>| said.as_ref().map(|said| said.value.clone());
    let routes = args.rules.policy.routes.iter();
    let written = routes.map(|r| (r.name.value.clone(), topic(&r.sink), topic(&r.dead_letter)));
    let written = written.filter(|(_, sink, letter)| sink.is_some() || letter.is_some()).collect();
    Ok(Applied {
        args,
        origin: Some(Origin { flags, path, stamps, settings, drops_text, written }),
    })
}

/// Returns the schema and the packs that are files.
fn files(args: &RuleArgs) -> Vec<PathBuf> {
    let schema = args.schema.iter().filter(|name| Schema::builtin_text(name).is_none());
    let routes = args.policy.routes.iter();
    let own = routes.flat_map(|route| {
        let packs = route.packs.iter().flatten().chain(&route.add_packs);
        packs.chain(&route.schema).map(|said| PathBuf::from(&said.value))
    });
    // Built-in schemas are not files.
    let own = own.filter(|path| path.exists());
    schema.map(PathBuf::from).chain(args.patterns.iter().cloned()).chain(own).collect()
}

impl Origin {
    /// Reads the same file again.
    pub(crate) fn again(&self) -> Result<(RunArgs, Self)> {
        let Applied { args, origin } = applied(self.flags.clone())?;
        Ok((args, origin.context("no configuration file is set any longer")?))
    }

    /// Returns the keys whose values differ from those in `other`.
    pub(crate) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let value = |origin: &Self, key: &str| {
            let said = origin.settings.iter().find(|(name, _)| *name == key);
            said.map(|(_, value)| value.clone())
        };
        KEYS.iter().copied().filter(|key| value(self, key) != value(other, key)).collect()
    }
}

/// Like [`applied`], for the rules only.
pub(crate) fn applied_rules(mut args: RuleArgs) -> Result<RuleArgs> {
    if let Some(path) = named(args.config.as_deref()) {
        load(&path)?.fill_rules(&mut args)?;
    }
    Ok(args)
}
