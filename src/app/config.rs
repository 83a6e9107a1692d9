//! The configuration file among flags and defaults: which one, and what it comes to.

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
    /// It, and the lists that it names, before they were read.
    stamps: FileStamps,
}

/// The file that `--config` or the environment names, if one does.
pub(crate) fn named(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    flag.map(Path::to_path_buf).or_else(variable)
}

/// Reads the file at `path`; every error in it is told, a line each.
pub(crate) fn load(path: &Path) -> Result<Loaded> {
    let (loaded, complaints) = read(path)?;
    if complaints.is_empty() {
        return Ok(loaded);
    }
    let lines: Vec<_> = complaints.iter().map(ToString::to_string).collect();
    Err(anyhow!(lines.join("\n")))
}

/// Reads what can be read of the file at `path`, and what is wrong with the rest.
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

/// A file that the configuration names, as messages call it, and what is in it.
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

/// Arguments with what the file says where no flag does, and where that came from.
pub(crate) struct Applied {
    pub(crate) args: RunArgs,
    /// `None`: there is no file.
    pub(crate) origin: Option<Origin>,
}

/// What was typed, and the file: they can be asked again.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) flags: RunArgs,
    pub(crate) path: PathBuf,
    /// The file, and those that it names, as they were before they were read.
    pub(crate) stamps: FileStamps,
    /// What they came to, by key.
    settings: Vec<(&'static str, String)>,
    pub(crate) drops_text: bool,
    /// The topics that routes name, by their names.
    pub(crate) written: Vec<(String, Option<String>, Option<String>)>,
}

/// Applies the file to what was typed.
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

/// The schema and the packs, where they are files.
fn files(args: &RuleArgs) -> Vec<PathBuf> {
    let schema = args.schema.iter().filter(|name| Schema::builtin_text(name).is_none());
    let routes = args.policy.routes.iter();
    let own = routes.flat_map(|route| {
        let packs = route.packs.iter().flatten().chain(&route.add_packs);
        packs.chain(&route.schema).map(|said| PathBuf::from(&said.value))
    });
    // What ships is no file.
    let own = own.filter(|path| path.exists());
    schema.map(PathBuf::from).chain(args.patterns.iter().cloned()).chain(own).collect()
}

impl Origin {
    /// The same, as it is now.
    pub(crate) fn again(&self) -> Result<(RunArgs, Self)> {
        let Applied { args, origin } = applied(self.flags.clone())?;
        Ok((args, origin.context("no configuration file is set any longer")?))
    }

    /// The keys that `other` has other values of.
    pub(crate) fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let value = |origin: &Self, key: &str| {
            let said = origin.settings.iter().find(|(name, _)| *name == key);
            said.map(|(_, value)| value.clone())
        };
        KEYS.iter().copied().filter(|key| value(self, key) != value(other, key)).collect()
    }
}

/// The same of the rules alone.
pub(crate) fn applied_rules(mut args: RuleArgs) -> Result<RuleArgs> {
    if let Some(path) = named(args.config.as_deref()) {
        load(&path)?.fill_rules(&mut args)?;
    }
    Ok(args)
}
