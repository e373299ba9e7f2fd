//! `kubectl cp`: files to and from containers, as archives that a `tar` in the container makes or
//! takes. Models `k8s.io/kubectl/pkg/cmd/cp`.

use std::time::Duration;

use crate::{
    client::{ExecOptions, ExecStreams},
    machine::fs::Kind,
    programs::{
        kubectl::{
            Conn, Cx, Error,
            flags::{Command, Complete, Flag, Parsed},
            pods, stream,
        },
        support::archive::{self, Member, MemberKind, Reader},
        tar::make_parents,
    },
    sim::{Either, race},
};

/// `kubectl cp`
pub static COMMAND: Command = Command {
    name: "cp",
    usage: "cp <file-spec-src> <file-spec-dest>",
    short: "Copy files to and from containers",
    long: "Copy files and folders to and from containers.\n\nA place in a container is written \
           [NAMESPACE/]POD:PATH. The container needs a tar program.",
    examples: "# A page into the pod web\nkubectl cp index.html web:/usr/share/nginx/html/index.html\n\n\
               # A folder out of it\nkubectl cp web:/etc/nginx ./nginx\n\n\
               # Out of a certain container of a pod in another namespace\n\
               kubectl cp shop/web:/tmp/log ./log -c sidecar",
    flags: &[&[
        Flag::str("container", "", "The container; without it the pod's default one.").short("c"),
        Flag::bool("no-preserve", false, "Do not keep owners and modes in the container."),
        Flag::int(
            "retries",
            "0",
            "How often a copy out of a container goes on where it broke off; negative: for ever.",
        ),
    ]],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Pods,
    ..Command::EMPTY
};

/// One side of a copy.
struct Spec {
    namespace: String,
    pod: String,
    path: String,
}

/// `[NAMESPACE/]POD:PATH` or `PATH`.
fn spec(text: &str) -> Result<Spec, Error> {
    let wrong = "filespec must match the canonical format: [[namespace/]pod:]file/path";
    let strip = |path: &str| path.strip_suffix('/').unwrap_or(path).to_owned();
    let Some((pod, path)) = text.split_once(':') else {
        return Ok(Spec { namespace: String::new(), pod: String::new(), path: strip(text) });
    };
    let pieces: Vec<&str> = pod.split('/').collect();
    let (namespace, pod) = match pieces.as_slice() {
        [""] => return Err(Error::plain(wrong)),
        [pod] => ("", *pod),
        [namespace, pod] => (*namespace, *pod),
        _ => return Err(Error::plain(wrong)),
    };
    Ok(Spec { namespace: namespace.into(), pod: pod.into(), path: strip(path) })
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let [from, to] = p.args.as_slice() else {
        return Err(Error::plain("source and destination are required"));
    };
    let conn = cx.connect(&p, 0)?;
    let (from, to) = (spec(from)?, spec(to)?);
    if !from.pod.is_empty() && !to.pod.is_empty() {
        return Err(Error::plain("one of src or dest must be a local file specification"));
    }
    if from.path.is_empty() || to.path.is_empty() {
        return Err(Error::plain("filepath can not be empty"));
    }
    if !from.pod.is_empty() {
        return out_of_pod(&cx, &conn, &p, &from, &to.path).await;
    }
    if !to.pod.is_empty() {
        return into_pod(&cx, &conn, &p, &from.path, &to).await;
    }
    Err(Error::plain("one of src or dest must be a remote file specification"))
}

/// Starts a command in the container that is meant.
async fn start(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    place: &Spec,
    command: Vec<String>,
    stdin: bool,
) -> Result<ExecStreams, Error> {
    use k8s_openapi::api::core::v1::Pod;
    let namespace = if place.namespace.is_empty() { &conn.namespace } else { &place.namespace };
    let pod = conn.client.get::<Pod>(namespace, &place.pod)?;
    let phase = pods::phase(&pod);
    if ["Succeeded", "Failed"].contains(&phase) {
        return Err(Error::plain(format!(
            "cannot exec into a container in a completed pod; current phase is {phase}"
        )));
    }
    let (container, note) = pods::container(&pod, p.str("container"))?;
    if let Some(note) = note {
        cx.err(&note).await;
    }
    let options = ExecOptions { container: Some(container), command, stdin, tty: None };
    conn.client.exec(namespace, &place.pod, &options).map_err(stream::refused)
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|w| (*w).to_owned()).collect()
}

