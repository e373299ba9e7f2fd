//! `docker run` and `docker create`.

use std::rc::Rc;

use super::{ANY, Cx, Error, Offer, Parsed, Sub, attach, pull, run_flags};
use crate::runtime::{Container, Engine, PortBinding, Reference, Work};

/// `docker run`
pub const RUN: Sub = Sub {
    name: "run",
    usage: "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
    short: "Create and run a new container from an image",
    flags: run_flags::FLAGS,
    leading: true,
    args: (1, ANY),
    run: |cx, parsed| Box::pin(run(cx, parsed)),
    common: true,
    complete: Offer::Images,
};

/// `docker create`
pub const CREATE: Sub = Sub {
    name: "create",
    usage: "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
    short: "Create a new container",
    flags: run_flags::FLAGS,
    leading: true,
    args: (1, ANY),
    run: |cx, parsed| Box::pin(create(cx, parsed)),
    common: false,
    complete: Offer::Images,
};

/// As `docker run` words what fails: its own name first, a hint last.
fn refused(name: &str, error: Error) -> Error {
    let text = match error.text.strip_prefix("docker: ") {
        Some(rest) => rest.to_string(),
        None => error.text,
    };
    let code = if error.code == 1 { 125 } else { error.code };
    let text = format!("docker: {text}\n\nRun 'docker {name} --help' for more information");
    Error { text, code }
}

async fn make(cx: &Cx, parsed: &Parsed) -> Result<(Engine, Rc<Container>), Error> {
    let engine = cx.engine()?;
    let name = &parsed.args[0];
    let reference = match Reference::parse(name) {
        Ok(reference) => Some(reference),
        Err(error) if engine.images().find(name).is_none() => return Err(Error::new(error)),
        Err(_) => None,
    };
    let policy = parsed.str("pull");
    let here = engine.images().find(name);
    let quiet = parsed.bool("quiet");
    let image = match (here, policy, reference) {
        (Some(image), "missing" | "never", _) => image,
        (_, "always" | "missing", Some(reference)) => {
            if policy == "missing" && !quiet {
                let text = format!("Unable to find image '{}' locally\n", reference.familiar());
                cx.proc.eprint(&text).await;
            }
            pull::fetch(cx, &engine, &reference, if quiet { 0 } else { 2 }).await?
        }
        (_, "never", reference) => {
            let name = reference.map_or(name.clone(), |r| r.familiar());
            return Err(Error::new(format!("Error response from daemon: No such image: {name}")));
        }
        _ => {
            return Err(Error::new(format!(
                "invalid pull option: '{policy}': must be one of \"always\", \"missing\" or \"never\""
            )));
        }
    };
    let mut spec = run_flags::spec(cx, &engine, parsed)?;
    if parsed.bool("publish-all") {
        let ports = image.config.exposed.iter().filter_map(|e| e.split('/').next()?.parse().ok());
        spec.ports.extend(ports.map(|port| PortBinding {
            host_ip: None,
            host_port: 0,
            port,
            udp: false,
        }));
    }
    engine.takes(Work::Create).await;
    let container = engine.create(&image, spec)?;
    Ok((engine, container))
}

async fn create(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let (_, container) = make(&cx, &parsed).await.map_err(|e| refused("create", e))?;
    cx.print(&format!("{}\n", container.id)).await;
    Ok(())
}

async fn run(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let tty = parsed.bool("tty");
    let interactive = parsed.bool("interactive");
    let detach = parsed.bool("detach");
    if tty && interactive && !detach && cx.proc.tty().is_none() {
        return Err(Error { text: "the input device is not a TTY".into(), code: 1 });
    }
    let (engine, container) = make(&cx, &parsed).await.map_err(|e| refused("run", e))?;
    engine.takes(Work::Start).await;
    let output = attach::Output::before_start(&cx, &engine, &container, !detach);
    if let Err(error) = engine.launch(&container) {
        let code = error.code;
        if container.spec.auto_remove {
            let _ = engine.remove(&container, true);
        }
        let error = Error { code, ..Error::from(error) };
        return Err(refused("run", error));
    }
    if detach {
        cx.print(&format!("{}\n", container.id)).await;
        return Ok(());
    }
    let code = output.follow(&cx, &engine, &container, interactive).await;
    match code {
        0 => Ok(()),
        code => Err(Error::code(code)),
    }
}
