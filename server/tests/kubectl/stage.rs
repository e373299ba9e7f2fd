//! One scenario on its stage: two worlds that begin alike, one behind an endpoint for the real
//! kubectl, one with our kubectl inside, and what both answer to each command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sandbar_core::{client::Client, sim::Time};
use sandbar_server::{
    Endpoint, Options, World,
    engine::{Pace, Running},
    worlds::run_on,
};
use sandbar_tests::scenario::{
    play::{Step, TRIES, is_whole},
    world::{self, Answer},
};

/// How long a command may take.
const LONGEST: Duration = Duration::from_secs(120);
/// A command that is still running after this time waits for something, whatever it has open.
const COMPUTING: Duration = Duration::from_millis(2_500);
/// How long a command of the recordings took, about.
const COMMAND: Duration = Duration::from_millis(300);

/// A world of the scenarios behind an endpoint.
struct Played(world::World);

impl World for Played {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn next_due(&self) -> Option<Time> {
        self.0.next_due()
    }

    fn advance(&mut self, until: Time, _budget: u64) -> bool {
        self.0.advance(until)
    }

    fn client(&self) -> Option<Client> {
        self.0.client()
    }

    fn run(&mut self, line: &str) -> Result<Running, String> {
        run_on(self.0.host(), line, |command| command.cwd("/play"))
    }