/// The folder of a path, as `path.Dir` has it.
fn folder(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn join(folder: &str, name: &str) -> String {
    clean(&format!("{folder}/{name}"))
}

/// A path without `.`, `..` and double slashes, as `path.Clean` has it.
fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|p| !p.is_empty() && *p != ".") {
        match (part, parts.last()) {
            ("..", Some(&last)) if last != ".." => drop(parts.pop()),
            ("..", None) if absolute => {}
            _ => parts.push(part),
        }
    }
    match (absolute, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".into(),
        (false, rest) => rest,
    }
}

async fn into_pod(cx: &Cx, conn: &Conn, p: &Parsed, from: &str, to: &Spec) -> Result<(), Error> {
    if !cx.proc.exists(from) {
        return Err(Error::plain(format!("{from} doesn't exist in local filesystem")));
    }
    let mut target = to.path.clone();
    if is_folder(cx, conn, p, to).await? {
        target = join(&target, base(from));
    }
    let target = clean(&target);
    let mut command = match p.bool("no-preserve") {
        true => words(&["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"]),
        false => words(&["tar", "-xmf", "-"]),
    };
    command.extend(words(&["-C", folder(&target)]));
    let mut bytes = Vec::new();
    collect(cx, &clean(from), base(&target), &mut bytes)?;
    bytes.extend(archive::end());
    let mut streams = start(cx, conn, p, to, command, true).await?;
    if let Some(stdin) = streams.stdin.take() {
        for piece in bytes.chunks(32_768) {
            stdin.send(piece.to_vec());
        }
    }
    while let Some((fd, bytes)) = streams.output.recv().await {
        cx.write(if fd == 2 { 2 } else { 1 }, &bytes).await;
    }
    stream::outcome(streams.exit.recv().await.unwrap_or(0))
}

/// Whether the destination is a folder there; nothing of the question is shown.
async fn is_folder(cx: &Cx, conn: &Conn, p: &Parsed, to: &Spec) -> Result<bool, Error> {
    let Ok(mut streams) = start(cx, conn, p, to, words(&["test", "-d", &to.path]), false).await
    else {
        return Ok(false);
    };
    let ended = async {
        while streams.output.recv().await.is_some() {}
        streams.exit.recv().await.unwrap_or(1)
    };
    match race(ended, cx.proc.sleep(Duration::from_secs(30))).await {
        Either::Left(code) => Ok(code == 0),
        Either::Right(()) => Err(Error::plain("context deadline exceeded")),
    }
}

/// A file or tree of this machine under a name in the archive. Folders are members only where they
/// are empty.
fn collect(cx: &Cx, path: &str, name: &str, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let mut todo = vec![(path.to_owned(), name.to_owned())];
    while let Some((path, name)) = todo.pop() {
        let told = |error| Error::plain(format!("open {path}: {error}"));
        let node = cx.proc.lstat(&path).map_err(told)?;
        let kind = match &node.kind {
            Kind::Dir(_) => {
                let list = cx.proc.list(&path).map_err(told)?;
                let inner = list.iter().rev().map(|(n, _)| (join(&path, n), format!("{name}/{n}")));
                todo.extend(inner);
                if !list.is_empty() {
                    continue;
                }
                MemberKind::Dir
            }
            Kind::Link(target) => MemberKind::Link(target.to_string()),
            Kind::File(_) => MemberKind::File(cx.proc.read_file(&path).map_err(told)?),
            Kind::Device(_) | Kind::Socket(_) => MemberKind::File(Vec::new()),
        };
        let (mode, uid, gid, mtime) = (node.mode, node.uid, node.gid, node.mtime.as_secs());
        bytes.extend(archive::encode(&Member { name, mode, uid, gid, mtime, kind }));
    }
    Ok(())
}

