//! `kubectl describe ingress | ingressclass`. Models `describeIngressV1`, `describeIngressClassV1`.

use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::EndpointSlice,
    networking::v1::{Ingress, IngressBackend, IngressClass, IngressSpec},
};

use super::{
    Cx, Writer,
    common::{self, text},
    events, service,
};
use crate::api::Object;

/// An ingress.
pub fn describe(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(ingress) = object.downcast::<Ingress>() else { return };
    let none = IngressSpec::default();
    let spec = ingress.spec.as_ref().unwrap_or(&none);
    let ns = object.namespace();
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels("Labels", ingress.metadata.labels.as_ref(), w);
    w.put(0, format_args!("Namespace:\t{ns}\n"));
    w.put(0, format_args!("Address:\t{}\n", addresses(ingress)));
    let class = spec.ingress_class_name.clone().unwrap_or_else(|| "<none>".into());
    w.put(0, format_args!("Ingress Class:\t{class}\n"));
    let default = spec.default_backend.as_ref();
    let default = default.map_or("<default>".into(), |b| backend(cx, ns, b));
    w.put(0, format_args!("Default backend:\t{default}\n"));
    let tls = spec.tls.as_deref().unwrap_or_default();
    if !tls.is_empty() {
        w.put(0, "TLS:\n");
    }
    for entry in tls {
        let hosts = entry.hosts.clone().unwrap_or_default().join(",");
        match text(&entry.secret_name) {
            "" => w.put(1, format_args!("SNI routes {hosts}\n")),
            secret => w.put(1, format_args!("{secret} terminates {hosts}\n")),
        }
    }
    w.put(0, "Rules:\n  Host\tPath\tBackends\n");
    w.put(1, "----\t----\t--------\n");
    let mut count = 0;
    for rule in spec.rules.iter().flatten() {
        let Some(http) = &rule.http else { continue };
        count += 1;
        w.put(1, format_args!("{}\t\n", common::or(text(&rule.host).to_string(), "*")));
        for path in &http.paths {
            let shown = backend(cx, ns, &path.backend);
            w.put(2, format_args!("\t{} \t{shown}\n", text(&path.path)));
        }
    }
    if count == 0 {
        w.put(1, format_args!("*\t*\t{default}\n"));
    }
    common::annotations("Annotations", ingress.metadata.annotations.as_ref(), w);
    events::of(cx, object, w);
}

fn addresses(ingress: &Ingress) -> String {
    let balancer = ingress.status.as_ref().and_then(|s| s.load_balancer.as_ref());
    let entries = balancer.and_then(|b| b.ingress.as_deref()).unwrap_or_default();
    let mut all: Vec<&str> = entries
        .iter()
        .map(|e| if text(&e.ip).is_empty() { text(&e.hostname) } else { text(&e.ip) })
        .filter(|a| !a.is_empty())
        .collect();
    all.sort_unstable();
    all.dedup();
    all.join(",")
}

fn backend(cx: &Cx, ns: &str, backend: &IngressBackend) -> String {
    if let Some(to) = &backend.service {
        let none = Default::default();
        let port = to.port.as_ref().unwrap_or(&none);
        let shown = match port.number.filter(|n| *n != 0) {
            Some(number) => format!("{}:{number}", to.name),
            None => format!("{}:{}", to.name, text(&port.name)),
        };
        let found = match cx.client.get::<Service>(ns, &to.name) {
            Ok(found) => found,
            Err(error) => return format!("{shown} (<error: {error}>)"),
        };
        let ports = found.spec.as_ref().and_then(|s| s.ports.as_deref()).unwrap_or_default();
        let named = ports.iter().find(|p| {
            let by_number = port.number.is_some_and(|n| n != 0 && n == p.port);
            by_number || (!text(&port.name).is_empty() && port.name == p.name)
        });
        let name = named.map(|p| text(&p.name)).unwrap_or_default();
        let index = cx.client.index::<EndpointSlice>(service::BY_SERVICE);
        let slices = cx.client.by_index::<EndpointSlice>(index, &format!("{ns}/{}", to.name));
        return format!("{shown} ({})", service::endpoints(&slices, name));
    }
    let Some(resource) = &backend.resource else { return String::new() };
    let group = resource.api_group.clone().unwrap_or_else(|| "<none>".into());
    format!("APIGroup: {group}, Kind: {}, Name: {}", resource.kind, resource.name)
}

/// A class of ingresses.
pub fn class(cx: &Cx, object: &dyn Object, w: &mut Writer) {
    let Some(class) = object.downcast::<IngressClass>() else { return };
    let spec = class.spec.as_ref();
    w.put(0, format_args!("Name:\t{}\n", object.name()));
    common::labels_and_annotations(&class.metadata, w);
    let controller = spec.map(|s| text(&s.controller)).unwrap_or_default();
    w.put(0, format_args!("Controller:\t{controller}\n"));
    if let Some(parameters) = spec.and_then(|s| s.parameters.as_ref()) {
        w.put(0, "Parameters:\n");
        if let Some(group) = &parameters.api_group {
            w.put(1, format_args!("APIGroup:\t{group}\n"));
        }
        w.put(1, format_args!("Kind:\t{}\n", parameters.kind));
        w.put(1, format_args!("Name:\t{}\n", parameters.name));
    }
    events::of(cx, object, w);
}
