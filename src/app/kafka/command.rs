//! `tamis kafka`: sends an operator's command to the admin server of a run, or removes a member
//! from its group.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};

use crate::{
    app::{
        config,
        exit::{Exit, Trouble},
        print, say, topics,
        visible::visible_lines,
        watchers::token_in,
    },
    cli::kafka::{KafkaArgs, KafkaCommand, RunAt},
    journal::{SayWith, tell_with},
    kafka::{Cluster, Reporter},
    sources::kafka as source,
};

/// How long connecting to a run, and its response, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The maximum length of a response.
const LONGEST: u64 = 64 << 10;

/// Sends the command, and prints the response.
pub(crate) fn run(args: KafkaArgs) -> Result<Exit, Trouble> {
    let (verb, target, at) = match args.command {
        KafkaCommand::Pause { target, run } => ("pause", target, run),
        KafkaCommand::Resume { target, run } => ("resume", target, run),
        KafkaCommand::Skip { target, run } => ("skip", target, run),
        KafkaCommand::Leave { config, instance } => return leave(config, instance),
    };
    let RunAt { admin, admin_token_file } = at;
    let token =
        admin_token_file.map(|path: PathBuf| token_in("--admin-token-file", &path)).transpose()?;
    let (status, body) = ask(admin, verb, &target, token.as_deref())
        .with_context(|| format!("--admin {admin}"))
        .map_err(Trouble::Failed)?;
    let said = body.trim_end();
    match status {
        200 => print(&format!("{said}\n")),
        // The command was refused.
        409 => {
            say(&said);
            Ok(Exit::Unfit)
        }
        400 => Err(Trouble::Usage(anyhow!("`{target}`: {said}"))),
        401 | 403 => Err(Trouble::Usage(anyhow!("--admin {admin}: {said}"))),
        404 => Err(Trouble::Failed(anyhow!(
            "--admin {admin}: the Tamis there is too old for this command"
        ))),
        status => Err(Trouble::Failed(anyhow!("--admin {admin}: status {status}: {said}"))),
    }
}

/// Removes a member from its group.
fn leave(path: Option<PathBuf>, instance: Option<String>) -> Result<Exit, Trouble> {
    let mut args = config::command::no_flags()?;
    args.rules.config = path;
    let args = config::applied(args)?.args;
    let Some(topics) = topics::resolve(&args.streams, &args.rules.policy.routes, true)? else {
        let what = "the configuration reads no topics: name that of the member, `tamis kafka \
                    leave --config FILE`";
        return Err(anyhow!(what).into());
    };
    let Some(name) = instance.as_deref().or(topics.instance()) else {
        let what = "the configuration has no `instance`: name the member with --instance NAME";
        return Err(anyhow!(what).into());
    };
    let say_with: SayWith = Arc::new(|event, text, fields| tell_with(event, &text, fields));
    let reporter = Reporter::new(say_with, Arc::default()).with_login(topics.login.clone());
    let cluster = Cluster::new(topics.properties.clone(), topics.tls.clone(), reporter);
    let (group, read) = (&topics.source.group.value, &topics.source.topics);
    let read: Vec<_> = read.iter().map(|said| said.value.clone()).collect();
    if source::leave(&cluster, group, name, &read).map_err(Trouble::failed)? {
        print(&format!("`{name}` left group `{group}`; other members take over its partitions\n"))
    } else {
        say(&format_args!("group `{group}` has no static member `{name}`"));
        Ok(Exit::Unfit)
    }
}

/// Returns the status and the body of the response.
fn ask(at: SocketAddr, verb: &str, target: &str, token: Option<&str>) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = target.len();
    let request = format!(
        "POST /kafka/{verb} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{token}\
         Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{target}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let parts = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        Some((status, visible_lines(body)))
    });
    parts.ok_or_else(|| {
        io::Error::other("the server that answered is not the admin server of Tamis")
    })
}
