//! The real kubectl as judge. `SANDBAR_KUBECTL` names its folder (`cargo xtask test kubectl` sets it).
//!
//! Each scenario is played twice, side by side in two worlds that begin alike: with the real kubectl
//! against an endpoint, and with our kubectl inside. (a) What the real one says is compared with the
//! recording of a real cluster; (b) what both say is compared to the byte. Our own scenarios have no
//! recording of a real cluster: they count for (b) only. Known differences are in
//! `tests/scenarios/kubectl-recorded.txt` and `kubectl-equal.txt`, each with its reason; one that is
//! not listed fails, and so does a line that is no longer true.
//!
//! Time stands still while a command computes and passes while it waits: as long as it has a watch
//! or another stream open.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sandbar_core::{client::Client, sim::Time};
use sandbar_server::{
    Endpoint, Options, World,
    engine::{Pace, Running},
    worlds::run_on,
};
use sandbar_tests::scenario::{
    normal::Rules,
    play::{Step, TRIES, commands, is_bare, is_whole, shown, steps},
    world::{self, Answer},
};

/// Reasons that begin so are about what is not always different.
const BY_CHANCE: &str = "by chance";
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
struct Stage {
    endpoint: Endpoint,
    ours: world::World,
    folder: PathBuf,
    kubectl: PathBuf,
}

