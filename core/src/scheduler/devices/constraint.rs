//! Which devices go together, by an attribute in which all must be alike or all different.
//!
//! Models `matchAttributeConstraint` and `distinctAttributeConstraint`.

use k8s_openapi::api::resource::v1::{Device, DeviceAttribute, DeviceConstraint};

use super::request::Wish;

/// A constraint and the devices that are under it at the moment, in the order in which they came.
pub struct Constraint<'a> {
    requests: &'a [String],
    attribute: &'a str,
    distinct: bool,
    held: Vec<&'a DeviceAttribute>,
}

impl<'a> Constraint<'a> {
    /// One that holds nothing yet; `None` if it says neither.
    pub fn of(given: &'a DeviceConstraint) -> Option<Self> {
        let (attribute, distinct) = match (&given.match_attribute, &given.distinct_attribute) {
            (Some(name), _) => (name, false),
            (None, Some(name)) => (name, true),
            (None, None) => return None,
        };
        let requests = given.requests.as_deref().unwrap_or_default();
        Some(Constraint { requests, attribute, distinct, held: Vec::new() })
    }

    fn applies(&self, wish: &Wish) -> bool {
        let full = wish.full_name();
        self.requests.is_empty()
            || self.requests.iter().any(|r| *r == full || r == wish.base_name())
    }

    /// Puts a device under it; `false` if it does not go with the others.
    pub fn add(&mut self, wish: &Wish, driver: &str, device: &'a Device) -> bool {
        if !self.applies(wish) {
            return true;
        }
        let Some(attribute) = look_up(device, driver, self.attribute) else { return false };
        let fits = match (self.distinct, self.held.first()) {
            (_, None) => true,
            (false, Some(first)) => alike(attribute, first),
            (true, Some(_)) => {
                is_known(attribute) && !self.held.iter().any(|other| alike(attribute, other))
            }
        };
        if fits {
            self.held.push(attribute);
        }
        fits
    }

    /// Takes the device back that came last.
    pub fn remove(&mut self, wish: &Wish) {
        if self.applies(wish) {
            self.held.pop();
        }
    }
}

/// Attributes without domain belong to the driver's.
fn look_up<'a>(device: &'a Device, driver: &str, name: &str) -> Option<&'a DeviceAttribute> {
    let attributes = device.attributes.as_ref()?;
    attributes.get(name).or_else(|| {
        let (domain, id) = name.split_once('/')?;
        attributes.get(id).filter(|_| domain == driver)
    })
}

fn is_known(a: &DeviceAttribute) -> bool {
    a.string.is_some() || a.int.is_some() || a.bool.is_some() || a.version.is_some()
}

/// Versions have one way to be written, so that they compare as texts.
fn alike(a: &DeviceAttribute, b: &DeviceAttribute) -> bool {
    is_known(a) && (&a.string, a.int, a.bool, &a.version) == (&b.string, b.int, b.bool, &b.version)
}
