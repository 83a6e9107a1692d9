//! Merges flags and file: a flag overrides the file, and the file overrides a default.

use std::{fs, path::PathBuf};

use anyhow::Result;

use super::{
    Loaded,
    flags::{said_by_flags, said_by_rules},
};
use crate::{
    app::{cause::cause, diagnostics::Diagnostics, packs},
    cli::{RuleArgs, RunArgs},
    config::{
        Config, Said, Spot,
        kafka::{SaslEntry, Streams, TlsEntry},
        names::Names,
    },
};

impl Loaded {
    /// Fills in the settings of a run that no flag sets.
    pub(super) fn fill_run(&self, args: &mut RunArgs) -> Result<()> {
        let c = &self.config;
        args.rules.names = self.names(&said_by_flags(args));
        if args.files.is_empty() {
            args.files = self.paths(c.inputs.as_deref());
        }
        args.recursive |= value(c.recursive.as_ref()).unwrap_or(false);
        fill(&mut args.input_format, value(c.input_format.as_ref()));
        // `output` and `out_dir` exclude each other, so a flag for one overrides both, and the keys
        // that depend on them.
        if args.output.is_none() && args.out_dir.is_none() {
            args.output = self.path(c.output.as_ref());
            args.out_dir = self.path(c.out_dir.as_ref());
        }
        if !args.force && !args.append {
            args.force = value(c.force.as_ref()).unwrap_or(false);
            let append = value(c.append.as_ref()).unwrap_or(false);
            args.append = append && args.out_dir.is_none();
        }
        args.keep_partial |= value(c.keep_partial.as_ref()).unwrap_or(false);
        if args.out_dir.is_none() {
            fill(&mut args.compress, value(c.compress.as_ref()));
            fill(&mut args.log.rotate_size, value(c.rotate_size.as_ref()));
            fill(&mut args.log.rotate_every, value(c.rotate_every.as_ref()));
            fill(&mut args.log.rotate_keep, value(c.rotate_keep.as_ref()));
            fill(&mut args.log.fsync, value(c.fsync.as_ref()));
        }
        args.follow |= value(c.follow.as_ref()).unwrap_or(false);
        fill(&mut args.data_dir, self.path(c.data_dir.as_ref()));
        fill(&mut args.admin.admin, value(c.admin.as_ref()));
        fill(&mut args.admin.admin_token_file, self.path(c.admin_token_file.as_ref()));
        args.admin.admin_hosts = texts(c.admin_hosts.as_deref());
        fill(&mut args.admin.metrics_textfile, self.path(c.metrics_textfile.as_ref()));
        fill(&mut args.line_timeout, value(c.line_timeout.as_ref()));
        args.poll |= value(c.poll.as_ref()).unwrap_or(false);
        fill(&mut args.dead_letter, self.path(c.dead_letter.as_ref()));
        let key = c.dead_letter_encrypt_to.as_ref();
        fill(&mut args.dead_letter_encrypt_to, key.map(|said| said.value.clone()));
        *args.streams = self.streams();
        fill(&mut args.stats, self.path(c.stats.as_ref()));
        fill(&mut args.color, value(c.color.as_ref()));
        fill(&mut args.threads, value(c.threads.as_ref()));
        fill(&mut args.memory, value(c.memory.as_ref()));
        fill(&mut args.drain_timeout, value(c.drain_timeout.as_ref()));
        args.leave |= value(c.leave.as_ref()).unwrap_or(false);
        args.fail_on_drop |= value(c.fail_on_drop.as_ref()).unwrap_or(false);
        args.quiet |= value(c.quiet.as_ref()).unwrap_or(false);
        self.fill_rules(&mut args.rules)
    }

