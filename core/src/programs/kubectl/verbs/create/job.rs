//! `kubectl create job`, `kubectl create cronjob`.

use serde_json::{Value, json};

use super::{SHARED, finish, with_command};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Flag, Parsed},
    write,
};

/// `kubectl create job`
pub(super) static JOB: Command = Command {
    name: "job",
    usage: "job NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...]",
    short: "Create a job",
    examples: "# Print the date once\nkubectl create job once --image=busybox -- date",
    flags: &[
        &[
            Flag::str("from", "", "The cron job whose job is to be made now."),
            Flag::str("image", "", "The container's image."),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(job(cx, p))),
    ..Command::EMPTY
};

async fn job(cx: Cx, p: Parsed) -> Result<(), Error> {
    let (name, command) = with_command(&p)?;
    let (image, from) = (p.str("image"), p.str("from"));
    match (image.is_empty(), from.is_empty()) {
        (true, true) | (false, false) => {
            return Err(Error::plain("either --image or --from must be specified"));
        }
        (true, false) => {
            if !command.is_empty() {
                return Err(Error::plain("cannot specify --from and command"));
            }
            return from_cronjob(cx, p, &name).await;
        }
        (false, true) => {}
    }
    let spec = pod(&name, image, &command, "Never");
    let object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {"metadata": {}, "spec": spec}}, "status": {}});
    finish(cx, p, object, "failed to create job").await
}

fn pod(name: &str, image: &str, command: &[String], restart: &str) -> Value {
    let mut container = json!({"name": name, "image": image, "resources": {}});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    json!({"containers": [container], "restartPolicy": restart})
}

async fn from_cronjob(cx: Cx, p: Parsed, name: &str) -> Result<(), Error> {
    let conn = cx.connect(&p, 5)?;
    let args = vec![p.str("from").to_owned()];
    let query = crate::programs::kubectl::resources::Query::default();
    let selected = crate::programs::kubectl::resources::select(&conn, &args, &query)?;
    let (found, errors) = crate::programs::kubectl::resources::fetch(&conn, &selected, &query);
    Error::collect(errors)?;
    let Some(owner) = found.first().map(|o| o.to_value()) else {
        return Err(Error::plain("--from must be an existing cronjob"));
    };
    if owner["kind"] != "CronJob" {
        return Err(Error::plain("from must be an existing cronjob"));
    }
    let template = owner["spec"]["jobTemplate"].clone();
    let mut annotations = template["metadata"]["annotations"].clone();
    if let Some(map) = write::map_at(&mut annotations, &[]) {
        map.insert("cronjob.kubernetes.io/instantiate".into(), "manual".into());
    }
    let mut object = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": annotations, "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "CronJob", "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "controller": true}]},
        "spec": template["spec"], "status": {}});
    if let Some(labels) = template["metadata"].get("labels") {
        object["metadata"]["labels"] = labels.clone();
    }
    finish(cx, p, object, "failed to create job").await
}

/// `kubectl create cronjob`
pub(super) static CRONJOB: Command = Command {
    name: "cronjob",
    aliases: &["cj"],
    usage: "cronjob NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags]",
    short: "Create a cron job",
    examples: "# Print the date every five minutes\n\
               kubectl create cronjob tick --image=busybox --schedule=@hourly -- date",
    flags: &[
        &[
            Flag::str("image", "", "The container's image.").required(),
            Flag::str("restart", "", "The pods' restart policy: OnFailure (the default) or Never."),
            Flag::str("schedule", "", "When, in cron's form.").required(),
        ],
        SHARED,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(cronjob(cx, p))),
    ..Command::EMPTY
};

async fn cronjob(cx: Cx, p: Parsed) -> Result<(), Error> {
    let (name, command) = with_command(&p)?;
    let restart = if p.str("restart").is_empty() { "OnFailure" } else { p.str("restart") };
    let spec = pod(&name, p.str("image"), &command, restart);
    let template = json!({"metadata": {"name": name},
        "spec": {"template": {"metadata": {}, "spec": spec}}});
    let object = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"schedule": p.str("schedule"), "jobTemplate": template}, "status": {}});
    finish(cx, p, object, "failed to create cronjob").await
}
