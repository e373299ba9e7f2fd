//! `kubectl autoscale`. Models `k8s.io/kubectl/pkg/cmd/autoscale`.

use serde_json::{Value, json};

use crate::{
    api::{gofmt, quantity::Amount},
    client::FieldValidation,
    programs::kubectl::{
        Conn, Cx, Error,
        flags::{Command, Complete, Flag, Parsed},
        manifest,
        resources::Query,
        things::{self, Thing},
        write::{self, DryRun},
    },
};

/// `kubectl autoscale`
pub static COMMAND: Command = Command {
    name: "autoscale",
    usage: "autoscale (-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS \
            [--cpu=CPU] [--memory=MEMORY]",
    short: "Let load decide how many pods there are",
    long: "Make an autoscaler that chooses how many pods a workload has, by what they use.\n\n\
           Deployments, replica sets, stateful sets and replication controllers can be scaled so.",
    examples: "# Between two and ten, so that processors are used to 80 %\n\
               kubectl autoscale deployment web --min=2 --max=10 --cpu=80%\n\n\
               # By processor and memory of each pod\n\
               kubectl autoscale deployment web --max=6 --cpu=500m --memory=200Mi",
    flags: &[
        &[
            Flag::str(
                "cpu",
                "",
                "The use of processors to aim for: a share of what pods request (70%), or an \
                 amount for each pod (500m).",
            ),
            Flag::int32("cpu-percent", "-1", "The share of requested processors to aim for.")
                .deprecated(
                    "Use --cpu with percentage or resource quantity format (e.g., '70%' for \
                     utilization or '500m' for milliCPU).",
                ),
            write::DRY_RUN,
            write::field_manager("kubectl-autoscale"),
            Flag::int32("max", "-1", "At most so many pods. Required."),
            Flag::str(
                "memory",
                "",
                "The use of memory to aim for: a share of what pods request (60%), or an amount \
                 for each pod (200Mi).",
            ),
            Flag::int32("min", "-1", "At least so many pods; negative: as the server says."),
            Flag::str("name", "", "The autoscaler's name; the workload's without it."),
            write::SAVE_CONFIG,
        ],
        manifest::FLAGS,
        write::OUTPUT,
    ],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Resources,
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    if !p.changed("max") {
        return Err(Error::plain("required flag(s) \"max\" not set"));
    }
    let dry_run = DryRun::of(&cx, &p).await?;
    let conn = dry_run.on(cx.connect(&p, 5)?);
    let (min, max) = (p.int("min"), p.int("max"));
    if max < 1 {
        return Err(Error::plain(format!(
            "--max=MAXPODS is required and must be at least 1, max: {max}"
        )));
    }
    if max < min {
        return Err(Error::plain(format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}"
        )));
    }
    if p.int("cpu-percent") > 0 && !p.str("cpu").is_empty() {
        return Err(Error::plain("--cpu-percent and --cpu are mutually exclusive"));
    }
    let metrics = metrics(&p)?;
    let (found, mut errors) =
        things::find(&cx, &conn, &p, &p.args, &Query::default(), true).await?;
    if found.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to autoscale"));
    }
    for thing in found {
        errors.extend(scale(&cx, &conn, &p, &thing, &metrics, dry_run).await.err());
    }
    Error::collect(errors)
}