    fn fault(&mut self, _fault: serde_json::Value) -> Result<(), String> {
        Err("nothing is broken here".into())
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// A scenario that is being played.
pub struct Stage {
    endpoint: Endpoint,
    ours: world::World,
    folder: PathBuf,
    kubectl: PathBuf,
}

/// What was answered to one command: by the real kubectl, and by ours.
pub struct Pair {
    pub command: String,
    pub real: Option<Answer>,
    pub ours: Option<Answer>,
}

/// A world that begins so long ago that its time does not overtake the real one during a scenario:
/// programs that count ages themselves look at the real clock.
fn fresh(live: bool, before: Duration) -> world::World {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = Time::from_secs(now.saturating_sub(before).as_secs());
    if live { world::World::whole_begun(start) } else { world::World::begun(start) }
}

/// How much faster time passes in the worlds than outside while a scenario is played, at most.
fn ahead(live: bool, steps: &[Step]) -> Duration {
    let settled = Duration::from_secs(if live { 200 } else { 125 });
    let each = steps.iter().map(|step| match step {
        Step::File { .. } => Duration::ZERO,
        Step::Sleep(time) => *time,
        Step::Until(_) => Duration::from_secs(30),
        Step::Command(_) => COMMAND,
    });
    settled + each.sum::<Duration>()
}

impl Stage {
    pub fn new(stem: &str, steps: &[Step], kubectl: &Path, folder: &Path) -> Stage {
        let live = is_whole(stem);
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            cluster: "minikube".into(),
            pace: Pace { speed: 1.0, paused: true },
            node_ports: false,
        };
        let before = ahead(live, steps);
        let make = move || -> Box<dyn World> { Box::new(Played(fresh(live, before))) };
        let endpoint = Endpoint::start(Box::new(make), &options).expect("an endpoint");
        let ours = fresh(live, before);
        let folder = folder.join(stem);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("home/.kube")).expect("a folder");
        fs::create_dir_all(folder.join("play")).expect("a folder");
        let authority = sandbar_core::api::base64::encode(endpoint.authority.as_bytes());
        let address = endpoint.address.to_string();
        let config = format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    \
             server: https://{address}\n  name: minikube\ncontexts:\n- context:\n    cluster: \
             minikube\n    user: minikube\n  name: minikube\ncurrent-context: minikube\nkind: \
             Config\nusers:\n- name: minikube\n  user:\n    token: {}\n",
            endpoint.token
        );
        fs::write(folder.join("home/.kube/config"), &config).expect("a kubeconfig");
        ours.reach_at(&address, &endpoint.token, &config);
        Stage { endpoint, ours, folder, kubectl: kubectl.to_owned() }
    }

    fn real_now(&self) -> Time {
        self.endpoint.engine.call(|state| state.world.now()).expect("the time")
    }

    fn pass(&mut self, time: Duration) {
        self.endpoint.engine.call(move |state| state.skip(time)).expect("time passes");
        self.ours.pass(time);
        self.together();
    }

    /// Lets the world that is behind catch up.
    fn together(&mut self) {
        let (real, ours) = (self.real_now(), self.ours.now());
        if real < ours {
            let time = ours.since(real);
            self.endpoint.engine.call(move |state| state.skip(time)).expect("time passes");
        } else if ours < real {
            self.ours.pass(real.since(ours));
        }
    }

    /// Runs a command line on this machine, with the real kubectl; `None` if it does not end.
    fn real(&self, line: &str) -> Option<Answer> {
        let path =
            format!("{}:{}", self.kubectl.display(), std::env::var("PATH").unwrap_or_default());
        let file = |name: &str| fs::File::create(self.folder.join(name)).expect("a file");
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(self.folder.join("play"));
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        command.env("PATH", path).env("TZ", "UTC").env("TMPDIR", ".");
        command
            .env("HOME", self.folder.join("home"))
            .env("KUBECACHEDIR", self.folder.join("cache"));
        command.env_remove("KUBECONFIG").env_remove("EDITOR").env_remove("KUBE_EDITOR");
        let mut child = command.spawn().expect("bash");
        let engine = &self.endpoint.engine;
        let (begun, mut moving) = (Instant::now(), false);
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break Some(status);
            }
            if begun.elapsed() > LONGEST {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            let wanted = engine.busy() > 0 || begun.elapsed() > COMPUTING;
            if wanted != moving {
                moving = wanted;
                engine.send(move |state| state.pace.paused = !wanted);
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        engine.call(|state| state.pace.paused = true).expect("time stops");
        let text = |name: &str| {
            let bytes = fs::read(self.folder.join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            // Its folders have other names than those inside.
            let path = |name: &str| self.folder.join(name).display().to_string();
            text.replace(&path("home"), "/root").replace(&path("play"), "/play")
        };
        Some(Answer { out: text("out"), err: text("err"), code: status?.code().unwrap_or(-1) })
    }

    /// Runs a command that changes the cluster and is not kubectl inside the endpoint's world.
    fn inside(&self, line: &str) -> Option<Answer> {
        let line = line.to_owned();
        let run = move |state: &mut sandbar_server::engine::State| {
            state.world.as_any().downcast_mut::<Played>()?.0.run(&line)
        };
        self.endpoint.engine.call(run).ok().flatten()
    }

    fn both(&mut self, line: &str) -> Pair {
        let real = match line.starts_with("minikube ") {
            true => self.inside(line),
            false => self.real(line),
        };
        self.endpoint.engine.call(|state| state.skip(COMMAND)).expect("time passes");
        let ours = self.ours.run(line);
        self.together();
        Pair { command: line.to_owned(), real, ours }
    }

    pub fn play(&mut self, steps: Vec<Step>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for step in steps {
            match step {
                Step::File { name, text } => {
                    let path = self.folder.join("play").join(&name);
                    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                    fs::write(path, &text).expect("a file");
                    self.ours.file(&name, &text);
                }
                Step::Sleep(time) => self.pass(time),
                Step::Until(line) => {
                    for _ in 0..TRIES {
                        let pair = self.both(&line);
                        let done =
                            |answer: &Option<Answer>| answer.as_ref().is_some_and(|a| a.code == 0);
                        if done(&pair.real) && done(&pair.ours) {
                            break;
                        }
                        self.pass(Duration::from_secs(1));
                    }
                }
                Step::Command(line) => pairs.push(self.both(&line)),
            }
        }
        pairs
    }
}
