//! What is around the terminals: the network, the host's Docker, the cluster that is shown, the
//! lesson, the browser pane.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::{
    browse::{self, Load, Outbox},
    details::Inspector,
    faults,
    host::{HOME, LEARNER},
    picture::Picture,
    protocol::{Input, Output},
    questions,
};
use crate::{
    client::directory::Directory,
    clusters::{BASE_IMAGE, Cluster, Current, Faults},
    fabric::{Endpoint, Fabric},
    lesson::{Coach, Witness},
    machine::Machine,
    network::Services,
    runtime::{Engine, EngineConfig, EngineKind, Registries, images},
    sim::{Sim, trace::Fact},
    view::{ClusterView, RouteRow, ViewChange},
};

/// Everything of a session but its terminals.
pub struct World {
    sim: Sim,
    outbox: Outbox,
    endpoint: Endpoint,
    current: Rc<Current>,
    inspector: Inspector,
    coach: Coach,
    witness: Rc<RefCell<Witness>>,
    load: Load,
    picture: Option<(Rc<Cluster>, Picture)>,
    shown: ClusterView,
}

impl World {
    /// Puts a network and a Docker on the host, and the ways to the page.
    pub fn new(host: &Rc<Machine>, outbox: &Outbox) -> Self {
        let sim = host.sim().clone();
        let fabric = Fabric::new(&sim);
        let endpoint = fabric.host(&host.hostname());
        let registries = Registries::new(images::IMAGES);
        let directory = Directory::new();
        let current = Rc::new(Current::default());
        let witness = Rc::new(RefCell::new(Witness::default()));
        host.set(Rc::new(endpoint.clone()));
        host.set(Rc::new(fabric.clone()));
        host.set(Rc::new(registries.clone()));
        host.set(directory.clone());
        host.set(current.clone());
        let engine = Engine::start(EngineConfig {
            kind: EngineKind::Docker,
            machine: host.clone(),
            fabric,
            registries,
            programs: host.finder(),
        });
        // minikube was installed with what it needs; nobody waits for a gigabyte here.
        engine.images().preload(BASE_IMAGE);
        let shown = current.clone();
        host.set(Rc::new(Faults(Box::new(move |fault| faults::bring_about(&shown, &fault)))));
        super::witness::observe(host, &witness);
        let coach = Coach::default();
        for (name, text) in coach.files() {
            let path = format!("{HOME}/{name}");
            // The home directory is there and empty, and a lesson's file is at most one folder down:
            // this can't fail but where the folder is there already.
            if let Some((folder, _)) = path.rsplit_once('/').filter(|(f, _)| *f != HOME) {
                let _ = host.files().make_dir(folder, 0o755, LEARNER);
            }
            let _ = host.files().write(&path, text.as_bytes(), 0o644, LEARNER);
        }
        World {
            inspector: Inspector::new(host, &directory),
            sim,
            outbox: outbox.clone(),
            endpoint,
            current,
            coach,
            witness,
            load: Load::default(),
            picture: None,
            shown: ClusterView::default(),
        }
    }

    /// Takes an input that is not about terminals or files.
    pub fn handle(&mut self, input: Input) {
        let now = self.sim.now();
        match input {
            Input::Browse { request, url } => {
                browse::browse(&self.endpoint, request, url, &self.outbox, &self.witness);
            }
            Input::LoadStart { id, url, every_ms } => {
                let every = Duration::from_millis(u64::from(every_ms.max(1)));
                self.load.start(&self.endpoint, id, url, every, &self.witness);
            }
            Input::LoadStop { id } => self.load.stop(id),
            Input::LessonOpen { lesson } => self.coach.open(&lesson, now),
            Input::LessonHint { step } => self.coach.hint(step),
            Input::LessonGoto { step } => self.coach.goto(step, now),
            Input::Fault(fault) => {
                let cause = self.sim.record(Fact::Outside(faults::told(&fault).into()), true);
                let done = self.sim.under(cause, || faults::bring_about(&self.current, &fault));
                if let Err(text) = done {
                    self.push(Output::Notice { text });
                }
            }
            Input::Why { request, object } => {
                let answer = questions::why(&self.current, &object).map(Box::new);
                self.push(Output::Why { request, answer });
            }
            Input::Trace { request, object, depth, all } => {
                let answer = questions::trace(&self.current, &object, depth, all).map(Box::new);
                self.push(Output::Trace { request, answer });
            }
            Input::Detail { request, object, what } => {
                let cluster = self.current.get();
                self.inspector.ask(request, &object, what, cluster.as_deref(), &self.outbox);
            }
            _ => {}
        }
    }

