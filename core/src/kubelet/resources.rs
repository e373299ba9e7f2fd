//! Quantities of resources as the kubelet needs them: bytes and thousandths of a processor.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, PodSpec},
    apimachinery::pkg::api::resource::Quantity,
};

/// A quantity's value in thousandths (of bytes, processors …), rounded up; 0 if it can't be read.
pub fn milli(quantity: &Quantity) -> u128 {
    let text = quantity.0.trim();
    let end = text
        .char_indices()
        .find(|(i, c)| {
            !(c.is_ascii_digit() || *c == '.' || (*i == 0 && *c == '+'))
        })
        .map_or(text.len(), |(i, _)| i);
    let (number, suffix) = text.split_at(end);
    let number = number.trim_start_matches('+');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(0) };
    let fraction: String = fraction.chars().take(9).collect();
    let nanos: u128 = format!("{fraction:0<9}").parse().unwrap_or(0);
    let nano_total = whole.saturating_mul(1_000_000_000).saturating_add(nanos);
    let scale: (u128, u128) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => match exponent.strip_prefix(['e', 'E']).and_then(|e| e.parse::<u32>().ok()) {
            Some(power) if power <= 18 => (10_u128.pow(power), 1),
            _ => return 0,
        },
    };
    (nano_total.saturating_mul(scale.0) / scale.1).div_ceil(1_000_000)
}

/// A quantity's value, rounded up.
pub fn value(quantity: &Quantity) -> u64 {
    u64::try_from(milli(quantity).div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// A quantity's value in thousandths, for processors.
pub fn milli_value(quantity: &Quantity) -> u64 {
    u64::try_from(milli(quantity)).unwrap_or(u64::MAX)
}

type List = BTreeMap<String, Quantity>;

/// A container's limit of a resource.
pub fn limit<'a>(container: &'a Container, name: &str) -> Option<&'a Quantity> {
    container.resources.as_ref()?.limits.as_ref()?.get(name)
}

/// A container's request of a resource.
pub fn request<'a>(container: &'a Container, name: &str) -> Option<&'a Quantity> {
    let list: &List = container.resources.as_ref()?.requests.as_ref()?;
    list.get(name)
}

/// Thousandths of a resource that a pod asks for: its containers' sum, or its hungriest init
/// container with the sidecars before it, and overhead. Models `resourcehelper.PodRequests`.
pub fn pod_request(spec: &PodSpec, name: &str) -> u128 {
    let of = |c: &Container| request(c, name).map_or(0, milli);
    let mut sidecars = 0;
    let mut peak = 0;
    for container in spec.init_containers.iter().flatten() {
        if super::plan::is_sidecar(container) {
            sidecars += of(container);
            peak = peak.max(sidecars);
        } else {
            peak = peak.max(sidecars + of(container));
        }
    }
    let sum: u128 = spec.containers.iter().map(of).sum();
    let overhead = spec.overhead.as_ref().and_then(|o| o.get(name)).map_or(0, milli);
    (sum + sidecars).max(peak) + overhead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, want) in [
            ("64Mi", 64 << 20),
            ("1.5Gi", 3 << 29),
            ("100m", 1),
            ("2", 2),
            ("2k", 2_000),
            ("1e3", 1_000),
            ("0", 0),
            ("nonsense", 0),
            ("", 0),
        ] {
            assert_eq!(value(&Quantity(text.into())), want, "{text}");
        }
        assert_eq!(milli_value(&Quantity("250m".into())), 250);
        assert_eq!(milli_value(&Quantity("1.5".into())), 1_500);
    }
}
