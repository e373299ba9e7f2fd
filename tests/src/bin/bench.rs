//! The native half of `cargo xtask bench`: `bench replicas N | idle | requests | api |
//! schedule [plain|apart] NODES PODS`.
//!
//! Prints one JSON object a line: `{"name","value","unit"}`. Each measurement is a process of its
//! own, so that peak memory is its own.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use sandbar_core::{session::protocol::Input, view::Row};
use sandbar_tests::{
    driver::Driver,
    schedule_bench::{self, Wishes},
};

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// A deployment whose pods are probed, as the idle cluster has them.
const PROBED: &str = include_str!("../../browser/probed.yaml");

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["replicas", n] => n.parse().map_err(|e| format!("{n}: {e}")).and_then(replicas),
        ["api"] => api(),
        ["idle"] => idle(),
        ["requests"] => requests(),
        ["schedule", wishes, nodes, pods] => schedule(wishes, nodes, pods),
        _ => {
            Err("usage: bench replicas N | idle | requests | api | schedule plain|apart NODES PODS"
                .to_owned())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench {}: {why}", args.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{}", serde_json::json!({ "name": name, "value": value, "unit": unit }));
}

/// A running cluster with that many nodes.
fn cluster(nodes: usize) -> Result<Driver, String> {
    let mut driver = Driver::new(1);
    let printed = driver.run(&format!("minikube start --nodes={nodes}"), HOUR)?;
    let ready = |d: &Driver| {
        d.rows.values().filter(|r| matches!(r, Row::Node(n) if n.status == "Ready")).count()
    };
    match driver.until(SECOND, HOUR, |d| ready(d) == nodes) {
        true => Ok(driver),
        false => Err(format!("{} of {nodes} nodes are Ready after: {printed}", ready(&driver))),
    }
}

fn wait_ready(driver: &mut Driver, name: &str, n: u32) -> Result<(), String> {
    match driver.until(SECOND / 4, HOUR, |d| d.ready(name) == n) {
        true => Ok(()),
        false => Err(format!(
            "{} of {n} replicas are Ready after an hour; printed: {}",
            driver.ready(name),
            driver.printed
        )),
    }
}

/// Wall time and memory until N replicas on 10 nodes are Ready.
fn replicas(n: u32) -> Result<(), String> {
    let mut driver = cluster(10)?;
    let (start, begun) = (Instant::now(), driver.session.now());
    driver.keys(&format!(
        "kubectl create deployment web --image=trimhall/my-example:latest --replicas={n}\r"
    ));
    wait_ready(&mut driver, "web", n)?;
    let wall = start.elapsed().as_secs_f64();
    print(&format!("replicas/native/{n}/wall"), wall, "s");
    let simulated = driver.session.now().since(begun).as_secs_f64();
    print(&format!("replicas/native/{n}/simulated"), simulated, "s");
    print(&format!("replicas/native/{n}/memory"), peak_memory()?, "bytes");
    Ok(())
}

/// The most memory this process had, in bytes.
fn peak_memory() -> Result<f64, String> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|e| format!("peak memory can't be read here ({e}); run it on Linux"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|k| k * 1024.0).ok_or_else(|| "/proc/self/status has no VmHWM".to_owned())
}

/// Simulated seconds per real second of an idle cluster of 100 probed pods.
fn idle() -> Result<(), String> {
    let mut driver = cluster(10)?;
    let path = "/home/learner/probed.yaml".to_owned();
    driver.input(Input::FileSave { path: path.clone(), text: PROBED.to_owned() });
    driver.run(&format!("kubectl apply -f {path}"), SECOND * 60)?;
    wait_ready(&mut driver, "probed", 100)?;
    driver.pass(SECOND * 60);
    let (start, begun) = (Instant::now(), driver.session.now());
    while start.elapsed() < SECOND * 2 {
        driver.pass(SECOND * 60);
    }
    let simulated = driver.session.now().since(begun).as_secs_f64();
    print("idle/native/speed", simulated / start.elapsed().as_secs_f64(), "simulated s/s");
    Ok(())
}

/// How fast the API server answers on 1,000 pods.
fn api() -> Result<(), String> {
    let mut driver = cluster(10)?;
    driver
        .keys("kubectl create deployment web --image=trimhall/my-example:latest --replicas=1000\r");
    wait_ready(&mut driver, "web", 1_000)?;
    driver.pass(SECOND * 10);
    for (name, value, unit) in sandbar_tests::api_bench::measure(&mut driver)? {
        print(name, value, unit);
    }
    Ok(())
}

/// Requests per second through a NodePort service over three pods.
fn requests() -> Result<(), String> {
    let mut driver = cluster(1)?;
    let minute = SECOND * 60;
    let image = "trimhall/my-example:latest";
    driver.run(&format!("kubectl create deployment web --image={image} --replicas=3"), minute)?;
    wait_ready(&mut driver, "web", 3)?;
    driver.run("kubectl expose deployment web --type=NodePort --port=3000", minute)?;
    driver.pass(SECOND * 5);
    let url = driver.rows.values().find_map(|r| match r {
        Row::Service(s) if s.name == "web" => s.urls.first().cloned(),
        _ => None,
    });
    let url = url.ok_or("the service has no address")?;
    let start = Instant::now();
    driver.input(Input::LoadStart { id: 1, url, every_ms: 1 });
    while start.elapsed() < SECOND * 2 {
        driver.pass(SECOND);
    }
    let wall = start.elapsed().as_secs_f64();
    let (answered, failed) = driver.load.get(&1).copied().unwrap_or_default();
    if answered == 0 || failed > 0 {
        return Err(format!("{answered} requests were answered and {failed} failed"));
    }
    print("requests/native", answered as f64 / wall, "requests/s");
    Ok(())
}

/// Wall time until all pods have nodes.
fn schedule(wishes: &str, nodes: &str, pods: &str) -> Result<(), String> {
    let name = format!("schedule/native/{wishes}/{nodes}/{pods}");
    let number = |text: &str| text.parse::<usize>().map_err(|e| format!("{text}: {e}"));
    let wishes = match wishes {
        "plain" => Wishes::Plain,
        "apart" => Wishes::Apart,
        other => return Err(format!("{other}: neither plain nor apart")),
    };
    let wall = schedule_bench::measure(number(nodes)?, number(pods)?, wishes)?;
    print(&format!("{name}/wall"), wall, "s");
    print(&format!("{name}/memory"), peak_memory()?, "bytes");
    Ok(())
}
