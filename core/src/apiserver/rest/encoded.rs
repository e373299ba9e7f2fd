//! Objects as JSON text, kept as long as they are what is stored: many clients are sent the same
//! text, in answers, lists and watches.
//!
//! Not here: other forms (tables, YAML, indented text), which are made for who asks.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::{
    api::{DynamicObject, ObjRef, json},
    apiserver::{ApiServer, fields},
};

/// So many bytes are kept; then it begins anew.
const MOST: usize = 32 << 20;

/// Texts by the objects' uids.
#[derive(Default)]
pub struct Texts(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    by_uid: BTreeMap<u128, (ObjRef, Rc<str>)>,
    size: usize,
}

impl ApiServer {
    /// An object as lists hold it: without `apiVersion` and `kind`, unless it is a custom resource.
    pub(super) fn item_text(&self, object: &ObjRef) -> Rc<str> {
        let uid = fields::number(&**object);
        let known = self.0.texts.0.borrow().by_uid.get(&uid).and_then(|(of, text)| {
            // A dry run's answer has uid and version of what is stored, and is something else.
            Rc::ptr_eq(of, object).then(|| text.clone())
        });
        if let Some(known) = known {
            return known;
        }
        let text: Rc<str> = self.write_item(object).into();
        if object.metadata().resource_version.is_some() {
            let mut kept = self.0.texts.0.borrow_mut();
            if kept.size + text.len() > MOST {
                *kept = Kept::default();
            }
            kept.size += text.len();
            if let Some((_, old)) = kept.by_uid.insert(uid, (object.clone(), text.clone())) {
                kept.size -= old.len();
            }
        }
        text
    }

    fn write_item(&self, object: &ObjRef) -> String {
        let mut value = self.full_value(&**object);
        if is_custom(object) {
            return json::compact(&value);
        }
        if let Some(map) = value.as_object_mut() {
            map.remove("apiVersion");
            map.remove("kind");
        }
        json::compact_typed(&value)
    }

    /// An object as text, appended to `out`.
    pub(super) fn object_text(&self, object: &ObjRef, out: &mut String) {
        let item = self.item_text(object);
        let inside = item.strip_prefix('{').filter(|_| !is_custom(object));
        let Some(inside) = inside else { return out.push_str(&item) };
        let kind = self.kind(object.kind_id());
        let version = kind.api_version();
        out.reserve(item.len() + 64);
        out.push_str(&format!("{{\"kind\":\"{}\",\"apiVersion\":\"{version}\"", kind.kind));
        if !inside.starts_with('}') {
            out.push(',');
        }
        out.push_str(inside);
    }
}

fn is_custom(object: &ObjRef) -> bool {
    object.as_any().is::<DynamicObject>()
}
