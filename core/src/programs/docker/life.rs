//! `docker start`, `stop`, `restart`, `kill`, `wait`, `rename`.

use std::time::Duration;

use super::{ANY, Cx, Error, Flag, Offer, Parsed, Sub, attach};
use crate::{
    machine::Signal,
    runtime::{EngineError, Work},
};

/// `docker stop`'s patience.
const GRACE: u64 = 10;

const TIME: Flag = Flag::int("time", "10", "Seconds until it is killed").short("t");
const TIMEOUT: Flag = Flag::int("timeout", "10", "Seconds until it is killed").hidden();

/// `docker start`
pub const START: Sub = Sub {
    name: "start",
    usage: "start [OPTIONS] CONTAINER [CONTAINER...]",
    short: "Start stopped containers",
    flags: &[
        Flag::bool("attach", false, "Join its output").short("a"),
        Flag::bool("interactive", false, "Join its input").short("i"),
    ],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(start(cx, parsed)),
    complete: Offer::Containers,
    ..Sub::EMPTY
};

/// `docker stop`
pub const STOP: Sub = Sub {
    name: "stop",
    usage: "stop [OPTIONS] CONTAINER [CONTAINER...]",
    short: "Stop running containers",
    flags: &[TIME, TIMEOUT],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(stop(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

/// `docker restart`
pub const RESTART: Sub = Sub {
    name: "restart",
    usage: "restart [OPTIONS] CONTAINER [CONTAINER...]",
    short: "Stop containers and start them again",
    flags: &[TIME, TIMEOUT],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(restart(cx, parsed)),
    complete: Offer::Containers,
    ..Sub::EMPTY
};

/// `docker kill`
pub const KILL: Sub = Sub {
    name: "kill",
    usage: "kill [OPTIONS] CONTAINER [CONTAINER...]",
    short: "Send running containers a signal",
    flags: &[Flag::str("signal", "", "The signal; SIGKILL if none is given").short("s")],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(kill(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

/// `docker wait`
pub const WAIT: Sub = Sub {
    name: "wait",
    usage: "wait CONTAINER [CONTAINER...]",
    short: "Wait until containers stop, and print their exit codes",
    args: (1, ANY),
    run: |cx, parsed| Box::pin(wait(cx, parsed)),
    complete: Offer::Running,
    ..Sub::EMPTY
};

/// `docker rename`
pub const RENAME: Sub = Sub {
    name: "rename",
    usage: "rename CONTAINER NEW_NAME",
    short: "Give a container another name",
    args: (2, 2),
    run: |cx, parsed| Box::pin(rename(cx, parsed)),
    complete: Offer::Containers,
    ..Sub::EMPTY
};

async fn start(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    if parsed.bool("attach") || parsed.bool("interactive") {
        if parsed.args.len() > 1 {
            return Err(Error::new("you cannot start and attach multiple containers at once"));
        }
        let engine = cx.engine()?;
        let container = engine.find(&parsed.args[0])?;
        engine.takes(Work::Start).await;
        let output = attach::Output::before_start(&cx, &engine, &container, true);
        engine.launch(&container)?;
        let code = output.follow(&cx, &engine, &container, parsed.bool("interactive")).await;
        return if code == 0 { Ok(()) } else { Err(Error::code(code)) };
    }
    let result = cx
        .each(&parsed.args, |engine, container| async move {
            engine.takes(Work::Start).await;
            engine.launch(&container)
        })
        .await;
    if result.is_err() {
        cx.proc.eprint(&format!("failed to start containers: {}\n", parsed.args.join(", "))).await;
    }
    result
}

fn grace(parsed: &Parsed) -> Duration {
    let given = if parsed.changed("timeout") { "timeout" } else { "time" };
    match parsed.changed(given) {
        true => {
            Duration::from_secs(u64::try_from(parsed.int(given)).unwrap_or(u64::from(u32::MAX)))
        }
        false => Duration::from_secs(GRACE),
    }
}

async fn stop(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let grace = grace(&parsed);
    cx.each(&parsed.args, |engine, container| async move {
        engine.stop(&container, grace).await;
        Ok(())
    })
    .await
}

async fn restart(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let grace = grace(&parsed);
    cx.each(&parsed.args, |engine, container| async move {
        engine.stop(&container, grace).await;
        engine.takes(Work::Start).await;
        engine.launch(&container)
    })
    .await
}

async fn kill(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let given = parsed.str("signal").to_string();
    let signal = match given.as_str() {
        "" => Some(Signal::Kill),
        text => Signal::parse(text),
    };
    let Some(signal) = signal else {
        return Err(Error::new(format!("Error response from daemon: invalid signal: {given}")));
    };
    cx.each(&parsed.args, |engine, container| async move {
        if !container.is_running() {
            return Err(EngineError::new(format!(
                "cannot kill container: {}: container {} is not running",
                container.name.borrow(),
                container.id
            )));
        }
        engine.kill(&container, signal);
        Ok(())
    })
    .await
}

async fn wait(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    for name in &parsed.args {
        let container = engine.find(name)?;
        container.exited().await;
        cx.print(&format!("{}\n", container.status().exit_code)).await;
    }
    Ok(())
}

async fn rename(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let container = engine.find(&parsed.args[0])?;
    engine.rename(&container, &parsed.args[1])?;
    Ok(())
}
