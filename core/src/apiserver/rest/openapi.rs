//! `/openapi`: documents about the API itself. Made once, and again when kinds or schemas change.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use serde_json::Value;

use super::{Answer, Call, Handled, Response, not_allowed, page_not_found};
use crate::api::{json, openapi::protobuf};

/// What clients name the binary form of the older document.
const BINARY: &str = "application/com.github.proto-openapi.spec.v2";
/// Its media type.
const BINARY_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Documents that were asked for, by path: what they were made from, and their text.
#[derive(Default)]
pub struct Documents(RefCell<BTreeMap<String, (String, Rc<Vec<u8>>)>>);

impl Documents {
    fn get(&self, path: &str, of: &str, make: impl FnOnce() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        if let Some((known, bytes)) = self.0.borrow().get(path) {
            if known == of {
                return Some(bytes.to_vec());
            }
        }
        let bytes = Rc::new(make()?);
        self.0.borrow_mut().insert(path.to_owned(), (of.to_owned(), bytes.clone()));
        Some(bytes.to_vec())
    }
}

impl Call<'_> {
    pub(super) fn openapi(&self, segments: &[&str]) -> Handled {
        if !matches!(self.method(), "GET" | "HEAD") {
            return Err(not_allowed());
        }
        let index = self.api.openapi_v3_index();
        let documents = &self.api.0.documents;
        let (media_type, bytes) = match segments {
            ["openapi", "v3"] => return Ok(self.accept.plain().encode(200, &index).into()),
            ["openapi", "v3", rest @ ..] => {
                let place = rest.join("/");
                let url = index.pointer("/paths").and_then(|paths| paths.get(&place));
                let of = url.map(Value::to_string).unwrap_or_default();
                let make = || Some(json::compact(&self.api.openapi_v3(&place)?).into_bytes());
                ("application/json", documents.get(&place, &of, make))
            }
            ["openapi", "v2"] if self.request.header("accept").contains(BINARY) => {
                let make = || Some(protobuf::encode(&self.api.openapi_v2()));
                (BINARY_TYPE, documents.get("v2 binary", &index.to_string(), make))
            }
            ["openapi", "v2"] => {
                let make = || Some(json::compact(&self.api.openapi_v2()).into_bytes());
                ("application/json", documents.get("v2", &index.to_string(), make))
            }
            _ => ("", None),
        };
        let Some(bytes) = bytes else { return Ok(page_not_found().into()) };
        Ok(Answer::Now(Response::bytes(200, media_type, bytes)))
    }
}
