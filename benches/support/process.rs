//! Times whole processes. A small process of its own runs each command, so that what the kernel
//! counts for children (CPU time, peak memory) is that one command's.

use std::error::Error;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// The hidden argument that makes this program the small process.
pub(crate) const MEASURE: &str = "measure";

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A command line with its environment.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// What one run cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// User and system time, in seconds.
    pub(crate) cpu: f64,
    /// From start to end, in seconds.
    pub(crate) wall: f64,
    /// Most memory resident, in bytes.
    pub(crate) peak: u64,
}

impl Job {
    pub(crate) fn new<S: ToString>(program: &str, arguments: &[S]) -> Self {
        let arguments = arguments.iter().map(S::to_string).collect();
        Self { program: program.into(), arguments, environment: Vec::new() }
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    pub(crate) fn env(mut self, key: &'static str, value: &str) -> Self {
        self.environment.push((key, value.into()));
        self
    }

    /// Runs the command once.
    pub(crate) fn run(&self) -> Outcome<Cost> {
        let out = Command::new(std::env::current_exe()?)
            .args([MEASURE, &self.program])
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .output()?;
        if !out.status.success() {
            let why = String::from_utf8_lossy(&out.stderr);
            return Err(format!("`{self}` failed: {}", why.trim()).into());
        }
        let text = String::from_utf8(out.stdout)?;
        let fields: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[cpu, wall, peak] = &fields[..] else { return Err("no measure came back".into()) };
        Ok(Cost { cpu, wall, peak: peak as u64 })
    }

    /// Starts the command, gives it `event`, keeps its input open, and times its first byte.
    pub(crate) fn first_byte(&self, event: &[u8]) -> Outcome<Duration> {
        let start = Instant::now();
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        let mut output = child.stdout.take().ok_or("no standard output")?;
        // A program that ends at once breaks the pipe; the read below then tells.
        let _ = input.write_all(event);
        let read = output.read(&mut [0; 1])?;
        let elapsed = start.elapsed();
        drop(input);
        child.wait()?;
        if read == 0 { Err(format!("`{self}` wrote nothing").into()) } else { Ok(elapsed) }
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (key, value) in &self.environment {
            write!(f, "{key}={value} ")?;
        }
        let program = self.program.rsplit('/').next().unwrap_or_default();
        write!(f, "{program} {}", self.arguments.join(" "))
    }
}

/// The small process: runs the command and prints what it cost.
pub(crate) fn measure(command: &[String]) -> Outcome<()> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let start = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    let wall = start.elapsed().as_secs_f64();
    if !status.success() {
        return Err(status.to_string().into());
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = [used.user_time(), used.system_time()]
        .iter()
        .map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6)
        .sum::<f64>();
    println!("{cpu} {wall} {}", used.max_rss() * 1024);
    Ok(())
}

/// Runs both commands in turn, after one run of each that does not count.
pub(crate) fn pairs(a: &Job, b: &Job, runs: usize) -> Outcome<Vec<(Cost, Cost)>> {
    a.run()?;
    b.run()?;
    (0..runs).map(|_| Ok((a.run()?, b.run()?))).collect()
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}
