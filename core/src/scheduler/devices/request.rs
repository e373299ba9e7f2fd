//! What a claim's requests ask for.

use std::rc::Rc;

use k8s_openapi::api::resource::v1::{
    CapacityRequirements, DeviceClass, DeviceRequest, DeviceSelector, DeviceTaint,
    DeviceToleration, ResourceClaim,
};

use super::Trouble;
use crate::api::claims;

/// One request, or one of the alternatives that a request names.
pub struct Wish<'a> {
    /// Its name.
    pub name: &'a str,
    /// The request of which it is an alternative.
    pub parent: Option<&'a str>,
    /// The class of its devices.
    pub class: &'a str,
    mode: Option<&'a str>,
    count: i64,
    /// Whether it asks for access to devices that others have.
    pub admin: bool,
    /// Expressions over a device.
    pub selectors: &'a [DeviceSelector],
    /// Taints that are no obstacle.
    pub tolerations: &'a [DeviceToleration],
    /// What of a device it needs.
    pub capacity: Option<&'a CapacityRequirements>,
}

/// How many devices a wish wants.
pub enum Number {
    /// So many.
    Exactly(usize),
    /// Every one that suits.
    All,
}

impl Wish<'_> {
    /// `request`, or `request/alternative`.
    pub fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{parent}/{}", self.name),
            None => self.name.to_string(),
        }
    }

    /// The name by which constraints know its request.
    pub fn base_name(&self) -> &str {
        self.parent.unwrap_or(self.name)
    }

    /// How many it wants. `claim` is named in errors.
    pub fn number(&self, claim: &str) -> Result<Number, Trouble> {
        match self.mode {
            Some("ExactCount") | None => {
                Ok(Number::Exactly(usize::try_from(self.count).unwrap_or(0)))
            }
            Some("All") => Ok(Number::All),
            Some(other) => Err(Trouble::Fatal(format!(
                "claim {claim}, request {}: unsupported count mode {other}",
                self.name
            ))),
        }
    }

    /// Whether a device's taints keep it away.
    pub fn is_repelled(&self, taints: &[DeviceTaint]) -> bool {
        let keeps_away = |t: &&DeviceTaint| matches!(&*t.effect, "NoExecute" | "NoSchedule");
        let tolerated = |taint| self.tolerations.iter().any(|t| claims::tolerates(t, taint));
        taints.iter().filter(keeps_away).any(|taint| !tolerated(taint))
    }
}

/// What a request asks for: one wish, or alternatives of which the first that can be had is taken.
pub fn wishes(request: &DeviceRequest) -> Vec<Wish<'_>> {
    if let Some(exactly) = &request.exactly {
        return vec![Wish {
            name: &request.name,
            parent: None,
            class: &exactly.device_class_name,
            mode: exactly.allocation_mode.as_deref(),
            count: exactly.count.unwrap_or(1),
            admin: exactly.admin_access == Some(true),
            selectors: exactly.selectors.as_deref().unwrap_or_default(),
            tolerations: exactly.tolerations.as_deref().unwrap_or_default(),
            capacity: exactly.capacity.as_ref(),
        }];
    }
    let alternatives = request.first_available.iter().flatten();
    alternatives
        .map(|sub| Wish {
            name: &sub.name,
            parent: Some(&request.name),
            class: &sub.device_class_name,
            mode: sub.allocation_mode.as_deref(),
            count: sub.count.unwrap_or(1),
            admin: false,
            selectors: sub.selectors.as_deref().unwrap_or_default(),
            tolerations: sub.tolerations.as_deref().unwrap_or_default(),
            capacity: sub.capacity.as_ref(),
        })
        .collect()
}

/// A claim's requests.
pub fn requests(claim: &ResourceClaim) -> &[DeviceRequest] {
    let devices = claim.spec.devices.as_ref();
    devices.and_then(|d| d.requests.as_deref()).unwrap_or_default()
}

/// `namespace/name`, as messages call a claim.
pub fn claim_name(claim: &ResourceClaim) -> String {
    let object: &dyn crate::api::Object = claim;
    format!("{}/{}", object.namespace(), object.name())
}

/// A wish, and what was found out about it on a node.
pub struct Alternative<'a> {
    /// The wish.
    pub wish: Wish<'a>,
    /// Its class.
    pub class: Rc<DeviceClass>,
    /// How many devices it takes.
    pub number: usize,
    /// The very devices, where it takes all that suit: their places among the candidates.
    pub all: Option<Vec<usize>>,
}

/// A request: one wish or several of which one is enough.
pub struct Request<'a> {
    /// In the order of preference.
    pub alternatives: Vec<Alternative<'a>>,
}

impl Request<'_> {
    /// Whether it names alternatives.
    pub fn is_list(&self) -> bool {
        self.alternatives.first().is_some_and(|a| a.wish.parent.is_some())
    }
}
