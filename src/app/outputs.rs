//! What is written to, judged before anything is read: no output is an input, or another output.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{identity::Identity, inputs::Inputs};

/// An option and the file that it names; standard output has none.
pub(crate) type Named<'a> = (&'a str, Option<&'a PathBuf>);

/// No output may be an input, or another output.
pub(crate) fn check(inputs: &Inputs, named: &[Named<'_>]) -> Result<()> {
    let mut read = Vec::new();
    for input in &inputs.choices {
        read.extend(input.identity().map(|identity| (identity, input.name())));
    }
    let mut outputs: Vec<(Identity, &str)> = Vec::new();
    for &(option, path) in named {
        let identity = match path {
            Some(path) => Identity::of_path(path),
            None => Identity::of_descriptor(rustix::stdio::stdout()),
        };
        let Some(identity) = identity else { continue };
        if let Some((_, input)) = read.iter().find(|(input, _)| *input == identity) {
            bail!("{option} is the input {input}: choose another file to write to");
        }
        if let Some((_, other)) = outputs.iter().find(|(other, _)| *other == identity) {
            bail!("{option} and {other} are the same file: choose two");
        }
        if let (Identity::Path(_), Some(path)) = (&identity, path) {
            not_read_next_time(inputs, option, path)?;
        }
        outputs.push((identity, option));
    }
    Ok(())
}

/// An output that is not there yet, among the files that an input stands for, would be read by the
/// next run, or by this one.
fn not_read_next_time(inputs: &Inputs, option: &str, path: &Path) -> Result<()> {
    match inputs.would_read(path) {
        Some(input) => {
            bail!("{option} {} would be an input ({input}): write it elsewhere", path.display())
        }
        None => Ok(()),
    }
}