    /// Fills in the rules that no flag sets.
    pub(super) fn fill_rules(&self, args: &mut RuleArgs) -> Result<()> {
        let c = &self.config;
        if args.names == Names::default() {
            args.names = self.names(&said_by_rules(args));
        }
        // `schema` and `require` exclude each other, so a flag for one overrides both.
        if args.schema.is_none() && args.require.is_empty() {
            args.require = texts(c.require.as_deref());
            args.schema = c.schema.as_ref().map(|said| self.schema(&said.value));
        }
        *args.policy = c.policy.clone();
        let mut diagnostics = Diagnostics::default();
        diagnostics.add(self.fill_routes(args)?);
        fill(&mut args.text, value(c.text.as_ref()));
        fill(&mut args.ip, value(c.ip.as_ref()));
        fill(&mut args.max_event_bytes, value(c.max_event_bytes.as_ref()));
        fill(&mut args.max_depth, value(c.max_depth.as_ref()));
        for (flag, said) in [(&mut args.only, &c.only), (&mut args.without, &c.without)] {
            if flag.is_empty() {
                *flag = texts(said.as_deref());
            }
        }
        if let Some(patterns) = &c.patterns {
            let (mut pins, mut own, shipped) = (Vec::new(), Vec::new(), packs::shipped()?);
            for said in patterns {
                match packs::pin(&shipped, &said.value, &pins) {
                    Err(what) => diagnostics.add([self.at(said.spot, &what)]),
                    Ok(Some(pin)) => pins.push(pin),
                    Ok(None) => {
                        let path = self.folder.join(&said.value);
                        match fs::metadata(&path) {
                            Ok(_) => own.push(path),
                            Err(error) => {
                                let what = format!("pack {}: {}", path.display(), cause(&error));
                                diagnostics.add([self.at(said.spot, &what)]);
                            }
                        }
                    }
                }
            }
            // `--patterns` adds packs to those of the file.
            own.append(&mut args.patterns);
            (args.pinned, args.patterns) = (Some(pins), own);
        }
        diagnostics.or(Some(()))
    }

    /// Makes the paths in routes relative to the file's folder. Returns errors, one line each.
    fn fill_routes(&self, args: &mut RuleArgs) -> Result<Vec<String>> {
        let (mut errors, shipped) = (Vec::new(), packs::shipped()?);
        for route in &mut args.policy.routes {
            if let Some(said) = &mut route.schema {
                said.value = self.schema(&said.value);
            }
            for said in route.packs.iter_mut().flatten().chain(&mut route.add_packs) {
                match packs::pin(&shipped, &said.value, &[]) {
                    Err(what) => errors.push(self.at(said.spot, &what)),
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        let path = self.folder.join(&said.value);
                        if let Err(error) = fs::metadata(&path) {
                            let what = format!("pack {}: {}", path.display(), cause(&error));
                            errors.push(self.at(said.spot, &what));
                        }
                        said.value = path.display().to_string();
                    }
                }
            }
        }
        Ok(errors)
    }

    /// Returns the name of a built-in schema, or a path relative to the file's folder.
    fn schema(&self, name: &str) -> String {
        if crate::engine::schema::Schema::builtin_text(name).is_some() {
            return name.to_owned();
        }
        self.folder.join(name).display().to_string()
    }

    /// Returns the settings of topics, with their file paths relative to the file's folder.
    fn streams(&self) -> Streams {
        let mut streams = self.config.streams.clone();
        let kafka = streams.kafka.iter_mut();
        let files = kafka.flat_map(|entry| {
            let tls = entry.tls.iter_mut();
            let tls = tls.flat_map(TlsEntry::files_mut);
            let sasl = entry.sasl.iter_mut().flat_map(SaslEntry::files);
            tls.flatten().chain(sasl).chain(entry.data_dir.iter_mut())
        });
        let secret = streams.sink.iter_mut().filter_map(|sink| sink.pseudonym_key_file.as_mut());
        for said in files.chain(secret) {
            said.value = self.folder.join(&said.value).display().to_string();
        }
        streams
    }

    fn path(&self, said: Option<&Said<String>>) -> Option<PathBuf> {
        let value = &said?.value;
        Some(if value == "-" { value.into() } else { self.folder.join(value) })
    }

    fn paths(&self, said: Option<&[Said<String>]>) -> Vec<PathBuf> {
        said.unwrap_or_default().iter().filter_map(|one| self.path(Some(one))).collect()
    }

    fn names(&self, flags: &Config) -> Names {
        Names::new(&self.path.display().to_string(), &self.config, flags)
    }

    fn at(&self, spot: Spot, what: &str) -> String {
        format!("{}:{}:{}: {what}", self.path.display(), spot.line, spot.column)
    }
}

fn fill<T>(flag: &mut Option<T>, said: Option<T>) {
    if flag.is_none() {
        *flag = said;
    }
}

fn value<T: Copy>(said: Option<&Said<T>>) -> Option<T> {
    said.map(|said| said.value)
}

fn texts(said: Option<&[Said<String>]>) -> Vec<String> {
    said.unwrap_or_default().iter().map(|one| one.value.clone()).collect()
}
