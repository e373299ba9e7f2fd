//! What is wrong with probes and lifecycle handlers.
//!
//! Models `validateProbe`, `validateHandler` and `validateLifecycle`.

use k8s_openapi::{
    api::core::v1::{
        Container, ExecAction, GRPCAction, HTTPGetAction, LifecycleHandler, Probe, SleepAction,
        TCPSocketAction,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::containers::{port_name_errors, port_number};
use crate::api::{FieldError, Path};

/// A container's lifecycle handlers and probes.
pub fn check(c: &Container, grace: Option<i64>, at: &Path, errors: &mut Vec<FieldError>) {
    if let Some(lifecycle) = &c.lifecycle {
        let at = at.child("lifecycle");
        let both = [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)];
        for (field, handler) in both {
            if let Some(handler) = handler {
                Handler::from(handler).check(grace, &at.child(field), errors);
            }
        }
    }
    for (field, probe) in [
        ("livenessProbe", &c.liveness_probe),
        ("readinessProbe", &c.readiness_probe),
        ("startupProbe", &c.startup_probe),
    ] {
        let Some(probe) = probe else { continue };
        let at = at.child(field);
        check_probe(probe, grace, &at, errors);
        let success = probe.success_threshold.unwrap_or(1);
        if let Some(grace) = probe.termination_grace_period_seconds.filter(|g| *g <= 0) {
            let at = at.child("terminationGracePeriodSeconds");
            errors.push(FieldError::invalid(at, grace, "must be greater than 0"));
        }
        if field != "readinessProbe" && success != 1 {
            errors.push(FieldError::invalid(at.child("successThreshold"), success, "must be 1"));
        }
        let grace = probe.termination_grace_period_seconds;
        if field == "readinessProbe" && grace.is_some() {
            let (at, why) =
                (at.child("terminationGracePeriodSeconds"), "must not be set for readinessProbes");
            errors.push(FieldError::invalid(at, grace.unwrap_or_default(), why));
        }
    }
}

fn check_probe(probe: &Probe, grace: Option<i64>, at: &Path, errors: &mut Vec<FieldError>) {
    Handler::from(probe).check(grace, at, errors);
    for (field, value) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if let Some(value) = value.filter(|v| *v < 0) {
            let why = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(at.child(field), value, why));
        }
    }
}

/// What a probe or a lifecycle event does.
#[derive(Default)]
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> From<&'a Probe> for Handler<'a> {
    fn from(p: &'a Probe) -> Self {
        Handler {
            exec: p.exec.as_ref(),
            http_get: p.http_get.as_ref(),
            tcp_socket: p.tcp_socket.as_ref(),
            grpc: p.grpc.as_ref(),
            sleep: None,
        }
    }
}

impl<'a> From<&'a LifecycleHandler> for Handler<'a> {
    fn from(h: &'a LifecycleHandler) -> Self {
        Handler {
            exec: h.exec.as_ref(),
            http_get: h.http_get.as_ref(),
            tcp_socket: h.tcp_socket.as_ref(),
            grpc: None,
            sleep: h.sleep.as_ref(),
        }
    }
}

impl Handler<'_> {
    fn check(&self, grace: Option<i64>, at: &Path, errors: &mut Vec<FieldError>) {
        let set = [
            ("exec", self.exec.is_some()),
            ("httpGet", self.http_get.is_some()),
            ("tcpSocket", self.tcp_socket.is_some()),
            ("grpc", self.grpc.is_some()),
            ("sleep", self.sleep.is_some()),
        ];
        let mut set = set.iter().filter(|(_, is)| *is).map(|(field, _)| *field);
        let Some(first) = set.next() else {
            errors.push(FieldError::required(at, "must specify a handler type"));
            return;
        };
        self.check_one(first, grace, &at.child(first), errors);
        for field in set {
            let why = "may not specify more than 1 handler type";
            errors.push(FieldError::forbidden(at.child(field), why));
        }
    }

    fn check_one(&self, field: &str, grace: Option<i64>, at: &Path, errors: &mut Vec<FieldError>) {
        match field {
            "exec" if self.exec.is_some_and(|e| e.command.iter().flatten().next().is_none()) => {
                errors.push(FieldError::required(at.child("command"), ""));
            }
            "httpGet" => {
                if let Some(get) = self.http_get {
                    http_get(get, at, errors);
                }
            }
            "tcpSocket" => {
                if let Some(tcp) = self.tcp_socket {
                    port(&tcp.port, &at.child("port"), errors);
                }
            }
            "grpc" => port_number(self.grpc.map_or(0, |g| g.port), &at.child("port"), errors),
            "sleep" => {
                let seconds = self.sleep.map_or(0, |s| s.seconds);
                if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
                    let why = format!(
                        "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                    );
                    errors.push(FieldError::invalid(at, seconds, &why));
                }
            }
            _ => {}
        }
    }
}

fn http_get(get: &HTTPGetAction, at: &Path, errors: &mut Vec<FieldError>) {
    if get.path.as_deref().is_none_or(str::is_empty) {
        errors.push(FieldError::required(at.child("path"), ""));
    }
    port(&get.port, &at.child("port"), errors);
    let scheme = get.scheme.as_deref().unwrap_or_default();
    if !matches!(scheme, "HTTP" | "HTTPS") {
        errors.push(FieldError::not_supported(at.child("scheme"), scheme, &["HTTP", "HTTPS"]));
    }
    for (i, header) in get.http_headers.iter().flatten().enumerate() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if header.name.is_empty() || !header.name.bytes().all(plain) {
            let at = at.child("httpHeaders");
            let why = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. \
                       'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
            errors.push(FieldError::invalid_str(at.index(i), &header.name, why));
        }
    }
}

/// A port by number or name.
pub fn port(port: &IntOrString, at: &Path, errors: &mut Vec<FieldError>) {
    match port {
        IntOrString::Int(number) => port_number(*number, at, errors),
        IntOrString::String(name) => {
            for why in port_name_errors(name) {
                errors.push(FieldError::invalid_str(at, name, why));
            }
        }
    }
}
