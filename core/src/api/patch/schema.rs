//! How strategic patches treat a field: which lists are merged, and by which key.
//!
//! The table holds what upstream's types carry in `patchStrategy` and `patchMergeKey` tags. What it
//! does not name is replaced as a whole (lists) or merged (maps).

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// A list of maps, matched by this key.
    Merge(&'static str),
    /// The same, and keys that the patch does not retain are dropped from an item.
    MergeRetain(&'static str),
    /// A list of plain values, joined as a set.
    MergeValues,
    /// A map that drops what the patch does not retain.
    Retain,
    /// Lists are replaced, maps are merged.
    Plain,
}

/// Field, the field it is in (empty: anywhere), strategy. The first line that fits counts.
const TABLE: &[(&str, &str, Strategy)] = &[
    ("addresses", "status", Strategy::Merge("type")),
    ("conditions", "", Strategy::Merge("type")),
    ("containers", "spec", Strategy::Merge("name")),
    ("env", "", Strategy::Merge("name")),
    ("ephemeralContainers", "spec", Strategy::Merge("name")),
    ("finalizers", "metadata", Strategy::MergeValues),
    ("hostAliases", "", Strategy::Merge("ip")),
    ("hostIPs", "", Strategy::Merge("ip")),
    ("imagePullSecrets", "", Strategy::Merge("name")),
    ("initContainers", "spec", Strategy::Merge("name")),
    ("ownerReferences", "metadata", Strategy::Merge("uid")),
    ("podCIDRs", "", Strategy::MergeValues),
    ("podIPs", "", Strategy::Merge("ip")),
    ("ports", "containers", Strategy::Merge("containerPort")),
    ("ports", "ephemeralContainers", Strategy::Merge("containerPort")),
    ("ports", "initContainers", Strategy::Merge("containerPort")),
    ("ports", "spec", Strategy::Merge("port")),
    ("resourceClaims", "spec", Strategy::MergeRetain("name")),
    ("schedulingGates", "spec", Strategy::Merge("name")),
    ("secrets", "", Strategy::Merge("name")),
    ("strategy", "spec", Strategy::Retain),
    ("topologySpreadConstraints", "spec", Strategy::Merge("topologyKey")),
    ("volumeDevices", "", Strategy::Merge("devicePath")),
    ("volumeMounts", "", Strategy::Merge("mountPath")),
    ("volumes", "spec", Strategy::MergeRetain("name")),
    ("webhooks", "", Strategy::Merge("name")),
];

/// The strategy of `field` in the map that `parent` names.
pub(super) fn strategy(parent: &str, field: &str) -> Strategy {
    let line = TABLE.iter().find(|(f, p, _)| *f == field && (p.is_empty() || *p == parent));
    line.map_or(Strategy::Plain, |(.., s)| *s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        assert_eq!(strategy("spec", "ports"), Strategy::Merge("port"));
        assert_eq!(strategy("containers", "ports"), Strategy::Merge("containerPort"));
        assert_eq!(strategy("subsets", "ports"), Strategy::Plain);
    }
}
