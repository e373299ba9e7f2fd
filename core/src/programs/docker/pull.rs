//! `docker pull`, and the pull that `docker run` does.

use std::{cell::RefCell, rc::Rc};

use super::{ANY, Cx, Error, Flag, Offer, Parsed, Sub, ago::size, images::short};
use crate::{
    machine::Tty,
    runtime::{Engine, Image, PullEvent, PullState, Reference},
};

/// `docker pull`
pub const PULL: Sub = Sub {
    name: "pull",
    usage: "pull [OPTIONS] NAME[:TAG|@DIGEST]",
    short: "Get an image from its registry",
    flags: &[Flag::bool("quiet", false, "No progress").short("q")],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(pull(cx, parsed)),
    common: true,
    complete: Offer::Images,
    ..Sub::EMPTY
};

async fn pull(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    if parsed.args.len() > 1 {
        return Err(Error::new(
            "docker: 'docker pull' requires 1 argument\n\nUsage:  docker pull [OPTIONS] \
             NAME[:TAG|@DIGEST]\n\nRun 'docker pull --help' for more information",
        ));
    }
    let engine = cx.engine()?;
    let name = &parsed.args[0];
    let reference = Reference::parse(name).map_err(Error::new)?;
    let quiet = parsed.bool("quiet");
    let tagged = name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    if !quiet && !tagged {
        cx.print("Using default tag: latest\n").await;
    }
    fetch(&cx, &engine, &reference, if quiet { 0 } else { 1 }).await?;
    cx.print(&format!("{reference}\n")).await;
    Ok(())
}

/// Pulls an image and shows how that goes on a descriptor (0: nowhere).
pub async fn fetch(
    cx: &Cx,
    engine: &Engine,
    reference: &Reference,
    fd: u8,
) -> Result<Rc<Image>, Error> {
    let tag = reference.tag.as_deref().or(reference.digest.as_deref()).unwrap_or("latest");
    let tty = cx.proc.io().get(fd).tty().cloned().filter(|_| fd > 0);
    let show = Rc::new(RefCell::new(Show { lines: Vec::new(), tty, plain: Vec::new() }));
    let head = format!("{tag}: Pulling from {}\n", reference.path);
    let into = show.clone();
    let began = std::cell::Cell::new(false);
    let (proc, said) = (cx.proc.clone(), head.clone());
    let progress: Rc<dyn Fn(&PullEvent)> = Rc::new(move |event| {
        if !began.replace(true)
            && let Some(tty) = &into.borrow().tty
        {
            tty.write(said.as_bytes());
        }
        into.borrow_mut().event(event);
        let _ = &proc;
    });
    let result = engine.images().pull(reference, (fd > 0).then_some(progress)).await;
    let pulled = result
        .map_err(|error| Error::new(format!("Error response from daemon: {}", error.docker())))?;
    if fd > 0 {
        let (has_tty, lines, plain) = {
            let show = show.borrow();
            (show.tty.is_some(), show.lines.len(), show.plain.concat())
        };
        if !has_tty || lines == 0 {
            cx.proc.write(fd, (head + &plain).as_bytes()).await;
        }
        let name = reference.familiar();
        let what = match pulled.up_to_date {
            true => "Image is up to date",
            false => "Downloaded newer image",
        };
        let text = format!("Digest: {}\nStatus: {what} for {name}\n", pulled.image.digest);
        cx.proc.write(fd, text.as_bytes()).await;
    }
    Ok(pulled.image)
}

/// The lines of a pull, one a layer; on a terminal they change in place.
struct Show {
    lines: Vec<(String, String)>,
    tty: Option<Tty>,
    /// What goes to a file, where nothing changes in place.
    plain: Vec<String>,
}

impl Show {
    fn event(&mut self, event: &PullEvent) {
        let id = short(&event.layer.digest).to_string();
        let total = event.layer.compressed();
        let state = match event.state {
            PullState::Exists => "Already exists".to_string(),
            PullState::Queued => "Pulling fs layer".to_string(),
            PullState::Downloading(done) => {
                format!("Downloading [{}]  {}/{}", bar(done, total), size(done), size(total))
            }
            PullState::Downloaded => "Download complete".to_string(),
            PullState::Extracting => {
                format!("Extracting [{}]  {}/{}", bar(1, 1), size(total), size(total))
            }
            PullState::Complete => "Pull complete".to_string(),
        };
        let changes = matches!(event.state, PullState::Downloading(_) | PullState::Extracting);
        if self.tty.is_none() && !changes {
            self.plain.push(format!("{id}: {state}\n"));
        }
        match self.lines.iter().position(|(known, _)| *known == id) {
            Some(place) => {
                self.lines[place].1.clone_from(&state);
                if let Some(tty) = &self.tty {
                    let up = self.lines.len() - place;
                    tty.write(format!("\x1b[{up}A\x1b[2K\r{id}: {state}\r\x1b[{up}B").as_bytes());
                }
            }
            None => {
                if let Some(tty) = &self.tty {
                    tty.write(format!("{id}: {state}\n").as_bytes());
                }
                self.lines.push((id, state));
            }
        }
    }
}

/// `=====>      `: fifty characters.
fn bar(done: u64, total: u64) -> String {
    let full = usize::try_from(done.saturating_mul(50) / total.max(1)).unwrap_or(50).min(50);
    let head = if full == 50 { "=".repeat(50) } else { "=".repeat(full) + ">" };
    format!("{head:<50}")
}
