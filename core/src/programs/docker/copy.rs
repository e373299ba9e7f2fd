//! `docker cp`.

use std::rc::Rc;

use super::{Cx, Error, Flag, Offer, Parsed, Sub, ago::size};
use crate::machine::{
    Machine,
    fs::{Files, Kind, Node, Who},
};

/// `docker cp`
pub const CP: Sub = Sub {
    name: "cp",
    usage: "cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    short: "Copy files between a container and this machine",
    flags: &[
        Flag::bool("archive", false, "Keep owners, too").short("a"),
        Flag::bool("follow-link", false, "Copy what a link points at").short("L"),
        Flag::bool("quiet", false, "Say nothing").short("q"),
    ],
    args: (2, 2),
    run: |cx, parsed| Box::pin(cp(cx, parsed)),
    complete: Offer::Nothing,
    ..Sub::EMPTY
};

/// One side: the container's name (`None`: this machine) and a path.
fn side(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((name, path)) if !name.is_empty() && !name.starts_with(['/', '.']) => {
            (Some(name), path)
        }
        _ => (None, text),
    }
}

async fn cp(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let ((from, source), (to, target)) = (side(&parsed.args[0]), side(&parsed.args[1]));
    let place = |name: Option<&str>, path: &str| -> Result<(Rc<Machine>, String), Error> {
        match name {
            None => Ok((cx.proc.machine().clone(), cx.proc.resolve(path))),
            Some(name) => {
                let container = engine.find(name)?;
                let path =
                    if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
                Ok((container.machine.clone(), path))
            }
        }
    };
    match (from, to) {
        (None, None) => return Err(Error::new("must specify at least one container source")),
        (Some(_), Some(_)) => {
            return Err(Error::new("copying between containers is not supported"));
        }
        _ if source == "-" || target == "-" => {
            return Err(Error::new("docker cp of tar streams (-) is not simulated."));
        }
        _ => {}
    }
    let (source_machine, source_path) = place(from, source)?;
    let (target_machine, mut target_path) = place(to, target)?;
    let files = source_machine.files();
    let node = match parsed.bool("follow-link") {
        true => files.stat(&source_path, Who::ROOT),
        false => files.lstat(&source_path, Who::ROOT),
    };
    let node = node.map_err(|_| match from {
        Some(name) => Error::new(format!(
            "Error response from daemon: Could not find the file {source_path} in container {name}"
        )),
        None => Error::new(format!("lstat {source_path}: no such file or directory")),
    })?;
    let there = target_machine.files().stat(&target_path, Who::ROOT).ok();
    if there.is_some_and(|n| n.is_dir()) && !source.ends_with("/.") {
        let name = source_path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        target_path = format!("{}/{name}", target_path.trim_end_matches('/'));
    }
    let mut bytes = 0;
    write(target_machine.files(), target_path.trim_end_matches('/'), &node, &mut bytes)
        .map_err(|error| Error::new(format!("Error response from daemon: {error}")))?;
    if !parsed.bool("quiet") {
        let shown = match to {
            Some(name) => format!("{name}:{target}"),
            None => cx.proc.resolve(target),
        };
        // A tar archive travels: whole blocks of 512 bytes and a kilobyte at its end.
        let text = format!("Successfully copied {} to {shown}\n", size(bytes + 1024));
        cx.proc.eprint(&text).await;
    }
    Ok(())
}

fn write(files: &Files, path: &str, node: &Node, bytes: &mut u64) -> Result<(), String> {
    let fails = |error: crate::machine::FsError| format!("{path}: {error}");
    *bytes += 512;
    match &node.kind {
        Kind::Dir(entries) => {
            if files.stat(path, Who::ROOT).is_err() {
                files.make_dir(path, node.mode, Who::ROOT).map_err(fails)?;
            }
            for (name, child) in entries {
                write(files, &format!("{path}/{name}"), child, bytes)?;
            }
        }
        Kind::File(content) => {
            *bytes += (content.len() as u64).div_ceil(512) * 512;
            files.write(path, content, node.mode, Who::ROOT).map_err(fails)?;
            let mode = node.mode;
            let _ = files.set_attributes(path, Who::ROOT, |n| n.mode = mode);
        }
        Kind::Link(target) => {
            let _ = files.remove(path, Who::ROOT);
            files.symlink(path, target, Who::ROOT).map_err(fails)?;
        }
        Kind::Device(_) | Kind::Socket(_) => {}
    }
    Ok(())
}
