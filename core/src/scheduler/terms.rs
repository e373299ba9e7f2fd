//! A pod's wishes about other pods, in a form that can be matched quickly and compared.
//!
//! Models `framework.AffinityTerm` and `GetNamespaceLabelsSnapshot`.

use k8s_openapi::api::core::v1::{Affinity, Namespace, PodAffinityTerm, WeightedPodAffinityTerm};

use super::cache::PodInfo;
use crate::{
    api::{Object, selector::Selector},
    client::Client,
};

/// Pods of these namespaces that a selector matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    namespaces: Vec<String>,
    namespace_selector: Option<Selector>,
    selector: Selector,
}

impl About {
    /// Pods of one namespace.
    pub fn within(namespace: &str, selector: Selector) -> Self {
        About { namespaces: vec![namespace.to_string()], namespace_selector: None, selector }
    }

    /// Whether a pod is one of them.
    pub fn includes(&self, client: &Client, pod: &PodInfo) -> bool {
        self.selector.matches(pod.pod.metadata.labels.as_ref())
            && (self.namespaces.iter().any(|n| n == pod.namespace())
                || self.namespace_selector.as_ref().is_some_and(|s| {
                    let found = client.find::<Namespace>("", pod.namespace());
                    found
                        .is_some_and(|n| s.matches((&*n as &dyn Object).metadata().labels.as_ref()))
                }))
    }
}

/// One term: such pods, in the same domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// The node label whose values are the domains.
    pub topology_key: String,
    /// The pods.
    pub about: About,
}

impl Term {
    fn new(namespace: &str, term: &PodAffinityTerm) -> Self {
        let nothing = || Selector::from_label_selector(None).unwrap_or_default();
        let selector = Selector::from_label_selector(term.label_selector.as_ref());
        let by_label = term.namespace_selector.as_ref();
        let mut namespaces = term.namespaces.clone().unwrap_or_default();
        if namespaces.is_empty() && by_label.is_none() {
            namespaces.push(namespace.to_string());
        }
        let namespace_selector =
            by_label.map(|s| Selector::from_label_selector(Some(s)).unwrap_or_else(|_| nothing()));
        let selector = selector.unwrap_or_else(|_| nothing());
        Term {
            topology_key: term.topology_key.clone(),
            about: About { namespaces, namespace_selector, selector },
        }
    }
}

/// A pod's terms.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Required: such pods must be there.
    pub attracts: Vec<Term>,
    /// Required: no such pods may be there.
    pub repels: Vec<Term>,
    /// Preferred, with weights below zero for anti-affinity.
    pub prefers: Vec<(Term, i64)>,
}

impl Terms {
    /// The terms of a pod in `namespace`.
    pub fn of(namespace: &str, affinity: Option<&Affinity>) -> Self {
        let mut terms = Terms::default();
        let term = |t: &PodAffinityTerm| Term::new(namespace, t);
        let weighted = |t: &WeightedPodAffinityTerm, sign: i64| {
            (Term::new(namespace, &t.pod_affinity_term), sign * i64::from(t.weight))
        };
        if let Some(near) = affinity.and_then(|a| a.pod_affinity.as_ref()) {
            let required = near.required_during_scheduling_ignored_during_execution.iter();
            terms.attracts.extend(required.flatten().map(term));
            let preferred = near.preferred_during_scheduling_ignored_during_execution.iter();
            terms.prefers.extend(preferred.flatten().map(|t| weighted(t, 1)));
        }
        if let Some(far) = affinity.and_then(|a| a.pod_anti_affinity.as_ref()) {
            let required = far.required_during_scheduling_ignored_during_execution.iter();
            terms.repels.extend(required.flatten().map(term));
            let preferred = far.preferred_during_scheduling_ignored_during_execution.iter();
            terms.prefers.extend(preferred.flatten().map(|t| weighted(t, -1)));
        }
        terms
    }

    /// Whether the pod has no wishes about others.
    pub fn is_empty(&self) -> bool {
        self.attracts.is_empty() && self.repels.is_empty() && self.prefers.is_empty()
    }
}
