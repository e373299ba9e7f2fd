//! `kubectl set image`.

use serde_json::Value;

use super::{RECORDING, SHARED, divide, objects, pod_spec, send};
use crate::{
    api::gofmt::quote,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Parsed},
        manifest,
        write::{self, DryRun},
    },
};

/// `kubectl set image`
pub(super) static COMMAND: Command = Command {
    name: "image",
    usage: "image (-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... \
            CONTAINER_NAME_N=CONTAINER_IMAGE_N",
    short: "Change the images of a pod template",
    examples: "# Another image for the container nginx\n\
               kubectl set image deployment/web nginx=nginx:1.26\n\n\
               # For all containers\nkubectl set image deployment/web *=nginx:1.26",
    flags: &[SHARED, RECORDING, manifest::FLAGS, write::OUTPUT],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    let (args, specs) = divide(&p.args);
    let mut images: Vec<(String, String)> = Vec::new();
    for spec in &specs {
        let (name, image) = spec
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("invalid image format: {spec}")))?;
        images.push((name.to_owned(), image.to_owned()));
    }
    if args.is_empty() && !manifest::given(&p) {
        return Err(Error::plain(crate::programs::kubectl::resources::MISSING));
    }
    let (place, found) = objects(&cx, &p, &args, dry_run).await?;
    if images.is_empty() {
        return Err(Error::plain("at least one image update is required"));
    }
    if images.len() > 1 && images.iter().any(|(n, _)| n == "*") {
        return Err(Error::plain(
            "all containers are already specified by *, but saw more than one \
            container_name=container_image pairs",
        ));
    }
    let mut errors = Vec::new();
    for thing in found {
        let mut new = thing.object.clone();
        let spec = match pod_spec(&thing, &mut new) {
            Ok(spec) => spec,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        for (name, image) in &images {
            if !set(spec, name, image) {
                let text = format!("error: unable to find container named {}", quote(name));
                errors.push(Error::Plain(text));
            }
        }
        write::record(&p, &mut new);
        let how = ("image updated", "failed to patch image update to pod template:", dry_run);
        errors.extend(send(&cx, &place, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}

fn set(spec: &mut Value, name: &str, image: &str) -> bool {
    let mut found = false;
    for field in ["initContainers", "containers"] {
        let list = spec.get_mut(field).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten() {
            if name == "*" || container["name"] == name {
                container["image"] = image.into();
                found = true;
            }
        }
    }
    found
}