async fn scale(
    cx: &Cx,
    conn: &Conn,
    p: &Parsed,
    thing: &Thing,
    metrics: &[Value],
    dry_run: DryRun,
) -> Result<(), Error> {
    if !thing.kind.subresources.contains(&"scale") {
        let kind = &thing.kind;
        let group = format!("{}/{}, Resource={}", kind.group, kind.version, kind.plural);
        return Err(Error::plain(format!(
            "cannot autoscale a {}: could not find scale subresource for {group} in discovery \
             information",
            kind.kind
        )));
    }
    let name = if p.str("name").is_empty() { &thing.name } else { p.str("name") };
    let mut object = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name}, "spec": {"maxReplicas": p.int("max"),
            "scaleTargetRef": {"apiVersion": thing.kind.api_version(), "kind": thing.kind.kind,
                "name": thing.name}}});
    if p.int("min") > 0 {
        object["spec"]["minReplicas"] = p.int("min").into();
    }
    if !metrics.is_empty() {
        object["spec"]["metrics"] = metrics.to_vec().into();
    }
    if conn.namespace_given {
        object["metadata"]["namespace"] = conn.namespace.clone().into();
    }
    if dry_run == DryRun::Client {
        object["status"] = json!({"currentMetrics": null, "desiredReplicas": 0});
        return write::report(cx, p, &object, "created", dry_run).await;
    }
    if p.bool("save-config") {
        write::note_last_applied(&mut object);
    }
    let kind = conn.by_kind("autoscaling/v2", "HorizontalPodAutoscaler")?;
    let made = match kind {
        Some(kind) => {
            let validation = FieldValidation::Warn;
            conn.client
                .create_value(kind.id, &conn.namespace, object, validation)
                .map_err(Error::from)
        }
        None => Err(Error::plain("the server could not find the requested resource")),
    };
    cx.warnings(conn).await;
    let made = match made {
        Ok(made) => made,
        Err(error) => return older(p, error),
    };
    write::report(cx, p, &conn.value(&made), "autoscaled", dry_run).await
}

/// The server refused: the older version of the API is tried where it can say the same, which then
/// is refused for the same reason.
fn older(p: &Parsed, error: Error) -> Result<(), Error> {
    let incompatible = |why: &str| {
        Err(Error::plain(format!(
            "failed to create autoscaling/v2 HPA and the configuration is incompatible with \
             autoscaling/v1: {why}"
        )))
    };
    match target(p.str("cpu"), "cpu") {
        Err(why) => incompatible(&why),
        Ok(Target::Share(_)) if p.str("memory").is_empty() => Err(error),
        Ok(_) => incompatible("%!w(<nil>)"),
    }
}

enum Target {
    Share(i64),
    Amount(String),
}

/// `70%` or `500m`; a bare number has the resource's unit. Models `parseResourceInput`.
fn target(text: &str, resource: &str) -> Result<Target, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("empty input".into());
    }
    if let Some(percent) = text.strip_suffix('%') {
        return match percent.parse::<i32>() {
            Ok(n) if n >= 0 => Ok(Target::Share(n.into())),
            _ => Err(format!("invalid percentage value: {percent}")),
        };
    }
    let unit = if resource == "cpu" { "m" } else { "Mi" };
    let text = match text.parse::<f64>() {
        Ok(number) => format!("{}{unit}", gofmt::float_g(number)),
        Err(_) => text.to_owned(),
    };
    match Amount::parse(&text) {
        Ok(amount) => Ok(Target::Amount(amount.to_quantity().0)),
        Err(_) => Err(format!("invalid resource {resource} value: {text}")),
    }
}

fn metrics(p: &Parsed) -> Result<Vec<Value>, Error> {
    let metric = |resource: &str, target: Target| {
        let target = match target {
            Target::Share(share) => json!({"averageUtilization": share, "type": "Utilization"}),
            Target::Amount(amount) => json!({"averageValue": amount, "type": "AverageValue"}),
        };
        json!({"type": "Resource", "resource": {"name": resource, "target": target}})
    };
    let mut out = Vec::new();
    if p.int("cpu-percent") > 0 {
        out.push(metric("cpu", Target::Share(p.int("cpu-percent"))));
    }
    for resource in ["cpu", "memory"] {
        if !p.str(resource).is_empty() {
            let target = target(p.str(resource), resource).map_err(Error::plain)?;
            out.push(metric(resource, target));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_shares_or_amounts() {
        let say = |text, resource| match target(text, resource) {
            Ok(Target::Share(n)) => format!("{n}%"),
            Ok(Target::Amount(amount)) => amount,
            Err(error) => error,
        };
        for (text, resource, want) in [
            ("70%", "cpu", "70%"),
            ("500", "cpu", "500m"),
            ("200", "memory", "200Mi"),
            ("1Gi", "memory", "1Gi"),
            ("", "cpu", "empty input"),
            ("-1%", "cpu", "invalid percentage value: -1"),
            ("much", "cpu", "invalid resource cpu value: much"),
        ] {
            assert_eq!(say(text, resource), want);
        }
    }
}