async fn out_of_pod(cx: &Cx, conn: &Conn, p: &Parsed, from: &Spec, to: &str) -> Result<(), Error> {
    let mut copy = Copy {
        prefix: strip_shortcuts(&clean(from.path.trim_start_matches('/'))),
        from,
        to: to.to_owned(),
        told_link: false,
    };
    let tries = p.int("retries");
    let (mut read, mut tried, mut reader) = (0, 0, Reader::default());
    loop {
        let command = match tries {
            0 => words(&["tar", "cf", "-", &from.path]),
            _ => {
                let path = from.path.replace('\'', r"'\''");
                let at = if read == 0 { 0 } else { read + 1 };
                words(&["sh", "-c", &format!("tar cf - '{path}' | tail -c+{at}")])
            }
        };
        let mut streams = start(cx, conn, p, from, command, false).await?;
        while let Some((fd, bytes)) = streams.output.recv().await {
            if fd == 2 {
                cx.out(&String::from_utf8_lossy(&bytes)).await;
                continue;
            }
            read += bytes.len();
            reader.push(&bytes);
            while let Some(member) = reader.next_member().map_err(Error::plain)? {
                copy.put(cx, member).await?;
            }
        }
        if reader.ended() {
            // All of it has come; how tar ended no longer matters.
            return Ok(());
        }
        let code = streams.exit.recv().await.unwrap_or(0);
        if tries < 0 || tried < tries {
            tried += 1;
            let text = format!("Resuming copy at {read} bytes, retry {tried}/{tries}\n");
            cx.out(&text).await;
            continue;
        }
        stream::outcome(code)?;
        cx.out(&format!("Dropping out copy after {tried} retries\n")).await;
        return match reader.is_empty() {
            true => Ok(()),
            false => Err(Error::plain("unexpected EOF")),
        };
    }
}

/// A copy out of a container.
struct Copy<'a> {
    prefix: String,
    from: &'a Spec,
    to: String,
    told_link: bool,
}

impl Copy<'_> {
    async fn put(&mut self, cx: &Cx, member: Member) -> Result<(), Error> {
        let name = member.name.trim_end_matches('/');
        let Some(rest) = name.strip_prefix(&self.prefix) else {
            return Err(Error::plain("tar contents corrupted"));
        };
        let to = clean(&format!("{}/{rest}", self.to));
        let base = clean(&self.to);
        let inside = to == base
            || base == "."
            || to.strip_prefix(base.trim_end_matches('/')).is_some_and(|r| r.starts_with('/'));
        if !inside || to.split('/').any(|p| p == "..") && !base.contains("..") {
            let text = format!("warning: file {to:?} is outside target destination, skipping\n");
            cx.err(&text).await;
            return Ok(());
        }
        let failed = |error| Error::plain(format!("open {to}: {error}"));
        make_parents(&cx.proc, &to).map_err(failed)?;
        match member.kind {
            MemberKind::Dir if cx.proc.is_dir(&to) => Ok(()),
            MemberKind::Dir => cx.proc.make_dir(&to).map_err(failed),
            MemberKind::Link(target) => {
                let hint = if self.told_link { String::new() } else { self.hint() };
                self.told_link = true;
                cx.err(&format!("warning: skipping symlink: {to:?} -> {target:?}{hint}\n")).await;
                Ok(())
            }
            MemberKind::File(data) => cx.proc.write_file(&to, &data).map_err(|error| {
                let error = error.to_string();
                let mut chars = error.chars();
                let first: String = chars.next().into_iter().flat_map(char::to_lowercase).collect();
                Error::plain(format!("open {to}: {first}{}", chars.as_str()))
            }),
        }
    }

    fn hint(&self) -> String {
        let Spec { namespace, pod, path } = self.from;
        format!(
            " (consider using \"kubectl exec -n {namespace:?} {pod:?} -- tar cf - {path:?} | tar xf -\")"
        )
    }
}

/// What is left of a path without `../` at its beginning.
fn strip_shortcuts(path: &str) -> String {
    let mut rest = path;
    while let Some(next) = rest.strip_prefix("../") {
        rest = next;
    }
    match rest {
        "." | ".." => String::new(),
        rest => rest.trim_start_matches('/').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, want) in
            [("/a//b/./c/..", "/a/b"), ("a/../..", ".."), ("", "."), ("/../x", "/x"), ("./x", "x")]
        {
            assert_eq!(clean(path), want, "{path}");
        }
        assert_eq!(strip_shortcuts("../../etc/passwd"), "etc/passwd");
    }
}
