//! Amounts of resources as the scheduler counts them.
//!
//! Models `pkg/scheduler/framework/types.go` (`Resource`) and
//! `component-helpers/resource/helpers.go` (`PodRequests`).

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, ContainerStatus, Pod, PodSpec},
    apimachinery::pkg::api::resource::Quantity,
};

/// What a container counts for in scores if it does not ask for any CPU, in thousandths.
const DEFAULT_CPU: i64 = 100;
/// The same for memory, in bytes.
const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

type List = BTreeMap<String, Quantity>;

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub storage: i64,
    /// Pods (allocatable only).
    pub pods: i64,
    /// All others, by name.
    pub scalar: BTreeMap<String, i64>,
}

impl Resources {
    /// From a list as API objects carry it.
    pub fn of(list: Option<&List>) -> Self {
        let mut made = Resources::default();
        for (name, quantity) in list.into_iter().flatten() {
            match name.as_str() {
                "cpu" => made.cpu = milli(quantity),
                "memory" => made.memory = whole(quantity),
                "ephemeral-storage" => made.storage = whole(quantity),
                "pods" => made.pods = whole(quantity),
                _ => {
                    made.scalar.insert(name.clone(), whole(quantity));
                }
            }
        }
        made
    }

    /// The amount of one.
    pub fn get(&self, name: &str) -> i64 {
        match name {
            "cpu" => self.cpu,
            "memory" => self.memory,
            "ephemeral-storage" => self.storage,
            "pods" => self.pods,
            _ => self.scalar.get(name).copied().unwrap_or(0),
        }
    }

    /// Whether a resource is none of Kubernetes' own (`example.com/device`).
    pub fn is_extended(name: &str) -> bool {
        name.contains('/') && !name.starts_with("kubernetes.io/")
    }

    fn combine(&mut self, other: &Resources, op: fn(i64, i64) -> i64) {
        self.cpu = op(self.cpu, other.cpu);
        self.memory = op(self.memory, other.memory);
        self.storage = op(self.storage, other.storage);
        for (name, amount) in &other.scalar {
            let own = self.scalar.entry(name.clone()).or_default();
            *own = op(*own, *amount);
        }
    }

    /// Adds amounts.
    pub fn add(&mut self, other: &Resources) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes amounts away.
    pub fn sub(&mut self, other: &Resources) {
        self.combine(other, i64::saturating_sub);
    }

    fn max(&mut self, other: &Resources) {
        self.combine(other, i64::max);
    }

    /// Whether nothing is asked for.
    pub fn is_zero(&self) -> bool {
        self.cpu == 0
            && self.memory == 0
            && self.storage == 0
            && self.scalar.values().all(|n| *n == 0)
    }
}

/// What a pod asks for in all: its containers together, or the largest step of its start.
/// `default`: containers that ask for no CPU or memory count for a little of it.
pub fn of_pod(pod: &Pod, default: bool) -> Resources {
    let Some(spec) = &pod.spec else { return Resources::default() };
    let mut total = Resources::default();
    for container in &spec.containers {
        total.add(&of_container(pod, container, default));
    }
    let (mut sidecars, mut largest) = (Resources::default(), Resources::default());
    for container in spec.init_containers.iter().flatten() {
        let own = of_container(pod, container, default);
        if container.restart_policy.as_deref() == Some("Always") {
            total.add(&own);
            sidecars.add(&own);
            largest.max(&sidecars);
        } else {
            let mut step = sidecars.clone();
            step.add(&own);
            largest.max(&step);
        }
    }
    total.max(&largest);
    pod_level(spec, &mut total);
    if let Some(overhead) = &spec.overhead {
        total.add(&Resources::of(Some(overhead)));
    }
    total
}

/// Requests of the pod as a whole replace those of its containers.
fn pod_level(spec: &PodSpec, total: &mut Resources) {
    let Some(list) = spec.resources.as_ref().and_then(|r| r.requests.as_ref()) else { return };
    let own = Resources::of(Some(list));
    for name in list.keys() {
        match name.as_str() {
            "cpu" => total.cpu = own.cpu,
            "memory" => total.memory = own.memory,
            pages if pages.starts_with("hugepages-") => {
                total.scalar.insert(name.clone(), own.get(name));
            }
            _ => {}
        }
    }
}

/// What a container asks for, or has while its pod is being resized, whichever is more; what it has
/// where the node can't resize it.
fn of_container(pod: &Pod, container: &Container, default: bool) -> Resources {
    let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
    let mut own = Resources::of(requests);
    if let Some(status) = status_of(pod, &container.name) {
        let mut has = Resources::of(status.allocated_resources.as_ref());
        has.max(&Resources::of(status.resources.as_ref().and_then(|r| r.requests.as_ref())));
        if is_infeasible(pod) {
            own = has;
        } else {
            own.max(&has);
        }
    }
    if default {
        if !requests.is_some_and(|r| r.contains_key("cpu")) {
            own.cpu = DEFAULT_CPU;
        }
        if !requests.is_some_and(|r| r.contains_key("memory")) {
            own.memory = DEFAULT_MEMORY;
        }
    }
    own
}

