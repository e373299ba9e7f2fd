//! How many pods of a sort are in each domain (a value of a node label), kept up pod by pod.
//!
//! Affinity and topology spread ask this for every pod that is placed; counting anew each time would
//! cost as much as there are pods. Upstream counts anew, on 16 threads.

use std::{collections::BTreeMap, rc::Rc};

use super::{cache::PodInfo, terms::About};
use crate::client::Client;

/// Sorts of pods that are kept counted; beyond, the one not asked for longest goes.
const KEPT: usize = 128;

/// Amounts by a node label's value. A value without pods stands there with 0.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    counts: BTreeMap<Rc<str>, i64>,
    sum: i64,
}

impl Domains {
    /// Adds to a domain, which exists from now on.
    pub fn add(&mut self, value: &str, amount: i64) {
        self.sum += amount;
        match self.counts.get_mut(value) {
            Some(count) => *count += amount,
            None => {
                self.counts.insert(value.into(), amount);
            }
        }
    }

    /// How many are in a domain.
    pub fn get(&self, value: &str) -> i64 {
        self.counts.get(value).copied().unwrap_or(0)
    }

    /// All together.
    pub fn sum(&self) -> i64 {
        self.sum
    }

    /// How many domains there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// The fewest of any domain.
    pub fn fewest(&self) -> Option<i64> {
        self.counts.values().copied().min()
    }
}

/// Shared amounts, with what would be different if some pods were elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    base: Rc<Domains>,
    delta: Domains,
}

impl Counts {
    /// Amounts as they are.
    pub fn new(base: Rc<Domains>) -> Self {
        Counts { base, delta: Domains::default() }
    }

    /// As if `amount` more were in a domain.
    pub fn add(&mut self, value: &str, amount: i64) {
        self.delta.add(value, amount);
    }

    /// How many are in a domain.
    pub fn get(&self, value: &str) -> i64 {
        match self.delta.len() {
            0 => self.base.get(value),
            _ => self.base.get(value) + self.delta.get(value),
        }
    }

    /// All together.
    pub fn sum(&self) -> i64 {
        self.base.sum() + self.delta.sum()
    }

    /// How many domains there are.
    pub fn len(&self) -> usize {
        self.base.len()
    }

    /// The fewest of any domain.
    pub fn fewest(&self) -> Option<i64> {
        match self.delta.len() {
            0 => self.base.fewest(),
            _ => self.base.counts.keys().map(|value| self.get(value)).min(),
        }
    }
}

/// A sort of pods: those that all of the terms are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sort {
    /// What all are about.
    pub all_of: Vec<About>,
    /// Whether pods that are going are left out.
    pub staying: bool,
}

impl Sort {
    /// Whether a pod is of this sort.
    pub fn includes(&self, client: &Client, pod: &PodInfo) -> bool {
        !(self.staying && pod.is_going()) && self.all_of.iter().all(|a| a.includes(client, pod))
    }
}

/// Pods of one sort.
#[derive(Debug, Default)]
pub struct Tally {
    /// By the node's place in the cache.
    pub by_node: BTreeMap<usize, i64>,
    /// By label and its value, for the labels that were asked for.
    domains: BTreeMap<Rc<str>, Rc<Domains>>,
    asked: u64,
}

/// The sorts that are kept counted.
#[derive(Debug, Default)]
pub struct Tallies {
    tallies: BTreeMap<Sort, Tally>,
    clock: u64,
}

impl Tallies {
    /// Forgets all: labels of nodes or namespaces changed.
    pub fn clear(&mut self) {
        self.tallies.clear();
    }

    /// A sort's tally. `count` counts it where it is not kept.
    pub fn get(&mut self, sort: &Sort, count: impl FnOnce() -> BTreeMap<usize, i64>) -> &mut Tally {
        self.clock += 1;
        if !self.tallies.contains_key(sort) && self.tallies.len() >= KEPT {
            let oldest = self.tallies.iter().min_by_key(|(_, t)| t.asked);
            if let Some(oldest) = oldest.map(|(s, _)| s.clone()) {
                self.tallies.remove(&oldest);
            }
        }
        let tally = self
            .tallies
            .entry(sort.clone())
            .or_insert_with(|| Tally { by_node: count(), ..Tally::default() });
        tally.asked = self.clock;
        tally
    }

    /// A pod came to a node or left it (`amount` 1 or -1).
    pub fn changed<'a>(
        &mut self,
        client: &Client,
        pod: &PodInfo,
        node: usize,
        label: impl Fn(&str) -> Option<&'a str>,
        amount: i64,
    ) {
        for (sort, tally) in &mut self.tallies {
            if !sort.includes(client, pod) {
                continue;
            }
            *tally.by_node.entry(node).or_default() += amount;
            for (key, domains) in &mut tally.domains {
                if let Some(value) = label(key) {
                    Rc::make_mut(domains).add(value, amount);
                }
            }
        }
    }
}

impl Tally {
    /// The pods by the values of a label. `nodes`: each node's place and value.
    pub fn domains<'a>(
        &mut self,
        key: &str,
        nodes: impl Iterator<Item = (usize, Option<&'a str>)>,
    ) -> Rc<Domains> {
        if let Some(known) = self.domains.get(key) {
            return known.clone();
        }
        let mut made = Domains::default();
        for (place, value) in nodes {
            if let Some(value) = value {
                made.add(value, self.by_node.get(&place).copied().unwrap_or(0));
            }
        }
        let made = Rc::new(made);
        self.domains.insert(key.into(), made.clone());
        made
    }
}

/// Where pods with some wish are, wish by wish: by the values of the wish's own label.
#[derive(Debug)]
pub struct Wishes<K> {
    by_wish: BTreeMap<K, (usize, Rc<Domains>)>,
}

impl<K> Default for Wishes<K> {
    fn default() -> Self {
        Wishes { by_wish: BTreeMap::new() }
    }
}

impl<K: Clone + Ord> Wishes<K> {
    /// A pod with this wish came to a node with that label value, or left it.
    pub fn changed(&mut self, wish: &K, value: Option<&str>, amount: i64) {
        let known = match self.by_wish.get_mut(wish) {
            Some(known) => known,
            None => self.by_wish.entry(wish.clone()).or_default(),
        };
        known.0 = known.0.saturating_add_signed(amount as isize);
        if let Some(value) = value {
            Rc::make_mut(&mut known.1).add(value, amount);
        }
        if known.0 == 0 {
            self.by_wish.remove(wish);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_wish.clear();
    }

    /// Whether nobody wishes anything.
    pub fn is_empty(&self) -> bool {
        self.by_wish.is_empty()
    }

    /// All wishes and where those are who have them.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Rc<Domains>)> {
        self.by_wish.iter().map(|(wish, (_, domains))| (wish, domains))
    }
}
