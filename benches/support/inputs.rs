//! Inputs that are more than a file that is read: compressed ones, beside decompression alone, and a
//! backlog that is followed, beside the same file read to its end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{Job, Outcome, median, pairs};

/// The hidden argument that makes this program decompress, and nothing else.
pub(crate) const DECODE: &str = "decode";
const BLOCK: usize = 256 << 10;

/// A format, and its ending.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    Gzip,
    Zstd,
}

impl Packed {
    pub(crate) const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses a file at the format's usual level.
    pub(crate) fn pack(self, from: &Path, to: &Path) -> Outcome<()> {
        let (mut from, to) = (File::open(from)?, File::create(to)?);
        match self {
            Self::Gzip => {
                let mut to = flate2::write::GzEncoder::new(to, flate2::Compression::default());
                io::copy(&mut from, &mut to)?;
                to.finish()?;
            }
            Self::Zstd => zstd::stream::copy_encode(from, to, 0)?,
        }
        Ok(())
    }

    /// How many bytes a file comes to; they go nowhere.
    fn unpack(self, file: &str) -> io::Result<u64> {
        let file = File::open(file)?;
        match self {
            Self::Gzip => drain(flate2::read::MultiGzDecoder::new(file)),
            Self::Zstd => drain(zstd::stream::read::Decoder::new(file)?),
        }
    }
}

fn drain(mut from: impl Read) -> io::Result<u64> {
    let (mut block, mut bytes) = (vec![0; BLOCK], 0);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(bytes),
            n => bytes += n as u64,
        }
    }
}

/// The yardstick: `decode FORMAT FILE`.
pub(crate) fn decode(arguments: &[String]) -> Outcome<()> {
    let [format, file] = arguments else { return Err("decode FORMAT FILE".into()) };
    let format = Packed::ALL.into_iter().find(|packed| packed.name() == format);
    println!("{}", format.ok_or("no such format")?.unpack(file)?);
    Ok(())
}

/// The rate at which `packed` is decoded in `job`, as a part of the rate of decompression alone: by the
/// CPU time that it has beyond `plain`, the same job on the same text. The seconds, and the ratio.
pub(crate) fn decoding(
    packed: Packed,
    file: &Path,
    (plain, job): (&Job, &Job),
    runs: usize,
) -> Outcome<(f64, f64, f64)> {
    let alone = alone(packed, file)?;
    alone.run()?;
    let mut all = Vec::new();
    for (plain, packed) in pairs(plain, job, runs)? {
        all.push((alone.run()?.cpu, packed.cpu - plain.cpu));
    }
    let (base, own) = (median(all.iter().map(|r| r.0)), median(all.iter().map(|r| r.1)));
    Ok((base, own, median(all.iter().map(|r| r.0 / r.1))))
}

fn alone(packed: Packed, file: &Path) -> Outcome<Job> {
    let me = std::env::current_exe()?.display().to_string();
    Ok(Job::new(&me, &[DECODE, packed.name(), &file.display().to_string()]))
}

/// The rate of `job` on a packed file, as a part of the rate of decompression alone; by wall time, since
/// the one can be done beside the other, where there are cores for both. The seconds, and the ratio.
pub(crate) fn beside_decoding(
    packed: Packed,
    file: &Path,
    job: &Job,
    runs: usize,
) -> Outcome<(f64, f64, f64)> {
    let runs = pairs(&alone(packed, file)?, job, runs)?;
    let (base, own) =
        (median(runs.iter().map(|r| r.0.wall)), median(runs.iter().map(|r| r.1.wall)));
    Ok((base, own, median(runs.iter().map(|r| r.0.wall / r.1.wall))))
}

/// Runs `job` until it has written `bytes` to its standard output, then ends it; the seconds that took.
fn until_written(job: &Job, bytes: u64) -> Outcome<f64> {
    let start = Instant::now();
    let mut child = Command::new(&job.program)
        .args(&job.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = child.stdout.take().ok_or("no standard output")?;
    let (mut block, mut left) = (vec![0; BLOCK], bytes);
    while left > 0 {
        match output.read(&mut block)? {
            0 => return Err(format!("`{job}` wrote {left} bytes too few").into()),
            n => left = left.checked_sub(n as u64).ok_or("it wrote too much")?,
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    kill(Pid::from_raw(child.id().try_into()?), Signal::SIGKILL)?;
    child.wait()?;
    Ok(elapsed)
}

/// The rate at which `follow` reads a backlog, as a part of that of `batch`, both to a pipe that is read
/// at once. `fresh` is called before each run that follows. The seconds of both, and the ratio.
pub(crate) fn backlog(
    batch: &Job,
    follow: &Job,
    fresh: impl Fn() -> io::Result<()>,
    runs: usize,
) -> Outcome<(f64, f64, f64)> {
    let output = Command::new(&batch.program).args(&batch.arguments).output()?;
    let bytes = output.stdout.len() as u64;
    drop(output);
    let mut all = Vec::new();
    for _ in 0..=runs {
        fresh()?;
        all.push((until_written(batch, bytes)?, until_written(follow, bytes)?));
    }
    // The first of each does not count.
    let all = &all[1..];
    let (base, own) = (median(all.iter().map(|r| r.0)), median(all.iter().map(|r| r.1)));
    Ok((base, own, median(all.iter().map(|r| r.0 / r.1))))
}