/// A container's status, where it says something of resources.
fn status_of<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let mut all = status.container_statuses.iter().flatten().chain(init);
    let found = all.find(|s| s.name == name)?;
    (found.resources.is_some() || found.allocated_resources.is_some()).then_some(found)
}

fn is_infeasible(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "PodResizePending" && c.reason.as_deref() == Some("Infeasible"))
}

/// Whether a change of a pod's status may change what it counts for: it has been resized.
pub fn may_differ(old: &Pod, new: &Pod) -> bool {
    let has = |pod: &Pod| {
        let status = pod.status.as_ref();
        let all = status.and_then(|s| s.container_statuses.as_ref()).into_iter().flatten();
        all.map(|s| (s.resources.clone(), s.allocated_resources.clone())).collect::<Vec<_>>()
    };
    is_infeasible(old) != is_infeasible(new) || has(old) != has(new)
}

/// A quantity in thousandths, rounded up; what can't be read counts as nothing.
pub fn milli(quantity: &Quantity) -> i64 {
    parse(&quantity.0).map_or(0, |n| clamp(ceil(n, 1_000_000)))
}

/// A quantity in whole units, rounded up; what can't be read counts as nothing.
pub fn whole(quantity: &Quantity) -> i64 {
    parse(&quantity.0).map_or(0, |n| clamp(ceil(n, 1_000_000_000)))
}

fn clamp(n: i128) -> i64 {
    n.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

fn ceil(n: i128, unit: i128) -> i128 {
    n.div_euclid(unit) + i128::from(n.rem_euclid(unit) != 0)
}

/// In billionths.
fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *c == '.' || (*i == 0 && matches!(c, '+' | '-'))))
        .map_or(text.len(), |(i, _)| i);
    let (number, suffix) = text.split_at(end);
    let negative = number.starts_with('-');
    let number = number.trim_start_matches(['+', '-']);
    let (int, fraction) = number.split_once('.').unwrap_or((number, ""));
    if int.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i128 = if int.is_empty() { 0 } else { int.parse().ok()? };
    value = value.checked_mul(1_000_000_000)?;
    let mut place = 100_000_000i128;
    for digit in fraction.bytes().take(9) {
        value += i128::from(digit.checked_sub(b'0')?) * place;
        place /= 10;
    }
    let value = scale(value, suffix)?;
    Some(if negative { -value } else { value })
}

fn scale(value: i128, suffix: &str) -> Option<i128> {
    let power = |base: i128, n: u32| base.checked_pow(n).and_then(|f| value.checked_mul(f));
    match suffix {
        "" => Some(value),
        "n" => Some(value / 1_000_000_000),
        "u" => Some(value / 1_000_000),
        "m" => Some(value / 1000),
        "k" => power(1000, 1),
        "M" => power(1000, 2),
        "G" => power(1000, 3),
        "T" => power(1000, 4),
        "P" => power(1000, 5),
        "E" => power(1000, 6),
        "Ki" => power(1024, 1),
        "Mi" => power(1024, 2),
        "Gi" => power(1024, 3),
        "Ti" => power(1024, 4),
        "Pi" => power(1024, 5),
        "Ei" => power(1024, 6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            if exponent >= 0 {
                power(10, exponent as u32)
            } else {
                Some(value / 10i128.checked_pow(exponent.unsigned_abs())?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_all_their_forms() {
        for (text, thousandths, units) in [
            ("1", 1000, 1),
            ("100m", 100, 1),
            ("1.5", 1500, 2),
            (".5", 500, 1),
            ("1Ki", 1_024_000, 1024),
            ("1.5Gi", 1_610_612_736_000, 1_610_612_736),
            ("2k", 2_000_000, 2000),
            ("1e3", 1_000_000, 1000),
            ("5u", 1, 1),
            ("-1", -1000, -1),
            ("x", 0, 0),
            ("", 0, 0),
        ] {
            let quantity = Quantity(text.into());
            assert_eq!((milli(&quantity), whole(&quantity)), (thousandths, units), "{text}");
        }
    }

    #[test]
    fn a_pod_asks_for_its_largest_moment() {
        let pod = serde_json::json!({"spec": {
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "900m", "memory": "1Mi"}}},
            ],
            "containers": [
                {"name": "a", "resources": {"requests": {"cpu": "200m"}}}, {"name": "b"}],
            "overhead": {"cpu": "10m"},
        }});
        let pod: Pod = crate::api::object::from_value(pod).unwrap();
        let asked = of_pod(&pod, false);
        assert_eq!((asked.cpu, asked.memory), (1010, 1024 * 1024));
        // With defaults: 100 + 200 + 100 together stay below the start's 100 + 900.
        assert_eq!(of_pod(&pod, true).cpu, 1010);
        assert_eq!(of_pod(&pod, true).memory, 3 * DEFAULT_MEMORY);
    }
}
