//! What is not about objects: `/version`, health, the list of paths.

use serde_json::json;

use super::{Call, Response, page_not_found};

/// The version that the simulated cluster has.
pub const VERSION: &str = "v1.36.2";

/// Checks of `?verbose`: what the sandbox's API server consists of. None of them can fail while it
/// answers at all.
const CHECKS: &[&str] = &["ping", "log", "etcd"];

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
            [which @ ("healthz" | "livez" | "readyz")]
                if self.parameters.get("verbose").is_some() =>
            {
                let excluded: Vec<&str> = self.parameters.all("exclude").collect();
                let mut text = String::new();
                for check in CHECKS {
                    let how = if excluded.contains(check) { "excluded: ok" } else { "ok" };
                    text.push_str(&format!("[+]{check} {how}\n"));
                }
                Response::text(200, &format!("{text}{which} check passed\n"))
            }
            ["healthz" | "livez" | "readyz"] => Response::text(200, "ok"),
            ["healthz" | "livez" | "readyz", check] if CHECKS.contains(check) => {
                Response::text(200, "ok")
            }
            _ => page_not_found(),
        }
    }

    fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = [
            "/api",
            "/apis",
            "/healthz",
            "/livez",
            "/openapi/v2",
            "/openapi/v3",
            "/readyz",
            "/version",
        ]
        .map(str::to_owned)
        .into();
        for kind in self.api.kinds().iter() {
            match kind.group.is_empty() {
                true => paths.push(format!("/api/{}", kind.version)),
                false => {
                    paths.push(format!("/apis/{}", kind.group));
                    paths.push(format!("/apis/{}/{}", kind.group, kind.version));
                }
            }
        }
        paths.sort();
        paths.dedup();
        paths
    }
}
