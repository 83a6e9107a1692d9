//! `tamis config`: checks a configuration, shows the effective settings, and prints the schema.

use std::fmt::Write as _;

use anyhow::Result;
use clap::Parser as _;

use super::{
    Loaded,
    flags::{list, said_by_flags},
    load, named, read,
};
use crate::{
    app::{
        diagnostics::Diagnostics,
        exit::{Exit, Trouble},
        packs, patterns, plan, resolve, room, schemas,
        visible::{self, visible},
    },
    cli::{
        Cli, RunArgs,
        config::{ConfigArgs, ConfigCommand},
    },
    config::{Config, KEYS, outside::Outside},
};

/// The JSON Schema of the format.
const SCHEMA: &str = include_str!("../../../schemas/config.json");

/// Returns the output of the subcommand and its exit code.
pub(crate) fn run(args: ConfigArgs) -> Result<(String, Exit), Trouble> {
    match args.command {
        ConfigCommand::Schema => Ok((SCHEMA.to_owned(), Exit::Done)),
        ConfigCommand::Show(args) => Ok((show(*args)?, Exit::Done)),
        ConfigCommand::Check { file } => {
            let Some(path) = file.or_else(|| named(None)) else {
                return Err(anyhow::anyhow!(
                    "no configuration file was given: run `tamis config check tamis.toml`"
                )
                .into());
            };
            let (loaded, complaints) = read(&path)?;
            let mut diagnostics = Diagnostics::default();
            diagnostics.add(complaints.iter().map(ToString::to_string));
            let page = check(&loaded, complaints.is_empty(), &mut diagnostics);
            Ok((diagnostics.or(page)?, Exit::Done))
        }
    }
}

/// Checks everything that can be checked without reading input. If the file itself has errors, only
/// its schema, packs and detector names are checked.
fn check(loaded: &Loaded, sound: bool, diagnostics: &mut Diagnostics) -> Option<String> {
    let mut args = diagnostics.with(no_flags())?;
    let filled = diagnostics.with(loaded.fill_run(&mut args));
    without_inputs(&mut args);
    let rules = &args.rules;
    if let Some(name) = &rules.schema {
        diagnostics.with(schemas::find(name, &rules.names));
    }
    if !sound || filled.is_none() {
        let packs = diagnostics.with(packs::load(rules.pinned.as_deref(), &rules.patterns))?;
        if filled.is_some() {
            diagnostics.add(resolve::unknown_names(rules, &packs));
        }
        return None;
    }
    let text = args.dead_letter.is_some();
    let (run, rules) = diagnostics.with(resolve::run(args))?;
    diagnostics.with(match run.topics {
        Some(_) => room::fit_records(&run, &rules),
        None => room::fit(&run, &rules, 0),
    });
    let plan = diagnostics.with(plan::compile(rules, text))?.plan;
    let detectors = plan.detectors().iter().filter(|d| !d.pack.is_empty()).count();
    let mut page = format!("{}: valid\n", visible::name(&loaded.path));
    let _ = writeln!(page, "  {detectors} detectors enabled");
    let packs = &plan.settings().packs;
    let known = packs.iter().flat_map(|pack| &pack.detectors);
    let on = known.filter(|d| plan.detectors().iter().any(|on| on.id == d.id));
    if let Some(line) = patterns::searched(on) {
        let _ = writeln!(page, "  {line}");
    }
    if let [_, routes @ ..] = &**plan.routes()
        && !routes.is_empty()
    {
        let names: Vec<_> = routes.iter().map(|route| &*route.name).collect();
        let _ = writeln!(page, "  routes: {}", names.join(", "));
    }
    page.push_str(&pins(loaded));
    Some(page)
}

