//! `/metrics`: what the API server counts, in Prometheus' text form. A few of upstream's series, each
//! true: requests that were answered, and objects that are stored.
//!
//! Models `apiserver/pkg/endpoints/metrics` and `storage/etcd3/metrics`.

use std::{cell::RefCell, collections::BTreeMap, fmt::Write};

use super::{Call, Response, health::VERSION, path::Target};
use crate::api::KindId;

/// Answered requests, by verb, scope, subresource, kind and code.
#[derive(Default)]
pub struct Counts(RefCell<BTreeMap<Key, u64>>);

type Key = (&'static str, &'static str, String, KindId, u16, bool);

impl Call<'_> {
    /// Counts an answer to a request about objects.
    pub(super) fn count(&self, code: u16) {
        let segments = super::path::segments(&self.request.path).unwrap_or_default();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let Some(target) = Target::parse(&segments) else { return };
        let kinds = self.api.kinds();
        let kind = kinds.by_resource(target.group, target.version, target.resource);
        let Some(kind) = kind.map(|k| k.id) else { return };
        let sub = target.subresource.unwrap_or_default().to_owned();
        let key = (self.counted_verb(&target), scope(&target), sub, kind, code, self.cx.dry_run);
        *self.api.0.counts.0.borrow_mut().entry(key).or_default() += 1;
    }

    /// The verb as metrics name it. Models `cleanVerb`.
    fn counted_verb(&self, target: &Target) -> &'static str {
        match (self.method(), target.name.is_some()) {
            _ if matches!(
                target.subresource,
                Some("attach" | "exec" | "portforward" | "proxy")
            ) =>
            {
                "CONNECT"
            }
            ("GET", _) if self.parameters.flag("watch") => "WATCH",
            ("GET", true) => "GET",
            ("GET", false) => "LIST",
            ("HEAD", _) => "HEAD",
            ("POST", _) => "POST",
            ("PUT", _) => "PUT",
            ("PATCH", _) if self.request.header("content-type").contains("apply-patch") => "APPLY",
            ("PATCH", _) => "PATCH",
            ("DELETE", true) => "DELETE",
            ("DELETE", false) => "DELETECOLLECTION",
            _ => "other",
        }
    }

    pub(super) fn metrics(&self) -> Response {
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        };
        let help = "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, \
                    group, version, resource, scope, component, and HTTP response code.";
        head(&mut out, "apiserver_request_total", "counter", help);
        for ((verb, scope, sub, kind, code, dry), count) in self.api.0.counts.0.borrow().iter() {
            let kind = self.api.kind(*kind);
            let dry = if *dry { "All" } else { "" };
            let _ = writeln!(
                out,
                "apiserver_request_total{{code=\"{code}\",component=\"apiserver\",\
                 dry_run=\"{dry}\",group=\"{}\",resource=\"{}\",scope=\"{scope}\",\
                 subresource=\"{sub}\",verb=\"{verb}\",version=\"{}\"}} {count}",
                kind.group, kind.plural, kind.version
            );
        }
        let help = "[STABLE] Number of stored objects at the time of last check split by kind. In \
                    case of a fetching error, the value will be -1.";
        head(&mut out, "apiserver_storage_objects", "gauge", help);
        let kinds: Vec<_> = self.api.kinds().iter().filter(|k| k.is_stored()).cloned().collect();
        let mut lines: Vec<String> = kinds
            .iter()
            .map(|k| {
                let count = self.api.store().count(k.id);
                format!("apiserver_storage_objects{{resource=\"{}\"}} {count}\n", k.resource())
            })
            .collect();
        lines.sort();
        out.extend(lines);
        let help = "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, \
                    git commit, git tree state, build date, Go version, and compiler from which \
                    Kubernetes was built, and platform on which it is running.";
        head(&mut out, "kubernetes_build_info", "gauge", help);
        let _ = writeln!(
            out,
            "kubernetes_build_info{{git_version=\"{VERSION}\",major=\"1\",minor=\"36\",\
             platform=\"linux/amd64\"}} 1"
        );
        Response::bytes(200, "text/plain; version=0.0.4; charset=utf-8", out.into_bytes())
    }
}

fn scope(target: &Target) -> &'static str {
    match (target.name, target.namespace) {
        (Some(_), _) => "resource",
        (None, Some(_)) => "namespace",
        (None, None) => "cluster",
    }
}
