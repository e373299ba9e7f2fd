//! The table of events.
//!
//! Models `printEvent`.

use k8s_openapi::{
    api::core::v1::Event,
    apimachinery::pkg::apis::meta::v1::{MicroTime, Time as MetaTime},
};

use super::{Printer, RowCx, ago, col, wide};

/// See the module.
pub const EVENT: Printer = Printer {
    columns: &[
        col("Last Seen"),
        col("Type"),
        col("Reason"),
        col("Object"),
        wide("Subobject"),
        wide("Source"),
        col("Message"),
        wide("First Seen"),
        wide("Count"),
        wide("Name"),
    ],
    row: |cx, object| {
        let Some(event) = object.downcast::<Event>() else { return Vec::new() };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let first = first_seen(cx, event);
        let (last, count) = match &event.series {
            Some(series) => {
                (micro(cx, series.last_observed_time.as_ref()), series.count.unwrap_or(0))
            }
            None => {
                let last = event.last_timestamp.as_ref();
                let last = last.map_or_else(|| first.clone(), |at| ago(cx, Some(at)));
                (last, event.count.filter(|c| *c != 0).unwrap_or(1))
            }
        };
        let about = &event.involved_object;
        let kind = text(&about.kind).to_ascii_lowercase();
        let name = text(&about.name);
        vec![
            last,
            text(&event.type_),
            text(&event.reason),
            if name.is_empty() { kind } else { format!("{kind}/{name}") },
            text(&about.field_path),
            source(event),
            text(&event.message).trim().to_string(),
            first,
            count.to_string(),
            object.name().to_string(),
        ]
    },
};

fn first_seen(cx: &RowCx, event: &Event) -> String {
    match &event.first_timestamp {
        Some(at) => ago(cx, Some(at)),
        None => micro(cx, event.event_time.as_ref()),
    }
}

fn micro(cx: &RowCx, time: Option<&MicroTime>) -> String {
    ago(cx, time.map(|t| MetaTime(t.0)).as_ref())
}

/// `kubelet, node-1`.
fn source(event: &Event) -> String {
    let source = event.source.as_ref();
    let given = |value: Option<&String>| value.filter(|v| !v.is_empty()).cloned();
    let component = given(source.and_then(|s| s.component.as_ref()))
        .or_else(|| given(event.reporting_component.as_ref()));
    let host = given(source.and_then(|s| s.host.as_ref()))
        .or_else(|| given(event.reporting_instance.as_ref()));
    let component = component.unwrap_or_default();
    host.map_or(component.clone(), |host| format!("{component}, {host}"))
}
