//! Who controls what: finding a controller, adopting what matches, releasing what no longer does.
//!
//! Models `pkg/controller/controller_ref_manager.go`.

use std::rc::Rc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::{
        Object, Status, Typed,
        meta::{controller_of, controller_ref, is_deleting},
        selector::Selector,
    },
    client::Client,
};

/// The controller of an object, if it is a `T` and still the same one.
pub fn controller<T: Typed>(client: &Client, meta: &ObjectMeta) -> Option<Rc<T>> {
    let owner = controller_of(meta).filter(|o| o.kind == T::KIND)?;
    let found = client.find::<T>(meta.namespace.as_deref().unwrap_or_default(), &owner.name)?;
    (found.metadata().uid.as_deref() == Some(owner.uid.as_str())).then_some(found)
}

/// Makes `owner` the controller of an object that has none. Errors: NotFound, Conflict …
pub fn adopt<T: Typed>(client: &Client, owner: &dyn Object, object: &T) -> Result<Rc<T>, Status> {
    let mut adopted = object.clone();
    let reference = controller_ref(&client.kinds(), owner);
    adopted.metadata_mut().owner_references.get_or_insert_default().push(reference);
    client.update(adopted)
}

/// Ends `owner`'s control of an object.
pub fn release<T: Typed>(client: &Client, owner: &dyn Object, object: &T) -> Result<Rc<T>, Status> {
    let mut released = object.clone();
    let references = &mut released.metadata_mut().owner_references;
    if let Some(list) = references {
        list.retain(|o| o.uid != owner.uid());
    }
    if references.as_ref().is_some_and(Vec::is_empty) {
        *references = None;
    }
    client.update(released)
}

/// Of `objects`, those that `owner` controls in the end: its own that match (others are released)
/// and those without controller that match (they are adopted). Someone else's are left alone, and
/// an owner that is going neither adopts nor releases.
pub fn claim<T: Typed>(
    client: &Client,
    owner: &dyn Object,
    selector: &Selector,
    objects: Vec<Rc<T>>,
) -> Result<Vec<Rc<T>>, Status> {
    let mut claimed = Vec::with_capacity(objects.len());
    let going = is_deleting(owner.metadata());
    for object in objects {
        let meta = Object::metadata(&*object);
        let matches = selector.matches(meta.labels.as_ref());
        match controller_of(meta) {
            Some(reference) if reference.uid != owner.uid() => {}
            Some(_) if matches => claimed.push(object),
            Some(_) if going => {}
            Some(_) => ignore_gone(release(client, owner, &*object))?,
            None if !matches || going || is_deleting(meta) => {}
            None => match adopt(client, owner, &*object) {
                Ok(adopted) => claimed.push(adopted),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            },
        }
    }
    Ok(claimed)
}

fn ignore_gone<T>(result: Result<T, Status>) -> Result<(), Status> {
    match result {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
