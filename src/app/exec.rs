//! `tamis exec`: runs an application, processes its output, and exits as the application did.

use std::{
    ffi::OsString,
    fs::File,
    io,
    mem::replace,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::Sender},
    thread::{self, JoinHandle},
};

use anyhow::anyhow;
use rustix::{
    process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid},
    termios::tcgetpgrp,
};

use super::{
    config,
    exit::{Exit, Trouble},
    outlets::Around,
    reload::Request,
    resolved::Run,
    room::Room,
    run::{self, Feed},
    visible::visible,
};
use crate::{
    cli::exec::ExecArgs,
    pipeline::{Input, Inputs},
    shutdown::{
        Shutdown,
        signals::{self, Received},
    },
    sources::ChildSource,
};

/// Runs the application, and returns the exit code.
pub(crate) fn run(args: ExecArgs) -> Result<u8, Trouble> {
    let ExecArgs { run, command } = args;
    if command.is_empty() || !run.files.is_empty() {
        return Err(anyhow!(
            "exec reads the output of an application, not files: run `tamis exec [OPTIONS] -- \
             my-app`"
        )
        .into());
    }
    if run.out_dir.is_some() || run.recursive {
        return Err(anyhow!(
            "exec reads the output of an application, not files: use -o FILE, without --out-dir \
             and -r"
        )
        .into());
    }
    let mut applied = config::applied(run)?;
    if applied.args.follow {
        return Err(
            anyhow!("exec reads the output of an application, not files: remove --follow").into()
        );
    }
    applied.args.files.clear();
    run::with(applied, &mut Exec { command, target: Arc::default(), app: App::Not })
}

struct Exec {
    command: Vec<OsString>,
    target: Arc<Target>,
    app: App,
}

/// The state of the application.
enum App {
    /// Not started.
    Not,
    /// Running; a thread waits for its end.
    Runs(JoinHandle<io::Result<ExitStatus>>),
    /// Ended, with its exit code if it is known.
    Ended(Option<u8>),
}

/// The process that signals are passed on to, while it runs.
#[derive(Default)]
struct Target(Mutex<Option<Pid>>);

impl Feed for Exec {
    fn memory(&self, max_event_bytes: usize) -> u64 {
        ChildSource::memory(max_event_bytes)
    }

    /// Installed before the application starts, so that no signal can end Tamis and leave the
    /// application running. SIGHUP is passed on, too.
    fn listen(&mut self, shutdown: &Shutdown, _: Option<Sender<Request>>) -> io::Result<()> {
        let (target, shutdown) = (self.target.clone(), shutdown.clone());
        signals::on_signal(move |received| target.pass_on(received, &shutdown))
    }

    fn inputs(&mut self, run: &Run, around: &Around<'_>, room: &Room) -> Result<Inputs, Trouble> {
        let program = self.command.first().cloned().unwrap_or_default();
        let name = Path::new(&program).file_name().unwrap_or(&program);
        let name = visible(&name.to_string_lossy());
        let mut command = Command::new(&program);
        command.args(&self.command[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.target.spawn(&mut command).map_err(|error| {
            let exit = match error.kind() {
                io::ErrorKind::NotFound => Exit::NotFound,
                _ => Exit::NotExecutable,
            };
            Trouble::Exec(anyhow::Error::from(error).context(name.clone()), exit)
        })?;
        let streams =
            [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        let [Some(out), Some(err)] = streams else {
            return Err(Trouble::failed(anyhow!(
                "the output of the application could not be opened"
            )));
        };
        let (ended, alive) = UnixStream::pair().map_err(Trouble::failed)?;
        let target = self.target.clone();
        let waiter = thread::Builder::new().name("exec".into()).spawn(move || {
            let status = target.wait(child);
            drop(alive);
            status
        });
        self.app = App::Runs(waiter.map_err(Trouble::failed)?);
        let longest = room.budget.sizes.max_event_bytes;
        let (ended, shutdown) = (ended.into(), around.shutdown.clone());
        let source = ChildSource::new([out, err], ended, run.drain, longest, shutdown);
        Ok(Inputs::InTurn(vec![Input { name, source: Box::new(source), finite: false }]))
    }

    /// Returns the application's exit code, or that of Tamis if the application's is 0.
    fn code(&mut self, own: Exit) -> u8 {
        self.app = match replace(&mut self.app, App::Not) {
            App::Runs(waiter) => App::Ended(waiter.join().ok().and_then(Result::ok).and_then(code)),
            other => other,
        };
        match self.app {
            App::Not | App::Ended(Some(0)) => own as u8,
            App::Ended(Some(code)) => code,
            App::Runs(_) | App::Ended(None) => Exit::Failed as u8,
        }
    }
}

/// Returns the exit code as a shell reports it.
fn code(status: ExitStatus) -> Option<u8> {
    let signal = status.signal().map(|signal| 128 + signal);
    u8::try_from(status.code().or(signal)?).ok()
}

impl Target {
    fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let mut target = self.lock();
        let child = command.spawn()?;
        *target = Some(Pid::from_child(&child));
        Ok(child)
    }

    /// Waits for the end of the application. The process id is forgotten before the process is
    /// reaped, so that a signal never reaches a reused id.
    fn wait(&self, mut child: Child) -> io::Result<ExitStatus> {
        let pid = Pid::from_child(&child);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(error) = waitid(WaitId::Pid(pid), options) {
            if error != rustix::io::Errno::INTR {
                break;
            }
        }
        *self.lock() = None;
        child.wait()
    }

    /// Passes a signal on to the application, which decides when it ends. Without an application,
    /// it requests a shutdown.
    fn pass_on(&self, received: Received, shutdown: &Shutdown) {
        let signal = match received {
            Received::Interrupt => Signal::INT,
            Received::Terminate => Signal::TERM,
            Received::HangUp => Signal::HUP,
        };
        match *self.lock() {
            // The terminal sent it to the application, too. Sent twice, it would mean "at once".
            Some(_) if received != Received::Terminate && is_foreground() => {}
            Some(pid) => drop(kill_process(pid, signal)),
            // SIGHUP requests a shutdown, too, because there is no application to pass it on to.
            None if received == Received::HangUp => shutdown.request(),
            None => received.ask(shutdown),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether signals from the terminal reach this process group.
fn is_foreground() -> bool {
    File::open("/dev/tty")
        .is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}
