//! What a client asks and what it is answered, in the form that it would have over the wire, for
//! whoever wants to be told of it (`kubectl -v=6`).
//!
//! Nobody else pays for it. It changes nothing: reads are asked for once more where their text is
//! wanted, and what was written is told from what the server answered.

use std::{cell::RefCell, rc::Rc};

use serde_json::Value;

use super::{
    Client, FieldValidation, ListOptions,
    rest::{Body, Request, Response},
};
use crate::api::{KindId, ObjRef, Object, Status, json};

/// A request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// `GET`
    pub method: &'static str,
    /// `/api/v1/pods`
    pub path: String,
    /// What follows the question mark, without it.
    pub query: String,
    /// The media types that are asked for.
    pub accept: &'static str,
    /// The media type of what is sent, empty where nothing is.
    pub content_type: &'static str,
    /// What is sent.
    pub body: String,
    /// How it went.
    pub status: u16,
    /// The media type of the answer.
    pub answer_type: String,
    /// The answer's text, where it is wanted.
    pub answer: String,
    /// Whether several objects were asked for.
    pub list: bool,
}

/// Who is told.
pub struct Tap {
    /// Whether texts are wanted.
    pub texts: bool,
    /// How many objects are asked for at a time; 0: all.
    pub limit: i64,
    /// Whether objects are asked for as tables.
    pub table: bool,
    /// How long an answer may take, as in the query; empty: as long as it likes.
    pub timeout: String,
    /// Is told.
    pub heard: Box<dyn Fn(Exchange)>,
}

/// Media types that are asked for, for tables first.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,\
                     application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

/// What is asked for.
pub(super) struct Asked<'a> {
    method: &'static str,
    kind: KindId,
    namespace: &'a str,
    name: &'a str,
    part: &'a str,
    query: Vec<(&'static str, String)>,
    content_type: &'static str,
    body: Option<String>,
    list: bool,
    watch: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn new(method: &'static str, kind: KindId, namespace: &'a str) -> Self {
        Asked {
            method,
            kind,
            namespace,
            name: "",
            part: "",
            query: Vec::new(),
            content_type: "",
            body: None,
            list: false,
            watch: false,
        }
    }

    pub(super) fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    pub(super) fn part(mut self, part: &'a str) -> Self {
        self.part = part;
        self
    }

    pub(super) fn list(mut self) -> Self {
        self.list = true;
        self
    }

    pub(super) fn watch(mut self, since: Option<u64>) -> Self {
        self.watch = true;
        let asked = self.query("watch", true);
        match since {
            Some(since) => asked.query("resourceVersion", since),
            None => asked,
        }
    }

    pub(super) fn query(mut self, key: &'static str, value: impl ToString) -> Self {
        self.query.push((key, value.to_string()));
        self
    }

    pub(super) fn selecting(self, options: &ListOptions) -> Self {
        let (labels, fields) = (options.labels.to_string(), options.fields.text());
        let asked = if labels.is_empty() { self } else { self.query("labelSelector", labels) };
        if fields.is_empty() { asked } else { asked.query("fieldSelector", fields) }
    }

    pub(super) fn sending(mut self, content_type: &'static str, body: Option<String>) -> Self {
        (self.content_type, self.body) = (content_type, body);
        self
    }

    /// What writes say of who writes, and whether in earnest.
    pub(super) fn written(self, client: &Client) -> Self {
        let asked = match &*client.cx.manager {
            "kubectl" => self,
            manager => self.query("fieldManager", manager),
        };
        if client.cx.dry_run { asked.query("dryRun", "All") } else { asked }
    }

    pub(super) fn validated(self, validation: FieldValidation) -> Self {
        match validation {
            FieldValidation::Strict => self.query("fieldValidation", "Strict"),
            FieldValidation::Ignore => self.query("fieldValidation", "Ignore"),
            FieldValidation::Warn => self,
        }
    }
}

/// What a successful request gives, as its answer has it. `None`: it says nothing of interest.
pub(super) trait Shown {
    fn shown(&self, client: &Client) -> Option<Value>;

    /// Whether it is an object that was not there before.
    fn is_new(&self) -> bool {
        false
    }
}

impl Shown for ObjRef {
    fn shown(&self, client: &Client) -> Option<Value> {
        Some(client.full_value(&**self))
    }
}

impl<T: Object> Shown for Rc<T> {
    fn shown(&self, client: &Client) -> Option<Value> {
        Some(client.full_value(&**self))
    }
}

impl Shown for (ObjRef, bool) {
    fn shown(&self, client: &Client) -> Option<Value> {
        self.0.shown(client)
    }

    fn is_new(&self) -> bool {
        self.1
    }
}

macro_rules! silent {
    ($($type:ty),*) => {
        $(impl Shown for $type {
            fn shown(&self, _: &Client) -> Option<Value> {
                None
            }
        })*
    };
}

