//! What is not about objects: `/version`, health, metrics, whose tokens to trust, the list of paths.
//!
//! Models `apiserver/pkg/server/healthz` and `apiserver/pkg/server/routes`.

use serde_json::json;

use super::{Call, Response, page_not_found};
use crate::apiserver::auth::token::ISSUER;

/// The version that the simulated cluster has.
pub const VERSION: &str = "v1.36.2";

/// Checks of `?verbose` in the order in which v1.36 has them; those with a `+` belong to `/readyz`
/// only. None can fail while the simulated server answers at all: what they wait for upstream is done
/// here before the first request.
const CHECKS: &[&str] = &[
    "ping",
    "log",
    "etcd",
    "+etcd-readiness",
    "+informer-sync",
    "poststarthook/start-apiserver-admission-initializer",
    "poststarthook/generic-apiserver-start-informers",
    "poststarthook/priority-and-fairness-config-consumer",
    "poststarthook/priority-and-fairness-filter",
    "poststarthook/storage-object-count-tracker-hook",
    "poststarthook/start-apiextensions-informers",
    "poststarthook/start-apiextensions-controllers",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/start-kube-apiserver-identity-lease-garbage-collector",
    "poststarthook/start-legacy-token-tracking-controller",
    "poststarthook/start-service-ip-repair-controllers",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/priority-and-fairness-config-producer",
    "poststarthook/bootstrap-controller",
    "poststarthook/start-kubernetes-service-cidr-controller",
    "poststarthook/aggregator-reload-proxy-client-cert",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
    "+shutdown",
];

/// The checks of one of the three.
fn checks(which: &str) -> impl Iterator<Item = &'static str> {
    let ready = which == "readyz";
    CHECKS.iter().filter_map(move |check| match check.strip_prefix('+') {
        Some(check) => ready.then_some(check),
        None => Some(*check),
    })
}

impl Call<'_> {
    pub(super) fn health(&self, segments: &[&str]) -> Response {
        if !matches!(self.method(), "GET" | "HEAD") {
            return super::failure(&super::not_allowed(), Some(&self.accept));
        }
        match segments {
            [] => self.accept.plain().encode(200, &json!({"paths": self.paths()})),
            ["version"] => {
                let value = json!({
                    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
                    "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
                    "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "clean",
                    "buildDate": "2026-06-09T00:00:00Z", "goVersion": "go1.26", "compiler": "gc",
                    "platform": "linux/amd64"});
                let pretty = super::Accept { pretty: true, ..self.accept.plain() };
                pretty.encode(200, &value)
            }
            ["metrics"] => self.metrics(),
            [".well-known", "openid-configuration"] => {
                let host = match self.request.header("host") {
                    "" => "kubernetes.default.svc.cluster.local",
                    host => host,
                };
                let value = json!({"issuer": ISSUER,
                    "jwks_uri": format!("https://{host}/openid/v1/jwks"),
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["HS256"]});
                Response::bytes(200, "application/json", value.to_string().into_bytes())
            }
            // Tokens are signed with a secret that both sides would need: there is nothing to publish.
            ["openid", "v1", "jwks"] => {
                Response::bytes(200, "application/jwk-set+json", br#"{"keys":[]}"#.to_vec())
            }
            [which @ ("healthz" | "livez" | "readyz")] => self.healthy(which),
            [which @ ("healthz" | "livez" | "readyz"), check @ ..] => {
                let wanted = check.join("/");
                match checks(which).any(|check| check == wanted) {
                    true => Response::text(200, "ok"),
                    false => page_not_found(),
                }
            }
            _ => page_not_found(),
        }
    }

    /// One of the three, with all its checks where they are wanted. Models `handleRootHealth`.
    fn healthy(&self, which: &str) -> Response {
        let mut excluded: Vec<&str> = self.parameters.all("exclude").collect();
        excluded.sort_unstable();
        excluded.dedup();
        let mut text = String::new();
        for check in checks(which) {
            let before = excluded.len();
            excluded.retain(|name| *name != check);
            let how = if excluded.len() < before { "excluded: ok" } else { "ok" };
            text.push_str(&format!("[+]{check} {how}\n"));
        }
        if !excluded.is_empty() {
            let names: Vec<_> = excluded.iter().map(|n| crate::api::gofmt::quote(n)).collect();
            text.push_str(&format!(
                "warn: some health checks cannot be excluded: no matches for {}\n",
                names.join(", ")
            ));
        }
        match self.parameters.get("verbose") {
            Some(_) => Response::text(200, &format!("{text}{which} check passed\n")),
            None => Response::text(200, "ok"),
        }
    }

    fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = [
            "/.well-known/openid-configuration",
            "/api",
            "/apis",
            "/healthz",
            "/livez",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/readyz",
            "/version",
        ]
        .map(str::to_owned)
        .into();
        for which in ["healthz", "livez", "readyz"] {
            paths.extend(checks(which).map(|check| format!("/{which}/{check}")));
        }
        for kind in self.api.kinds().iter() {
            match kind.group.is_empty() {
                true => paths.push(format!("/api/{}", kind.version)),
                false => {
                    paths.push(format!("/apis/{}", kind.group));
                    paths.push(format!("/apis/{}/{}", kind.group, kind.version));
                }
            }
        }
        for kind in self.api.kinds().iter().filter(|k| k.is_stored()) {
            let place = crate::api::openapi::place(kind);
            paths.push(format!("/openapi/v3/{place}"));
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_readyz_waits_for_the_watches_and_ends_before_the_server() {
        let count = |which| super::checks(which).count();
        assert_eq!((count("readyz"), count("livez")), (super::CHECKS.len(), count("healthz")));
        assert!(super::checks("livez").all(|check| check != "shutdown"));
    }
}
