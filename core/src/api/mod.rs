//! What an API object is: kinds, metadata, selectors, errors. No storage, no rules of any one kind.
//!
//! Invariant: typed objects are made from and turned into [`serde_json::Value`] in [`object`] only,
//! so that the download carries each type's code once.

pub mod base64;
pub mod bootstrap_tokens;
pub mod cel;
pub mod cidr;
pub mod claims;
pub mod cron;
pub mod duration;
pub mod errors;
pub mod gofmt;
pub mod json;
pub mod kinds;
pub mod meta;
pub mod names;
pub mod object;
#[cfg(feature = "cluster")]
pub mod openapi;
pub mod patch;
pub mod path;
pub mod pods;
pub mod quantity;
pub mod quota;
pub mod scheduling;
pub mod schema;
pub mod selector;
pub mod versions;
pub mod volumes;
mod wire;
pub mod yaml;
pub mod zones;

pub use errors::{FieldError, Status};
pub use kinds::{Kind, KindId, KindTable};
pub use object::{DynamicObject, ObjRef, Object, Typed};
pub use path::Path;
