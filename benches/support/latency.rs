//! How long one event takes: from the start of the program, and from a followed file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{Job, Outcome, median};
use crate::report::Target;

/// From start to the first byte out, with standard input kept open.
pub(crate) fn start(job: &Job, event: &[u8], runs: usize) -> Outcome<()> {
    let runs: Outcome<Vec<f64>> =
        (0..runs).map(|_| Ok(job.first_byte(event)?.as_secs_f64() * 1e3)).collect();
    match runs {
        Ok(runs) => {
            let (worst, middle) = (runs.iter().copied().fold(0.0, f64::max), median(runs));
            let verdict = Target::AtMost(30.0).verdict(middle);
            println!("start to first byte       {middle:.1} ms (worst {worst:.1})   {verdict}");
        }
        Err(error) => println!("start to first byte       {error}   over"),
    }
    Ok(())
}

/// From the append to a followed file, a line every 4 ms, to the line on standard output; with
/// checkpoints.
pub(crate) fn append(program: &str, folder: &Path, event: &[u8], lines: usize) -> Outcome<()> {
    let (log, data) = (folder.join("appended.ndjson"), folder.join("appended.data"));
    let mut file = File::create(&log)?;
    let mut child = Command::new(program)
        .args(["--quiet", "--follow", &log.display().to_string()])
        .args(["--data-dir", &data.display().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
    let (mut all, mut line) = (Vec::with_capacity(lines), Vec::new());
    for _ in 0..lines {
        let start = Instant::now();
        file.write_all(event)?;
        line.clear();
        output.read_until(b'\n', &mut line)?;
        all.push(start.elapsed().as_secs_f64() * 1e3);
        sleep(Duration::from_millis(4));
    }
    child.kill()?;
    child.wait()?;
    fs::remove_dir_all(&data)?;
    all.sort_by(f64::total_cmp);
    let (worst, p99) = (all[lines - 1], all[lines * 99 / 100]);
    let (middle, verdict) = (median(all), Target::AtMost(50.0).verdict(p99));
    println!(
        "append to output          {middle:.1} ms, p99 {p99:.1} (worst {worst:.1} of {lines})   {verdict}"
    );
    Ok(())
}
