//! Content negotiation: in which form a client wants its answer, and the writing of it.
//!
//! JSON and YAML, whole objects, tables or bare metadata. Protobuf and CBOR are not spoken: clients
//! that name JSON besides get that, others 406.
//!
//! Models `apiserver/pkg/endpoints/handlers/negotiation`.

use serde_json::Value;

use super::{Request, Response, path::Parameters};
use crate::api::{Status, json, yaml};

/// How objects are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// As they are.
    #[default]
    Object,
    /// As `meta.k8s.io/v1` Table.
    Table,
    /// Metadata only.
    Metadata,
}

/// The form of an answer.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    /// YAML instead of JSON.
    pub yaml: bool,
    /// JSON over many lines.
    pub pretty: bool,
    /// What of objects is shown.
    pub view: View,
    /// Discovery of all groups in one document.
    pub aggregated: bool,
}

/// Programs whose users look at what they get (`negotiation.isPrettyPrint`).
const EYES: &[&str] = &["curl", "Wget", "Mozilla/"];

impl Accept {
    /// From the `Accept` header. Errors: NotAcceptable.
    pub fn parse(header: &str, parameters: &Parameters, request: &Request) -> Result<Self, Status> {
        let agent = request.header("user-agent");
        let pretty = match parameters.get("pretty") {
            Some(_) => parameters.flag("pretty"),
            None => EYES.iter().any(|start| agent.starts_with(start)),
        };
        if header.trim().is_empty() {
            return Ok(Accept { pretty, ..Default::default() });
        }
        // The one that the client likes best; of equal ones the first.
        let mut ranges: Vec<&str> = header.split(',').collect();
        ranges.sort_by_key(|range| std::cmp::Reverse(quality(range)));
        let known = ranges.into_iter().filter(|range| quality(range) > 0);
        known.filter_map(|range| read_range(range, pretty)).next().ok_or_else(|| {
            let why = "only the following media types are accepted: application/json, \
                       application/yaml, application/vnd.kubernetes.protobuf";
            Status::new(406, "NotAcceptable", why)
        })
    }

    /// Whether it is whole objects on one line of JSON, as programs want them.
    pub fn is_plain_text(&self) -> bool {
        !self.yaml && !self.pretty && self.view == View::Object
    }

    /// The same form, of whole objects.
    pub fn plain(&self) -> Self {
        Accept { view: View::Object, ..self.clone() }
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        if self.yaml { "application/yaml" } else { "application/json" }
    }

    /// A document as text.
    pub fn write(&self, value: &Value) -> String {
        if self.yaml {
            yaml::to_string(value)
        } else if self.pretty {
            json::indented_typed(value, 2)
        } else {
            json::compact_typed(value) + "\n"
        }
    }

    /// A document as a response.
    pub fn encode(&self, status: u16, value: &Value) -> Response {
        Response::bytes(status, self.media_type(), self.write(value).into_bytes())
    }
}

/// How much a range is liked, in thousandths.
fn quality(range: &str) -> u32 {
    let parts = range.split(';').skip(1).filter_map(|part| part.trim().strip_prefix("q="));
    let number = parts.into_iter().next().and_then(|q| q.parse::<f64>().ok()).unwrap_or(1.0);
    (number.clamp(0.0, 1.0) * 1_000.0) as u32
}

/// One range of the header, where we can answer it.
fn read_range(range: &str, pretty: bool) -> Option<Accept> {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let mut accept = Accept { pretty, ..Default::default() };
    match media_type.as_str() {
        "application/json" | "*/*" | "application/*" => {}
        "application/yaml" => accept.yaml = true,
        // What health and raw answers are asked for with; errors come as JSON.
        "text/*" | "text/plain" | "text/html" => {}
        _ => return None,
    }
    let (mut as_, mut group, mut version) = ("", "", "");
    for part in parts {
        match part.split_once('=') {
            Some(("as", value)) => as_ = value,
            Some(("g", value)) => group = value,
            Some(("v", value)) => version = value,
            Some(("pretty", value)) => accept.pretty = value == "1" || value == "true",
            _ => {}
        }
    }
    match (as_, group, version) {
        ("", ..) => {}
        ("Table", "meta.k8s.io", "v1" | "v1beta1") => accept.view = View::Table,
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", _) => {
            accept.view = View::Metadata;
        }
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => accept.aggregated = true,
        _ => return None,
    }
    Some(accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_spoken_counts() {
        let request = Request::get("/", "", None);
        let parse = |header: &str| Accept::parse(header, &Parameters::default(), &request);
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(parse(table).unwrap().view, View::Table);
        assert!(parse("application/vnd.kubernetes.protobuf,application/yaml").unwrap().yaml);
        assert_eq!(parse("image/png").unwrap_err().code, 406);
        let old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        assert_eq!(parse(old).unwrap_err().code, 406);
        assert_eq!(parse("").unwrap().media_type(), "application/json");
        assert!(parse("application/json;q=0.5,application/yaml").unwrap().yaml);
        assert_eq!(parse("application/json;q=0").unwrap_err().code, 406);
        assert!(parse("application/json").unwrap().is_plain_text());
    }
}
