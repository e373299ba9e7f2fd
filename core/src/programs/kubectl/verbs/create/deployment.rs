//! `kubectl create deployment`.

use serde_json::{Value, json};

use super::{SHARED, finish, with_command};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    write,
};

/// `kubectl create deployment`
pub(super) static COMMAND: Command = Command {
    name: "deployment",
    aliases: &["deploy"],
    usage: "deployment NAME --image=image -- [COMMAND] [args...]",
    short: "Create a deployment",
    examples: "# One pod that runs nginx\nkubectl create deployment web --image=nginx\n\n\
               # Three pods with a command of their own\n\
               kubectl create deployment web --image=busybox --replicas=3 -- date",
    flags: &[
        &[
            Flag::slice("image", "The containers' images.").required(),
            Flag::int32("port", "-1", "The port that the container listens on."),
            Flag::int32("replicas", "1", "How many pods.").short("r"),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let (name, command) = with_command(&p)?;
    let images = p.list("image");
    if images.len() > 1 && !command.is_empty() {
        return Err(Error::plain("cannot specify multiple --image options and command"));
    }
    let mut containers: Vec<Value> = Vec::new();
    for image in images {
        let mut container =
            json!({"name": container_name(&cx, image), "image": image, "resources": {}});
        if !command.is_empty() {
            container["command"] = json!(command);
        }
        containers.push(container);
    }
    if p.int("port") >= 0 {
        if let Some(first) = containers.first_mut() {
            first["ports"] = json!([{"containerPort": p.int("port")}]);
        }
    }
    let labels = json!({"app": name});
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": p.int("replicas"),
            "selector": {"matchLabels": labels},
            "strategy": {},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
        "status": {},
    });
    finish(cx, p, object, "failed to create deployment").await
}

/// A container's name from its image: the last part of the path, without tag and digest. What can't
/// stand in a name is replaced, and then something by chance added.
fn container_name(cx: &Cx, image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    let last = last.split([':', '@']).next().unwrap_or(last);
    if !last.contains(['_', '.']) {
        return last.to_owned();
    }
    let suffix = crate::api::names::random_suffix(cx.proc.sim(), 5);
    format!("{}-{suffix}", last.replace(['_', '.'], "-"))
}
