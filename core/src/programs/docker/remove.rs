//! `docker rm`, `rmi` and the prunes.

use super::{ANY, Cx, Error, Flag, Offer, Parsed, Sub, ago::size};
use crate::runtime::Reference;

/// `docker rm`
pub const RM: Sub = Sub {
    name: "rm",
    usage: "rm [OPTIONS] CONTAINER [CONTAINER...]",
    short: "Remove containers",
    flags: &[
        Flag::bool("force", false, "Even those that run").short("f"),
        Flag::bool("volumes", false, "Their nameless volumes, too").short("v"),
    ],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(rm(cx, parsed)),
    complete: Offer::Containers,
    ..Sub::EMPTY
};

/// `docker rmi`
pub const RMI: Sub = Sub {
    name: "rmi",
    usage: "rmi [OPTIONS] IMAGE [IMAGE...]",
    short: "Remove images",
    flags: &[
        Flag::bool("force", false, "Even those that stopped containers use").short("f"),
        Flag::bool("no-prune", false, "Keep nameless parents (there are none)"),
    ],
    args: (1, ANY),
    run: |cx, parsed| Box::pin(rmi(cx, parsed)),
    complete: Offer::Images,
    ..Sub::EMPTY
};

/// `docker container prune`
pub const PRUNE_CONTAINERS: Sub = Sub {
    name: "container prune",
    usage: "container prune [OPTIONS]",
    short: "Remove all stopped containers",
    flags: &[Flag::bool("force", false, "Don't ask").short("f")],
    run: |cx, parsed| Box::pin(prune_containers(cx, parsed)),
    ..Sub::EMPTY
};

/// `docker image prune`
pub const PRUNE_IMAGES: Sub = Sub {
    name: "image prune",
    usage: "image prune [OPTIONS]",
    short: "Remove images that nothing uses",
    flags: &[
        Flag::bool("all", false, "Those with names, too").short("a"),
        Flag::bool("force", false, "Don't ask").short("f"),
    ],
    run: |cx, parsed| Box::pin(prune_images(cx, parsed)),
    ..Sub::EMPTY
};

async fn rm(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let force = parsed.bool("force");
    if force {
        // What is not there is no failure when forced, only told.
        let engine = cx.engine()?;
        for name in &parsed.args {
            match engine.find(name) {
                Ok(container) => {
                    engine.remove(&container, true)?;
                    cx.print(&format!("{name}\n")).await;
                }
                Err(error) => {
                    let text = format!("Error response from daemon: {}\n", error.message);
                    cx.proc.eprint(&text).await;
                }
            }
        }
        return Ok(());
    }
    cx.each(&parsed.args, |engine, container| async move { engine.remove(&container, false) }).await
}

async fn rmi(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let mut failed = false;
    for name in &parsed.args {
        match remove_image(&engine, name, parsed.bool("force")) {
            Ok(lines) => cx.print(&lines).await,
            Err(text) => {
                failed = true;
                cx.proc.eprint(&format!("Error response from daemon: {text}\n")).await;
            }
        }
    }
    if failed { Err(Error::code(1)) } else { Ok(()) }
}

/// Takes a name away, and the image with the last one. Models `ImageDelete`.
fn remove_image(
    engine: &crate::runtime::Engine,
    name: &str,
    force: bool,
) -> Result<String, String> {
    let images = engine.images();
    let missing = || {
        let full = Reference::parse(name).map_or(name.to_string(), |r| r.familiar());
        format!("No such image: {full}")
    };
    let image = images.find(name).ok_or_else(missing)?;
    let tags: Vec<String> =
        images.list().into_iter().find(|r| r.image.id == image.id).map_or(Vec::new(), |r| r.tags);
    let familiar = Reference::parse(name).map(|r| r.familiar()).unwrap_or_default();
    let by_name = tags.contains(&familiar);
    let user = |running: bool| {
        let mut all = engine.containers().into_iter();
        all.find(|c| c.image.id == image.id && (!running || c.is_running()))
    };
    let mut lines = String::new();
    if by_name && tags.len() > 1 {
        if let Ok(reference) = Reference::parse(name) {
            images.untag(&reference);
        }
        return Ok(format!("Untagged: {familiar}\n"));
    }
    let what = if by_name { "remove repository reference" } else { "delete" };
    let shown = if by_name { format!("\"{name}\"") } else { image.short_id().to_string() };
    if let Some(container) = user(true) {
        return Err(format!(
            "conflict: unable to {what} {shown} ({}) - container {} is using its referenced image {}",
            if by_name { "must force" } else { "cannot be forced" },
            container.short_id(),
            image.short_id()
        ));
    }
    if let Some(container) = user(false).filter(|_| !force) {
        return Err(format!(
            "conflict: unable to {what} {shown} (must force) - container {} is using its \
             referenced image {}",
            container.short_id(),
            image.short_id()
        ));
    }
    if !by_name && tags.len() > 1 && !force {
        return Err(format!(
            "conflict: unable to delete {shown} (must be forced) - image is referenced in multiple \
             repositories"
        ));
    }
    let digests = images
        .list()
        .into_iter()
        .find(|r| r.image.id == image.id)
        .map_or(Vec::new(), |r| r.digests);
    for name in tags.iter().chain(&digests) {
        lines.push_str(&format!("Untagged: {name}\n"));
    }
    lines.push_str(&format!("Deleted: {}\n", image.id));
    for layer in images.remove(&image.id) {
        lines.push_str(&format!("Deleted: {layer}\n"));
    }
    Ok(lines)
}

async fn confirm(cx: &Cx, parsed: &Parsed, warning: &str) -> bool {
    if parsed.bool("force") {
        return true;
    }
    cx.print(&format!("WARNING! {warning}\nAre you sure you want to continue? [y/N] ")).await;
    let answer = cx.proc.read_line().await.unwrap_or_default();
    answer.trim().eq_ignore_ascii_case("y")
}

async fn prune_containers(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    if !confirm(&cx, &parsed, "This will remove all stopped containers.").await {
        return Ok(());
    }
    let mut gone = Vec::new();
    for container in engine.containers() {
        if !container.is_running() && engine.remove(&container, false).is_ok() {
            gone.push(container.id.clone());
        }
    }
    if !gone.is_empty() {
        cx.print(&format!("Deleted Containers:\n{}\n\n", gone.join("\n"))).await;
    }
    cx.print("Total reclaimed space: 0B\n").await;
    Ok(())
}

async fn prune_images(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let all = parsed.bool("all");
    let warning = match all {
        true => "This will remove all images without at least one container associated to them.",
        false => "This will remove all dangling images.",
    };
    if !confirm(&cx, &parsed, warning).await {
        return Ok(());
    }
    let used: Vec<String> = engine.containers().iter().map(|c| c.image.id.clone()).collect();
    let (mut freed, mut lines) = (0, String::new());
    for row in engine.images().list() {
        if used.contains(&row.image.id) || (!all && !row.tags.is_empty()) {
            continue;
        }
        freed += row.image.size();
        for name in row.tags.iter().chain(&row.digests) {
            lines.push_str(&format!("untagged: {name}\n"));
        }
        lines.push_str(&format!("deleted: {}\n", row.image.id));
        for layer in engine.images().remove(&row.image.id) {
            lines.push_str(&format!("deleted: {layer}\n"));
        }
    }
    if !lines.is_empty() {
        cx.print(&format!("Deleted Images:\n{lines}\n")).await;
    }
    cx.print(&format!("Total reclaimed space: {}\n", size(freed))).await;
    Ok(())
}
