//! `kubectl set resources`.

use serde_json::{Map, Value};

use super::{RECORDING, SHARED, fits, objects, pod_spec, send};
use crate::programs::kubectl::{
    Cx, Error,
    flags::{Command, Complete, Flag, Parsed},
    manifest,
    write::{self, DryRun},
};

/// `kubectl set resources`
pub(super) static COMMAND: Command = Command {
    name: "resources",
    usage: "resources (-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]",
    short: "Change what containers of a pod template need and may use",
    examples: "# A tenth of a processor at least, a fifth at most\n\
               kubectl set resources deployment/web --requests=cpu=100m --limits=cpu=200m",
    flags: &[
        &[
            Flag::str(
                "containers",
                "*",
                "Only containers with these names; * stands for any text.",
            )
            .short("c"),
            Flag::str("limits", "", "What they may use: cpu=200m,memory=128Mi; 0 removes one."),
            Flag::str("requests", "", "What they need: cpu=100m,memory=64Mi; 0 removes one."),
        ],
        SHARED,
        RECORDING,
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

fn quantities(text: &str) -> Result<Map<String, Value>, Error> {
    let mut map = Map::new();
    for part in text.split(',').filter(|s| !s.is_empty()) {
        let (name, amount) = part.split_once('=').ok_or_else(|| {
            Error::plain(format!("invalid argument syntax {part}, expected <resource>=<value>"))
        })?;
        let amount = crate::api::quantity::canonical(amount).map_err(Error::plain)?;
        map.insert(name.to_owned(), amount.into());
    }
    Ok(map)
}

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let dry_run = DryRun::of(&cx, &p).await?;
    if p.str("limits").is_empty() && p.str("requests").is_empty() {
        return Err(Error::plain(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    let wanted =
        [("limits", quantities(p.str("limits"))?), ("requests", quantities(p.str("requests"))?)];
    let (place, found) = objects(&cx, &p, &p.args, dry_run).await?;
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
        let mut found = false;
        let list = spec.get_mut("containers").and_then(Value::as_array_mut);
        for container in list.into_iter().flatten() {
            let name = container["name"].as_str().unwrap_or("").to_owned();
            let fits = fits(p.str("containers"), &name);
            found |= fits;
            for (field, amounts) in wanted.iter().filter(|_| fits) {
                let Some(map) = write::map_at(container, &["resources", field]) else { continue };
                for (resource, amount) in amounts {
                    map.insert(resource.clone(), amount.clone());
                }
                if map.is_empty() {
                    if let Some(all) = write::map_at(container, &["resources"]) {
                        all.remove(*field);
                    }
                }
            }
        }
        if !found {
            let text = format!("error: unable to find container named {}", p.str("containers"));
            errors.push(Error::Plain(text));
            continue;
        }
        write::record(&p, &mut new);
        let how = (
            "resource requirements updated",
            "failed to patch resources update to pod template",
            dry_run,
        );
        errors.extend(send(&cx, &place, &p, &thing, new, how).await.err());
    }
    Error::collect(errors)
}