/// What was answered to one command: by the real kubectl, and by ours.
struct Pair {
    command: String,
    real: Option<Answer>,
    ours: Option<Answer>,
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
    fn new(stem: &str, steps: &[Step], kubectl: &Path, folder: &Path) -> Stage {
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

    fn play(&mut self, steps: Vec<Step>) -> Vec<Pair> {
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

/// What came of one comparison.
#[derive(Default)]
struct Count {
    same: usize,
    all: usize,
    /// What differs, by the command's name.
    different: BTreeMap<String, String>,
}

impl Count {
    fn add(&mut self, same: bool, name: &str, difference: impl Fn() -> String) {
        self.all += 1;
        if same {
            self.same += 1;
        } else {
            self.different.insert(name.to_owned(), difference());
        }
    }
}

#[derive(Default)]
struct Counts {
    recorded: Count,
    equal: Count,
    /// Likewise, in scenarios of our own.
    own: Count,
    /// Equal but for times, ids and the like.
    nearly: BTreeMap<String, String>,
}

/// Compares; `recording` is what a real cluster answered, if it was ever asked.
fn judge(
    stem: &str,
    pairs: &[Pair],
    recording: Option<&str>,
    rules: &Rules,
    counts: &mut Counts,
) -> (usize, usize) {
    let wanted = recording.map(|text| commands(&rules.normal(text)));
    let equal = if wanted.is_some() { &mut counts.equal } else { &mut counts.own };
    let before = (counts.recorded.same, equal.same);
    for (index, pair) in pairs.iter().enumerate() {
        let name = format!("{stem} command {}", index + 1);
        let (real, ours) =
            (shown(&pair.command, pair.real.as_ref()), shown(&pair.command, pair.ours.as_ref()));
        let normal = |text: &str| commands(&rules.normal(text)).concat();
        let got = normal(&real);
        if let Some(wanted) = &wanted {
            let want = wanted.get(index).cloned().unwrap_or_default();
            let text = || format!("--- recorded\n{want}\n+++ real kubectl here\n{got}");
            counts.recorded.add(got == want, &name, text);
        }
        let text = || format!("--- real kubectl\n{real}\n+++ ours\n{ours}");
        equal.add(real == ours || got == normal(&ours), &name, text);
        if real != ours && got == normal(&ours) {
            counts.nearly.insert(name.clone(), text());
        }
    }
    (counts.recorded.same - before.0, equal.same - before.1)
}

fn listed(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect()
}

/// Differences that no line explains, and lines that explain nothing.
fn complaints(counts: &[&Count], path: &Path, played: &BTreeSet<String>) -> Vec<String> {
    let listed = listed(path);
    let mut found = Vec::new();
    let different = |name: &str| counts.iter().any(|count| count.different.contains_key(name));
    for (name, text) in counts.iter().flat_map(|count| &count.different) {
        if !listed.contains_key(name) {
            found.push(format!("== {name}\n{text}"));
        }
    }
    for (name, reason) in &listed {
        if reason.starts_with(BY_CHANCE) {
            continue;
        }
        let stem = name.split(" command ").next().unwrap_or_default();
        if played.contains(stem) && !different(name) {
            found.push(format!("{name} is the same now: strike it from {}", path.display()));
        }
    }
    found
}

/// Scenarios, with those first that take longest.
fn scenarios(folder: &Path) -> Vec<PathBuf> {
    let chosen = std::env::var("SANDBAR_SCENARIOS").unwrap_or_default();
    let chosen: Vec<&str> = chosen.split_whitespace().collect();
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut paths: Vec<PathBuf> = sandbar_tests::scenario::files(folder)
        .into_iter()
        // No real cluster has `sandbar`, and no real kubectl plays its scenarios.
        .filter(|path| !path.parent().is_some_and(|folder| folder.ends_with("sandbar")))
        // Those without a cluster of this kind are about the sandbox's own programs.
        .filter(|path| !is_bare(&stem(path)))
        .filter(|path| chosen.is_empty() || chosen.contains(&stem(path).as_str()))
        .collect();
    paths.sort_by_key(|path| (!is_whole(&stem(path)), path.clone()));
    paths
}

#[test]
fn the_real_kubectl_says_what_was_recorded_and_what_ours_says() {
    let Ok(kubectl) = std::env::var("SANDBAR_KUBECTL") else {
        println!(
            "not played: SANDBAR_KUBECTL names no folder; `cargo xtask test kubectl` installs it"
        );
        return;
    };
    let kubectl = PathBuf::from(kubectl);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios");
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubectl");
    let queue = Arc::new(Mutex::new(scenarios(&folder)));
    let (counts, played) =
        (Arc::new(Mutex::new(Counts::default())), Arc::new(Mutex::new(BTreeSet::new())));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (queue, counts, played) = (queue.clone(), counts.clone(), played.clone());
            let (kubectl, into) = (kubectl.clone(), into.clone());
            std::thread::Builder::new()
                .stack_size(16 << 20)
                .spawn(move || {
                    let rules = Rules::default();
                    loop {
                        let next = {
                            let mut queue = queue.lock().unwrap();
                            (!queue.is_empty()).then(|| queue.remove(0))
                        };
                        let Some(path) = next else { return };
                        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                        let begun = Instant::now();
                        let scenario = fs::read_to_string(&path).unwrap();
                        let own = path.parent().is_some_and(|folder| folder.ends_with("own"));
                        let recording =
                            (!own).then(|| fs::read_to_string(path.with_extension("txt")).unwrap());
                        let steps = steps(&scenario);
                        let mut stage = Stage::new(&stem, &steps, &kubectl, &into);
                        let pairs = stage.play(steps);
                        let mut counts = counts.lock().unwrap();
                        let (recorded, equal) =
                            judge(&stem, &pairs, recording.as_deref(), &rules, &mut counts);
                        let recorded =
                            if own { "own".into() } else { format!("{recorded} as recorded") };
                        println!(
                            "{stem}: {recorded}, {equal} equal, of {} ({:.1} s)",
                            pairs.len(),
                            begun.elapsed().as_secs_f64()
                        );
                        played.lock().unwrap().insert(stem);
                    }
                })
                .unwrap()
        })
        .collect();
    for worker in workers {
        worker.join().expect("a scenario was played");
    }
    let (counts, played) = (counts.lock().unwrap(), played.lock().unwrap());
    let mut wrong = complaints(&[&counts.recorded], &folder.join("kubectl-recorded.txt"), &played);
    wrong.extend(complaints(
        &[&counts.equal, &counts.own],
        &folder.join("kubectl-equal.txt"),
        &played,
    ));
    println!(
        "(a) {} of {} commands: the real kubectl answers as recorded on a real cluster",
        counts.recorded.same, counts.recorded.all
    );
    println!(
        "(b) {} of {} commands: our kubectl answers as the real one; of our own scenarios {} of {} \
         ({} of all but for times and ids)",
        counts.equal.same,
        counts.equal.all,
        counts.own.same,
        counts.own.all,
        counts.nearly.len()
    );
    if let Ok(path) = std::env::var("SANDBAR_DIFFERENCES") {
        let mut text = String::new();
        for (what, different) in [
            ("a", &counts.recorded.different),
            ("b", &counts.equal.different),
            ("b own", &counts.own.different),
            ("b but for times and ids", &counts.nearly),
        ] {
            for (name, difference) in different {
                text.push_str(&format!("== ({what}) {name}\n{difference}\n"));
            }
        }
        fs::write(path, text).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
