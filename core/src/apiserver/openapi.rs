//! The documents that describe this server's API. What they hold is made in [`crate::api::openapi`];
//! here are the kinds that they are about.

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value;

use super::ApiServer;
use crate::api::{
    Kind,
    openapi::{self, Described},
    schema,
};

impl ApiServer {
    /// The list of documents, one a group version (`GET /openapi/v3`).
    pub fn openapi_v3_index(&self) -> Value {
        let mut places: BTreeMap<String, u64> = BTreeMap::new();
        for (kind, custom) in self.described() {
            // Not a digest of the whole document: it changes when a kind or its schema does.
            let text = custom.map(|s| crate::api::json::compact(&s)).unwrap_or_default();
            let hash = places.entry(openapi::place(&kind)).or_insert(0xcbf2_9ce4_8422_2325);
            for byte in kind.kind.bytes().chain(text.bytes()) {
                *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        openapi::index(&places)
    }

    /// The document of a group version (`api/v1`, `apis/apps/v1`); `None` where there is none.
    pub fn openapi_v3(&self, place: &str) -> Option<Value> {
        let kinds: Vec<Described> =
            self.described().filter(|(kind, _)| openapi::place(kind) == place).collect();
        (!kinds.is_empty()).then(|| openapi::group_version(&kinds))
    }

    /// The document of everything in the older form (`GET /openapi/v2`).
    pub fn openapi_v2(&self) -> Value {
        openapi::v2(&self.described().collect::<Vec<_>>())
    }

    /// Every kind, with its schema if it is a custom resource's.
    fn described(&self) -> impl Iterator<Item = Described> {
        let kinds: Vec<Rc<Kind>> = self.kinds().iter().cloned().collect();
        kinds.into_iter().map(|kind| {
            let built_in = schema::of_kind(&kind.group, &kind.version, &kind.kind).is_some();
            let custom = if built_in { None } else { self.custom_schema(&kind) };
            (kind, custom)
        })
    }

    /// The schema of a custom resource's version, from its definition.
    pub fn custom_schema(&self, kind: &Kind) -> Option<Value> {
        let definitions = {
            let kinds = self.kinds();
            kinds.by_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")?.id
        };
        let definition = self.store().get(definitions, "", &kind.resource())?.to_value();
        let versions = definition.pointer("/spec/versions")?.as_array()?;
        let version = versions
            .iter()
            .find(|v| v.get("name").and_then(Value::as_str) == Some(&kind.version))?;
        version.pointer("/schema/openAPIV3Schema").cloned()
    }
}
