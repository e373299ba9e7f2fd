//! `sandbar-server`: starts a simulated cluster and serves its API.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use sandbar_core::sim::Time;
use sandbar_server::{
    Endpoint, Options,
    engine::Pace,
    worlds::{CLUSTERS, Sandbox},
};

const USAGE: &str = "\
usage: sandbar-server [options]

  --cluster NAME       which cluster: minikube (default), cloud
  --listen ADDR:PORT   where the API answers (default 127.0.0.1:6443)
  --speed N            simulated seconds in a real one (default 1)
  --paused             time stands still until POST /sandbar/time
  --kubeconfig FILE    where the kubeconfig goes (default ./sandbar.kubeconfig)
  --node-ports         ports of services are reached on 127.0.0.1
  --seed N             the simulation's seed (default 1)
";

struct Arguments {
    options: Options,
    kubeconfig: PathBuf,
    seed: u64,
}

fn main() -> ExitCode {
    let result = parse(std::env::args().skip(1)).and_then(|arguments| match arguments {
        Some(arguments) => serve(arguments),
        None => {
            print!("{USAGE}");
            Ok(())
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("sandbar-server: {why}");
            ExitCode::FAILURE
        }
    }
}

/// `None`: help was asked for.
fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments {
        options: Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 6443)),
            cluster: "minikube".into(),
            pace: Pace { speed: 1.0, paused: false },
            node_ports: false,
        },
        kubeconfig: "sandbar.kubeconfig".into(),
        seed: 1,
    };
    let mut arguments = arguments.flat_map(|argument| match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => vec![flag.to_owned(), value.to_owned()],
        _ => vec![argument],
    });
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value"));
        let bad = |value: &str| format!("{flag}: {value:?} is not understood");
        match flag.as_str() {
            "--cluster" => parsed.options.cluster = value()?,
            "--listen" => {
                let text = value()?;
                parsed.options.listen = text.parse().map_err(|_| bad(&text))?;
            }
            "--speed" => {
                let text = value()?;
                let speed: f64 = text.parse().map_err(|_| bad(&text))?;
                if !(speed > 0.0 && speed.is_finite()) {
                    return Err(bad(&text));
                }
                parsed.options.pace.speed = speed;
            }
            "--paused" => parsed.options.pace.paused = true,
            "--kubeconfig" => parsed.kubeconfig = value()?.into(),
            "--node-ports" => parsed.options.node_ports = true,
            "--seed" => {
                let text = value()?;
                parsed.seed = text.parse().map_err(|_| bad(&text))?;
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("{other:?} is no option; --help lists them")),
        }
    }
    Ok(Some(parsed))
}

fn serve(arguments: Arguments) -> Result<(), String> {
    let Arguments { options, kubeconfig, seed } = arguments;
    let known = CLUSTERS.iter().find(|(name, _)| *name == options.cluster);
    let Some((_, lines)) = known else {
        let names: Vec<_> = CLUSTERS.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "there is no cluster {:?}; there are: {}",
            options.cluster,
            names.join(" ")
        ));
    };
    let make = move || -> Box<dyn sandbar_server::World> {
        // Clients check certificates and tokens against the real time: the simulation begins now.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let start = Time::from_secs(now.map_or(0, |d| d.as_secs()));
        match Sandbox::new(seed, start, lines) {
            Ok(sandbox) => Box::new(sandbox),
            Err(why) => {
                eprintln!("sandbar-server: the cluster does not start: {why}");
                std::process::exit(1);
            }
        }
    };
    let endpoint = Endpoint::start(Box::new(make), &options)?;
    endpoint.write_kubeconfig(&kubeconfig)?;
    endpoint.engine.call(|_| ())?;
    println!("{} is served at https://{}", options.cluster, endpoint.address);
    println!(
        "export KUBECONFIG={}",
        std::path::absolute(&kubeconfig).unwrap_or(kubeconfig).display()
    );
    loop {
        std::thread::park();
    }
}
