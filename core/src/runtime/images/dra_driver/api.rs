//! Requests to the API from inside a pod, with the token of its account.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, SocketAddrV4},
    rc::Rc,
};

use serde_json::Value;

use crate::{
    fabric::{
        Endpoint,
        http::{self, HttpRequest},
    },
    machine::Proc,
};

const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The way to the API.
pub struct Api<'a> {
    proc: &'a Proc,
    endpoint: Rc<Endpoint>,
    address: SocketAddrV4,
}

impl<'a> Api<'a> {
    /// As the pod's environment says. Errors: this is no pod, or it has no account.
    pub fn of(proc: &'a Proc) -> Result<Self, String> {
        let host = proc.env("KUBERNETES_SERVICE_HOST").unwrap_or_default();
        let port = proc.env("KUBERNETES_SERVICE_PORT").unwrap_or_default();
        let (Ok(host), Ok(port)) = (host.parse::<Ipv4Addr>(), port.parse()) else {
            return Err("create in-cluster client configuration: unable to load in-cluster \
                        configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be \
                        defined"
                .into());
        };
        let endpoint = proc.machine().get::<Endpoint>().ok_or("no network")?;
        let api = Api { proc, endpoint, address: SocketAddrV4::new(host, port) };
        api.token().map(|_| api)
    }

    fn token(&self) -> Result<String, String> {
        let read = self.proc.read_text(TOKEN);
        let read = read.map_err(|why| {
            let why = why.to_string().to_lowercase();
            format!("create in-cluster client configuration: open {TOKEN}: {why}")
        });
        read.map(|text| text.trim().to_string())
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.send("GET", path, &Value::Null).await
    }

    /// Sends something (`Null`: nothing). Errors: the API's message, or that it can't be reached.
    pub async fn send(
        &self,
        method: &'static str,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers: [(&'static str, String); 4] = [
            ("Authorization", format!("Bearer {}", self.token()?)),
            ("Accept", "application/json".into()),
            ("Content-Type", "application/json".into()),
            ("User-Agent", "dra-example-kubeletplugin/v0.2.0".into()),
        ];
        let request = HttpRequest {
            method: Cow::Borrowed(method),
            path: path.to_string(),
            host: self.address.to_string(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).into(),
            body: Rc::new(bytes),
        };
        let asked = http::exchange(&self.endpoint, self.address, Rc::new(request)).await;
        let (response, _) =
            asked.map_err(|why| format!("{method} \"https://{}{path}\": {why}", self.address))?;
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        match response.status {
            200..=299 => Ok(answer),
            _ => Err(answer["message"].as_str().unwrap_or("no answer").to_string()),
        }
    }
}
