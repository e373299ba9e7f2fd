//! Expressions over a device: `device.attributes["gpu.example.com"].model == "LATEST"`.
//!
//! Models `dynamic-resource-allocation/cel`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use k8s_openapi::api::resource::v1::{Device, DeviceAttribute, DeviceSelector};

use crate::api::{
    cel::{Program, Val},
    quantity::Amount,
};

/// Compiled expressions, each once.
#[derive(Default)]
pub struct Programs(RefCell<BTreeMap<String, Rc<Result<Program, String>>>>);

/// Variables of an expression.
pub type Variables = BTreeMap<String, Val>;

impl Programs {
    fn get(&self, text: &str) -> Rc<Result<Program, String>> {
        if let Some(known) = self.0.borrow().get(text) {
            return known.clone();
        }
        let made = Rc::new(Program::compile(text, &["device"]));
        self.0.borrow_mut().insert(text.to_string(), made.clone());
        made
    }

    /// Whether all selectors choose a device. Errors name the selector's place.
    pub fn choose(&self, selectors: &[DeviceSelector], device: &Variables) -> Result<bool, String> {
        for (i, selector) in selectors.iter().enumerate() {
            let text = selector.cel.as_ref().map(|c| c.expression.as_str()).unwrap_or_default();
            let program = self.get(text);
            let program = program.as_ref().as_ref().map_err(|why| {
                format!("selector #{i}: CEL compile error: compilation failed: {why}")
            })?;
            let wrong = |why: String| format!("selector #{i}: CEL runtime error: {why}");
            match program.run(device).map_err(wrong)? {
                Val::Bool(true) => {}
                Val::Bool(false) => return Ok(false),
                other => {
                    let kind = other.type_name();
                    return Err(wrong(format!(
                        "CEL result of type {kind} could not be converted to bool"
                    )));
                }
            }
        }
        Ok(true)
    }
}

fn attribute(given: &DeviceAttribute) -> Result<Val, String> {
    if let Some(n) = given.int {
        return Ok(Val::Int(n));
    }
    if let Some(is) = given.bool {
        return Ok(Val::Bool(is));
    }
    if let Some(text) = &given.string {
        return Ok(text.as_str().into());
    }
    let Some(version) = &given.version else { return Err("unsupported attribute value".into()) };
    Val::semver(version)
        .ok_or_else(|| "parse semantic version: No Major.Minor.Patch elements found".into())
}

/// Values by domain and name; a name without domain is the driver's.
fn by_domain(values: Vec<(&String, Val)>, driver: &str) -> Val {
    let mut domains: BTreeMap<&str, Vec<(Val, Val)>> = BTreeMap::new();
    for (name, value) in values {
        let (domain, id) = name.split_once('/').unwrap_or((driver, name));
        domains.entry(domain).or_default().push((id.into(), value));
    }
    let domain = |(name, entries): (&str, Vec<(Val, Val)>)| (name.into(), Val::Map(entries.into()));
    Val::Sparse(domains.into_iter().map(domain).collect())
}

/// What expressions see of a device.
pub fn variables(device: &Device, driver: &str) -> Result<Variables, String> {
    let mut attributes = Vec::new();
    for (name, given) in device.attributes.iter().flatten() {
        let value = attribute(given).map_err(|why| format!("attribute {name}: {why}"))?;
        attributes.push((name, value));
    }
    let capacity = device.capacity.iter().flatten();
    let capacity = capacity.map(|(name, c)| (name, Val::Quantity(Amount::of(&c.value)))).collect();
    let shared = device.allow_multiple_allocations == Some(true);
    let fields: [(Val, Val); 4] = [
        ("driver".into(), driver.into()),
        ("allowMultipleAllocations".into(), shared.into()),
        ("attributes".into(), by_domain(attributes, driver)),
        ("capacity".into(), by_domain(capacity, driver)),
    ];
    Ok(BTreeMap::from([("device".to_string(), Val::Map(Rc::from(fields)))]))
}
