//! Converts flags to the form of a configuration file.

use std::path::PathBuf;

use crate::{
    cli::{RuleArgs, RunArgs},
    config::{Config, Said},
};

/// Converts flags to the form of a configuration file. (`--patterns` adds to what the file says.)
pub(super) fn said_by_flags(flags: &RunArgs) -> Config {
    let path = |path: &Option<PathBuf>| {
        path.as_ref().map(|path| Said::elsewhere(path.display().to_string()))
    };
    Config {
        inputs: list(flags.files.iter().map(|file| file.display().to_string())),
        recursive: flags.recursive.then_some(Said::elsewhere(true)),
        input_format: flags.input_format.map(Said::elsewhere),
        output: path(&flags.output),
        out_dir: path(&flags.out_dir),
        force: flags.force.then_some(Said::elsewhere(true)),
        append: flags.append.then_some(Said::elsewhere(true)),
        keep_partial: flags.keep_partial.then_some(Said::elsewhere(true)),
        compress: flags.compress.map(Said::elsewhere),
        rotate_size: flags.log.rotate_size.map(Said::elsewhere),
        rotate_every: flags.log.rotate_every.map(Said::elsewhere),
        rotate_keep: flags.log.rotate_keep.map(Said::elsewhere),
        fsync: flags.log.fsync.map(Said::elsewhere),
        follow: flags.follow.then_some(Said::elsewhere(true)),
        data_dir: path(&flags.data_dir),
        admin: flags.admin.admin.map(Said::elsewhere),
        admin_token_file: path(&flags.admin.admin_token_file),
        metrics_textfile: path(&flags.admin.metrics_textfile),
        line_timeout: flags.line_timeout.map(Said::elsewhere),
        poll: flags.poll.then_some(Said::elsewhere(true)),
        dead_letter: path(&flags.dead_letter),
        dead_letter_encrypt_to: flags.dead_letter_encrypt_to.clone().map(Said::elsewhere),
        streams: (*flags.streams).clone(),
        stats: path(&flags.stats),
        memory: flags.memory.map(Said::elsewhere),
        threads: flags.threads.map(Said::elsewhere),
        drain_timeout: flags.drain_timeout.map(Said::elsewhere),
        fail_on_drop: flags.fail_on_drop.then_some(Said::elsewhere(true)),
        quiet: flags.quiet.then_some(Said::elsewhere(true)),
        leave: flags.leave.then_some(Said::elsewhere(true)),
        color: flags.color.map(Said::elsewhere),
        ..said_by_rules(&flags.rules)
    }
}

/// Like [`said_by_flags`], for the rules only.
pub(super) fn said_by_rules(r: &RuleArgs) -> Config {
    Config {
        schema: r.schema.clone().map(Said::elsewhere),
        require: list(r.require.iter().cloned()),
        text: r.text.map(Said::elsewhere),
        ip: r.ip.map(Said::elsewhere),
        only: list(r.only.iter().cloned()),
        without: list(r.without.iter().cloned()),
        max_event_bytes: r.max_event_bytes.map(Said::elsewhere),
        max_depth: r.max_depth.map(Said::elsewhere),
        ..Config::default()
    }
}

pub(super) fn list(all: impl Iterator<Item = String>) -> Option<Vec<Said<String>>> {
    let all: Vec<_> = all.map(Said::elsewhere).collect();
    (!all.is_empty()).then_some(all)
}