    /// Queries that could not be answered: none.
    pub fn take_unanswered(&mut self) -> Vec<Input> {
        Vec::new()
    }

    fn push(&self, output: Output) {
        self.outbox.borrow_mut().push(output);
    }

    /// Gathers what changed since the last call: the picture (of at most `most` objects), the
    /// lesson, the load. Whether objects are left for the next call.
    pub fn gather(&mut self, most: usize) -> bool {
        let cluster = self.current.get();
        self.follow(cluster.as_ref());
        let mut changes = Vec::new();
        let view = self.cluster_view(cluster.as_deref());
        let clear = self.shown.name != view.name;
        if clear {
            changes.push(ViewChange::Clear);
        }
        if self.shown.state != view.state || clear {
            changes.push(ViewChange::Cluster(view.clone()));
            self.shown = view;
        }
        if let Some((_, picture)) = &mut self.picture {
            changes.extend(picture.take(most));
        }
        if !changes.is_empty() {
            self.push(Output::View(changes));
        }
        if self.outbox.borrow().iter().any(|o| matches!(o, Output::OpenDashboard)) {
            self.witness.borrow_mut().opened_dashboard(self.sim.now());
        }
        let client = cluster.as_ref().map(|c| c.viewer());
        let state = self.shown.state.clone();
        self.coach.look(&state, client.as_ref(), &self.witness.borrow(), self.sim.now());
        if let Some(view) = self.coach.take_view(client.as_ref()) {
            self.push(Output::Lesson(Box::new(view)));
        }
        let load = self.load.take();
        self.outbox.borrow_mut().extend(load);
        self.picture.as_ref().is_some_and(|(_, picture)| picture.waits())
    }

    /// Begins a picture when a cluster begins, and drops it with the cluster.
    fn follow(&mut self, cluster: Option<&Rc<Cluster>>) {
        let same = match (&self.picture, cluster) {
            (Some((old, _)), Some(new)) => Rc::ptr_eq(old, new),
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        self.picture = cluster.map(|cluster| {
            let client = cluster.viewer();
            let services = Services::of(&client);
            let counted = services.clone();
            let traffic =
                Rc::new(move |namespace: &str, name: &str| counted.traffic(namespace, name));
            let routes = Rc::new(move |namespace: &str, name: &str| {
                let row = |route: crate::network::Route| RouteRow {
                    ip: route.to.ip().to_string(),
                    port: route.to.port(),
                    pod: route.pod.to_string(),
                    state: route.state.text().to_string(),
                    requests: route.requests,
                    open: route.open,
                };
                services.routes(namespace, name).into_iter().map(row).collect()
            });
            (cluster.clone(), Picture::new(&client, routes, traffic))
        });
    }

    fn cluster_view(&self, cluster: Option<&Cluster>) -> ClusterView {
        ClusterView {
            name: cluster.map(|c| c.name.clone()).unwrap_or_default(),
            state: cluster.map_or("Absent", Cluster::state).to_string(),
            version: "v1.36.2".into(),
            now_ms: self.sim.now().as_millis(),
        }
    }

    /// The cluster that is shown, for tests and for the native server.
    pub fn cluster(&self) -> Option<Rc<Cluster>> {
        self.current.get()
    }
}