silent!(
    (),
    Vec<ObjRef>,
    (ObjRef, (i32, i32, String)),
    super::ExecStreams,
    super::PortStreams,
    crate::sim::Receiver<Vec<u8>>,
    k8s_openapi::api::authentication::v1::TokenRequest
);

impl<T: Object> Shown for Vec<Rc<T>> {
    fn shown(&self, _: &Client) -> Option<Value> {
        None
    }
}

impl Client {
    /// The same client; `tap` is told of what it asks and is answered.
    pub fn tapped(&self, tap: Rc<Tap>) -> Self {
        let mut client = self.with(self.cx.clone());
        client.tap = Some(tap);
        client
    }

    /// Tells of an exchange that was not about objects.
    pub fn tell(&self, exchange: impl FnOnce() -> Exchange) {
        if let Some(tap) = &self.tap {
            (tap.heard)(exchange());
        }
    }

    /// A body's text, where somebody wants it.
    pub(super) fn body(&self, value: &Value) -> Option<String> {
        self.tap.as_ref().filter(|tap| tap.texts).map(|_| json::compact(value))
    }

    /// Passes a result on, having told of it.
    pub(super) fn note<'a, T: Shown>(
        &self,
        result: Result<T, Status>,
        asked: impl FnOnce() -> Asked<'a>,
    ) -> Result<T, Status> {
        if let Some(tap) = &self.tap {
            let exchange = self.exchange(tap, asked(), &result);
            (tap.heard)(exchange);
        }
        result
    }

    fn exchange<T: Shown>(
        &self,
        tap: &Tap,
        asked: Asked<'_>,
        result: &Result<T, Status>,
    ) -> Exchange {
        let path = self.path_of(&asked);
        let mut query = asked.query;
        if asked.list && tap.limit > 0 && !asked.watch {
            query.push(("limit", tap.limit.to_string()));
        }
        if !tap.timeout.is_empty() {
            query.push(("timeout", tap.timeout.clone()));
        }
        // As Go's `url.Values`: sorted by name, values in their order.
        query.sort_by_key(|(key, _)| *key);
        let pairs = query.iter().map(|(k, v)| format!("{k}={}", escape(v)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let reads = asked.method == "GET" && asked.part.is_empty();
        let status = match result {
            Ok(_) if ["exec", "attach", "portforward"].contains(&asked.part) => 101,
            Ok(_) if asked.method == "POST" => 201,
            Ok(value) if asked.method == "PATCH" && value.is_new() => 201,
            Ok(_) => 200,
            Err(status) => status.code,
        };
        let mut exchange = Exchange {
            method: asked.method,
            path,
            query,
            accept: if reads && tap.table { TABLE } else { "application/json" },
            content_type: asked.content_type,
            body: asked.body.unwrap_or_default(),
            status,
            answer_type: "application/json".into(),
            answer: String::new(),
            list: asked.list,
        };
        if tap.texts && reads && !asked.watch {
            self.read_again(&mut exchange);
        } else if tap.texts {
            let value = match result {
                Ok(value) => value.shown(self),
                Err(status) => Some(status.to_value()),
            };
            exchange.answer = value.map_or_else(String::new, |v| json::compact_typed(&v) + "\n");
        }
        exchange
    }

    fn path_of(&self, asked: &Asked<'_>) -> String {
        let kinds = self.api.kinds();
        let Some(kind) = kinds.all().find(|k| k.id == asked.kind) else { return "/".into() };
        let root = if kind.group.is_empty() { "api" } else { "apis" };
        let mut path = format!("/{root}/{}", kind.api_version());
        if kind.namespaced && !asked.namespace.is_empty() {
            path.push_str(&format!("/namespaces/{}", asked.namespace));
        }
        path.push_str(&format!("/{}", kind.plural));
        for segment in [asked.name, asked.part].into_iter().filter(|s| !s.is_empty()) {
            path.push_str(&format!("/{segment}"));
        }
        path
    }

    /// The text of an answer to a read.
    fn read_again(&self, exchange: &mut Exchange) {
        let user = Some(self.user().clone());
        let mut request = Request::get(&exchange.path, &exchange.query, user);
        request.headers.push(("Accept".into(), exchange.accept.into()));
        if let Some((media, text)) = self.text_of(&request) {
            (exchange.answer_type, exchange.answer) = (media, text);
        }
    }

    /// The media type and the text of the answer to a request that is answered at once.
    pub fn text_of(&self, request: &Request) -> Option<(String, String)> {
        let place: Rc<RefCell<Option<Response>>> = Rc::default();
        let to = place.clone();
        self.serve(request, move |response| *to.borrow_mut() = Some(response));
        let response = place.borrow_mut().take()?;
        let media = response.headers.iter().find(|(name, _)| name == "Content-Type");
        let media = media.map(|(_, value)| value.clone()).unwrap_or_default();
        match response.body {
            Body::Bytes(bytes) => Some((media, String::from_utf8_lossy(&bytes).into_owned())),
            _ => None,
        }
    }
}

/// A value as queries have it. Models `url.QueryEscape`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
