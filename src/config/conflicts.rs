//! Keys that exclude each other, or that require another one.

use super::{Config, Said, reader::Reader, route};

/// Reports every key of `config` that another one excludes.
pub(super) fn complain(config: &Config, r: &mut Reader<'_>) {
    if let (Some(schema), Some(_)) = (&config.schema, &config.require) {
        r.complain(schema.spot, "`schema` and `require` cannot be used together".into());
    }
    outputs(config, r);
    config.streams.check(&config.policy.routes, r);
    route::check(config, r);
    files_and_topics(config, r);
}

/// Keys for files are errors if topics are read.
fn files_and_topics(config: &Config, r: &mut Reader<'_>) {
    if config.streams.is_empty() {
        return;
    }
    let inputs = config.inputs.as_ref().and_then(|all| all.first());
    let files = [
        ("inputs", inputs.map(|said| said.spot)),
        ("recursive", config.recursive.as_ref().map(|said| said.spot)),
        ("input_format", config.input_format.as_ref().map(|said| said.spot)),
        ("output", config.output.as_ref().map(|said| said.spot)),
        ("out_dir", config.out_dir.as_ref().map(|said| said.spot)),
        ("force", config.force.as_ref().map(|said| said.spot)),
        ("append", config.append.as_ref().map(|said| said.spot)),
        ("keep_partial", config.keep_partial.as_ref().map(|said| said.spot)),
        ("compress", config.compress.as_ref().map(|said| said.spot)),
        ("rotate_size", config.rotate_size.as_ref().map(|said| said.spot)),
        ("rotate_every", config.rotate_every.as_ref().map(|said| said.spot)),
        ("rotate_keep", config.rotate_keep.as_ref().map(|said| said.spot)),
        ("fsync", config.fsync.as_ref().map(|said| said.spot)),
        ("follow", config.follow.as_ref().map(|said| said.spot)),
        ("dead_letter", config.dead_letter.as_ref().map(|said| said.spot)),
        ("dead_letter_encrypt_to", config.dead_letter_encrypt_to.as_ref().map(|said| said.spot)),
    ];
    for (key, spot) in files {
        if let Some(spot) = spot {
            r.complain(
                spot,
                format!("`{key}` is only for files, but this configuration reads topics"),
            );
        }
    }
}

/// The keys for the output exclude each other like the flags.
fn outputs(config: &Config, r: &mut Reader<'_>) {
    let on = |said: &Option<Said<bool>>| said.as_ref().filter(|said| said.value).map(|s| s.spot);
    if let (Some(said), Some(_)) = (&config.out_dir, &config.output) {
        r.complain(said.spot, "`out_dir` and `output` cannot be used together".into());
    }
    if let (Some(spot), Some(_)) = (on(&config.append), on(&config.force)) {
        r.complain(spot, "`append` and `force` cannot be used together".into());
    }
    if let (Some(spot), None) = (on(&config.append), &config.output) {
        r.complain(spot, "`append` needs a file to append to: add `output`".into());
    }
    if on(&config.follow).is_none() {
        let followed = [
            config.data_dir.as_ref().map(|said| said.spot),
            config.line_timeout.as_ref().map(|said| said.spot),
            on(&config.poll),
        ];
        for spot in followed.into_iter().flatten() {
            r.complain(spot, "this key is only for followed files: add `follow = true`".into());
        }
    } else {
        let others = [config.out_dir.as_ref().map(|said| said.spot), on(&config.force)];
        for spot in others.into_iter().flatten() {
            r.complain(spot, "cannot be used with `follow`, which appends to its output".into());
        }
    }
    if let (Some(said), Some(_)) = (&config.compress, &config.out_dir) {
        let what =
            "`compress` needs `output`; files in `out_dir` are compressed as their inputs are";
        r.complain(said.spot, what.into());
    }
}
