//! The simulation's records as a graph: each leads to what was done because of it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use crate::{
    api::{KindId, Typed},
    client::Client,
    sim::{
        Cause,
        trace::{Did, Fact, Process, Record, Write},
    },
};

/// A command line as one could type it.
pub fn command_line(process: &Process) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
    let word = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''").replace('\n', " ")),
    };
    process.argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Everything that is remembered, when somebody asks.
pub struct Graph {
    /// Oldest first.
    pub records: Vec<Record>,
    /// What each led to, by place.
    pub then: Vec<Vec<usize>>,
    places: BTreeMap<Cause, usize>,
    store: u64,
}

impl Graph {
    /// The graph for questions about this client's cluster.
    pub fn of(client: &Client) -> Graph {
        let records = client.sim().records();
        let places: BTreeMap<Cause, usize> =
            records.iter().enumerate().map(|(place, record)| (record.id, place)).collect();
        let mut then = vec![Vec::new(); records.len()];
        for (place, record) in records.iter().enumerate() {
            if let Some(before) = places.get(&record.because) {
                then[*before].push(place);
            }
        }
        Graph { records, then, places, store: client.store_number() }
    }

    /// What led to a record, if that is remembered.
    pub fn before(&self, place: usize) -> Option<usize> {
        self.places.get(&self.records[place].because).copied()
    }

    /// The write that a record tells of, if it is one of this cluster.
    pub fn write(&self, place: usize) -> Option<&Write> {
        match &self.records[place].fact {
            Fact::Write(write) if write.store == self.store => Some(write),
            _ => None,
        }
    }

    /// The writes of an object, and what happened to its containers, oldest first.
    pub fn about(&self, kind: KindId, namespace: &str, name: &str) -> Vec<usize> {
        let fits = |place: &usize| match &self.records[*place].fact {
            Fact::Write(w) => {
                w.store == self.store
                    && w.kind == kind.0
                    && &*w.name == name
                    && &*w.namespace == namespace
            }
            Fact::Container(c) => kind == Pod::ID && c.pod == name && c.namespace == namespace,
            _ => false,
        };
        (0..self.records.len()).filter(fits).collect()
    }

    /// The write of the same object before this one.
    pub fn write_before(&self, place: usize) -> Option<&Write> {
        let own = self.write(place)?;
        (0..place)
            .rev()
            .filter_map(|p| self.write(p))
            .find(|w| w.kind == own.kind && w.name == own.name && w.namespace == own.namespace)
    }

    /// The last write that did this to an object.
    pub fn last(&self, about: &[usize], did: Did) -> Option<(usize, &Write)> {
        let fits = |place: &&usize| self.write(**place).is_some_and(|w| w.did == did);
        let place = *about.iter().rev().find(fits)?;
        Some((place, self.write(place)?))
    }

    /// The command that led to a record, if one did and is remembered.
    pub fn command(&self, place: usize) -> Option<String> {
        let mut here = place;
        loop {
            if let Fact::Process(process) = &self.records[here].fact {
                return Some(command_line(process));
            }
            here = self.before(here)?;
        }
    }

    /// Which records are worth telling: all but mere changes of status that led to nothing else.
    pub fn telling(&self) -> Vec<bool> {
        let mut telling = vec![true; self.records.len()];
        for place in (0..self.records.len()).rev() {
            let own = match &self.records[place].fact {
                Fact::Write(write) => write.store == self.store && write.did != Did::Status,
                _ => true,
            };
            // What a record led to is later than itself: it has been looked at.
            telling[place] = own || self.then[place].iter().any(|next| telling[*next]);
        }
        telling
    }
}