/// Compares the pinned packs with the built-in packs.
fn pins(loaded: &Loaded) -> String {
    let newest = packs::newest().join("\", \"");
    match &loaded.config.patterns {
        None => format!(
            "  packs are not pinned, so another version of Tamis may detect more: to pin them, \
             set patterns = [\"{newest}\"]\n"
        ),
        Some(patterns) => {
            let pinned: Vec<_> = patterns.iter().map(|said| said.value.clone()).collect();
            let news = packs::news(&pinned).into_iter().map(|line| format!("  {line}\n"));
            format!("  the newest packs of this version: \"{newest}\"\n")
                + &news.collect::<String>()
        }
    }
}

/// Ignores `out_dir` if the file names no inputs: it can only be checked once there are inputs.
fn without_inputs(args: &mut RunArgs) {
    if args.files.is_empty() {
        args.out_dir = None;
    }
}

/// Returns the arguments of a command line without any.
pub(crate) fn no_flags() -> Result<RunArgs> {
    Ok(Cli::try_parse_from(["tamis"])?.run)
}

/// Returns the effective settings as a configuration file, with the origin of each line.
pub(crate) fn show(flags: RunArgs) -> Result<String> {
    let loaded = named(flags.rules.config.as_deref()).map(|path| load(&path)).transpose()?;
    let typed = said_by_flags(&flags);
    let defaults = Config::parse("defaults", &defaults(), &Outside::NOTHING).unwrap_or_default();
    let mut lines: Vec<(String, String)> = Vec::new();
    let nothing = Config::default();
    let (file, origin) = match &loaded {
        Some(loaded) => (&loaded.config, visible::name(&loaded.path)),
        None => (&nothing, String::new()),
    };
    let origins = [(&typed, "flag"), (file, origin.as_str()), (&defaults, "default")]
        .map(|(config, origin)| (config.settings(), origin));
    for key in KEYS {
        // A flag for a schema or for required fields overrides both, as does one for an output.
        let overridden = ["schema", "require"].contains(key)
            && (typed.schema.is_some() || typed.require.is_some())
            || ["output", "out_dir"].contains(key)
                && (typed.output.is_some() || typed.out_dir.is_some())
            || ["append", "compress"].contains(key) && typed.out_dir.is_some()
            || ["force", "append"].contains(key)
                && (typed.force.is_some() || typed.append.is_some());
        let origins = if overridden { &origins[..1] } else { &origins[..] };
        let said = origins.iter().find_map(|(settings, origin)| {
            let (_, value) = settings.iter().find(|(name, _)| name == key)?;
            Some((format!("{key} = {value}"), (*origin).to_owned()))
        });
        lines.extend(said);
    }
    let added = list(flags.rules.patterns.iter().map(|path| path.display().to_string()));
    // Only a valid configuration is shown.
    let mut args = flags;
    if let Some(loaded) = &loaded {
        loaded.fill_run(&mut args)?;
    }
    without_inputs(&mut args);
    resolve::run(args)?;

    let width = lines.iter().map(|line| line.0.chars().count()).max().unwrap_or(0).min(48);
    let mut page = String::from("version = 1\n");
    for (setting, origin) in lines {
        let _ = writeln!(page, "{setting:width$}  # {origin}");
    }
    for (name, settings) in file.tables() {
        let _ = writeln!(page, "\n[[{name}]]  # {origin}");
        for (key, value) in settings {
            let _ = writeln!(page, "{key} = {value}");
        }
    }
    if let Some(added) = added {
        let paths: Vec<_> = added.iter().map(|said| said.value.as_str()).collect();
        let _ = writeln!(page, "# added by --patterns: {}", visible(&paths.join(", ")));
    }
    Ok(page)
}

/// Returns the settings that apply if neither a flag nor the file sets them.
fn defaults() -> String {
    let (pins, threads) = (packs::newest().join("\", \""), resolve::cores());
    format!(
        "version = 1\ntext = \"wrap\"\nip = \"truncate\"\npatterns = [\"{pins}\"]\n\
         numbers = \"null\"\nmax_event_bytes = 1048576\nmax_depth = 128\nthreads = \
         {threads}\ndrain_timeout = 5\n\
         fail_on_drop = false\nquiet = false\ncolor = \"auto\"\n"
    )
}
