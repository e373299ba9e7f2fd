//! What is passed on to kubelets: logs, exec, attach, port-forward.
//!
//! Models `pkg/registry/core/pod/rest`.

use std::{rc::Rc, time::Duration};

use super::{
    Body, Call, Handled, Response, Upgrade,
    channels::Channels,
    not_allowed,
    path::Target,
    port_channels::{self, PortChannels},
};
use crate::{
    api::{Kind, Status},
    apiserver::connect::{ExecOptions, LogOptions},
    sim::Time,
};

/// Subprotocols of `exec` and `attach`, the preferred one first.
const CHANNELS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// Subprotocol of `portforward`: SPDY frames in WebSocket messages.
const PORTS: &str = "SPDY/3.1+portforward.k8s.io";
/// The same without SPDY, for ports that the request names.
const PORT_CHANNELS: &str = "v4.channel.k8s.io";

impl Call<'_> {
    pub(super) fn log(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        if !matches!(self.method(), "GET" | "HEAD") {
            return Err(not_allowed());
        }
        self.permit("get", kind, target)?;
        let options = self.log_options(name)?;
        let (pod, agent) = self.api.agent(target.ns(), name, "logs")?;
        let log = agent.logs(&pod, &options)?;
        Ok(Response::stream("text/plain", log).into())
    }

    /// Models `ValidatePodLogOptions`.
    fn log_options(&self, pod: &str) -> Result<LogOptions, Status> {
        let number = |name: &str| -> Result<Option<i64>, Status> {
            match self.parameters.get(name) {
                None | Some("") => Ok(None),
                Some(text) => text.parse().map(Some).map_err(|_| {
                    Status::bad_request(format!(
                        "strconv.ParseInt: parsing {text:?}: invalid syntax"
                    ))
                }),
            }
        };
        let invalid = |field: &str, value: i64, why: &str| {
            let why = format!(
                "PodLogOptions \"{pod}\" is invalid: {field}: Invalid value: {value}: {why}"
            );
            Status::new(422, "Invalid", why)
        };
        let tail = number("tailLines")?;
        if let Some(lines) = tail.filter(|n| *n < 0) {
            return Err(invalid("tailLines", lines, "must be greater than or equal to 0"));
        }
        let bytes = number("limitBytes")?;
        if let Some(bytes) = bytes.filter(|n| *n < 1) {
            return Err(invalid("limitBytes", bytes, "must be greater than 0"));
        }
        let seconds = number("sinceSeconds")?;
        if let Some(seconds) = seconds.filter(|n| *n < 1) {
            return Err(invalid("sinceSeconds", seconds, "must be greater than 0"));
        }
        let now = self.api.sim().now();
        let mut since = seconds.map(|n| now - Duration::from_secs(n.unsigned_abs()));
        if let Some(text) = self.parameters.get("sinceTime").filter(|t| !t.is_empty()) {
            let parsed = serde_json::Value::from(text);
            let time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time =
                crate::api::object::from_value(parsed).map_err(|_| {
                    Status::bad_request(format!("parsing time {text:?}: no RFC 3339 time"))
                })?;
            since = Some(Time::from(&time));
        }
        Ok(LogOptions {
            container: self
                .parameters
                .get("container")
                .filter(|c| !c.is_empty())
                .map(str::to_owned),
            follow: self.parameters.flag("follow"),
            previous: self.parameters.flag("previous"),
            since,
            timestamps: self.parameters.flag("timestamps"),
            tail: tail.and_then(|n| u64::try_from(n).ok()),
            limit_bytes: bytes.and_then(|n| u64::try_from(n).ok()),
        })
    }

    pub(super) fn exec(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        self.process(kind, target, name, true)
    }

    pub(super) fn attach(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        self.process(kind, target, name, false)
    }

    fn process(&self, kind: &Rc<Kind>, target: &Target, name: &str, exec: bool) -> Handled {
        if !matches!(self.method(), "GET" | "POST") {
            return Err(not_allowed());
        }
        // As for upstream since 1.31, this is a create, whatever the method is.
        self.permit("create", kind, target)?;
        let options = ExecOptions {
            container: self
                .parameters
                .get("container")
                .filter(|c| !c.is_empty())
                .map(str::to_owned),
            command: self.parameters.all("command").map(str::to_owned).collect(),
            stdin: self.parameters.flag("stdin"),
            // The client tells its terminal's size as its first message.
            tty: self.parameters.flag("tty").then_some((80, 24)),
        };
        if exec && options.command.is_empty() {
            return Err(Status::bad_request("you must specify at least 1 container command"));
        }
        let (pod, agent) = self.api.agent(target.ns(), name, "exec")?;
        let protocol = self.protocol(CHANNELS)?;
        let streams = match exec {
            true => agent.exec(&pod, &options)?,
            false => agent.attach(&pod, &options)?,
        };
        let channels = Channels::new(self.api.sim(), streams);
        Ok(upgrade(protocol, Upgrade::Channels(channels)).into())
    }

    pub(super) fn port_forward(&self, kind: &Rc<Kind>, target: &Target, name: &str) -> Handled {
        if !matches!(self.method(), "GET" | "POST") {
            return Err(not_allowed());
        }
        self.permit("create", kind, target)?;
        let (pod, agent) = self.api.agent(target.ns(), name, "port-forward")?;
        let protocol = self.protocol(&[PORTS, PORT_CHANNELS])?;
        let dial: Rc<dyn Fn(u16) -> _> = Rc::new(move |port| agent.port_forward(&pod, port));
        if protocol == PORT_CHANNELS {
            let ports = port_channels::ports(self.parameters.all("ports"))?;
            let channels = PortChannels::new(self.api.sim(), &ports, &dial);
            return Ok(upgrade(protocol, Upgrade::PortChannels(channels)).into());
        }
        Ok(upgrade(protocol, Upgrade::Ports(dial)).into())
    }

    /// The first subprotocol of ours that the client offers. Errors: BadRequest.
    fn protocol(&self, known: &[&'static str]) -> Result<&'static str, Status> {
        if self.request.is_upgrade("spdy/3.1") {
            return self.spdy_protocol(known);
        }
        if !self.request.is_upgrade("websocket") {
            return Err(Status::bad_request("Upgrade request required"));
        }
        let offered = self.request.header("sec-websocket-protocol");
        let offers = |name: &str| offered.split(',').any(|part| part.trim() == name);
        known.iter().copied().find(|name| offers(name)).ok_or_else(|| {
            Status::new(
                403,
                "Forbidden",
                format!(
                    "unable to upgrade: unable to negotiate protocol: client supports \
                    [{offered}], server accepts {known:?}"
                ),
            )
        })
    }
}

impl Call<'_> {
    /// The same over SPDY, where the versions of streams have a header of their own. A client that
    /// names none speaks the first version, which has no error stream of JSON: that is not spoken.
    fn spdy_protocol(&self, known: &[&'static str]) -> Result<&'static str, Status> {
        let offered: Vec<&str> = self
            .request
            .all_headers("x-stream-protocol-version")
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .collect();
        let bare = |name: &'static str| name.rsplit('+').next().unwrap_or(name);
        // The fifth version is one of WebSockets.
        let mut known = known.iter().copied().map(bare).filter(|name| !name.starts_with("v5"));
        known.find(|name| offered.contains(name)).ok_or_else(|| {
            let accepted = if offered.is_empty() { "[]".into() } else { format!("{offered:?}") };
            let why = format!(
                "unable to upgrade: unable to negotiate protocol: client supports {accepted}"
            );
            Status::new(403, "Forbidden", why)
        })
    }
}

fn upgrade(protocol: &'static str, upgrade: Upgrade) -> Response {
    Response { status: 101, headers: Vec::new(), body: Body::Upgrade(protocol, upgrade) }
}
