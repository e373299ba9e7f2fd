//! One run of a sandbox, always the same, and a digest of everything it showed.
//!
//! `web/tests/wasm.rs` includes this file too, so it uses nothing but the engine.

use std::{fmt::Write, time::Duration};

use sandbar_core::{
    session::{Session, protocol::Input},
    sim::Time,
};

/// What is typed, and how many simulated seconds pass after it.
const TYPED: &[(&str, u64)] = &[
    ("minikube start\r", 90),
    ("kubectl get pods -A\r", 5),
    ("kubectl create deployment hello-node --image=trimhall/my-example:latest\r", 60),
    ("kubectl get pods -o wide\r", 2),
    ("kubectl expose deployment hello-node --type=NodePort --port=3000\r", 2),
    ("kubectl scale deployments/hello-node --replicas=3\r", 30),
    ("watch kubectl get pods\r", 10),
    ("\u{3}", 1),
    ("kubectl describe pods\r", 2),
    ("kubectl scale deployments/hello-node --replicas=1\r", 60),
    ("kubectl get events; kubectl get all -o yaml\r", 5),
    ("kubectl delete deployment,service hello-node\r", 600),
];

/// Plays the run; one line for each input with the time, the number of outputs and a hash of all
/// outputs so far, so that a difference shows where it began.
pub fn digest() -> String {
    let mut session = Session::new(7, Time::from_secs(1_790_000_000));
    session.handle(Input::TerminalOpen { id: 1, place: String::new(), cols: 100, rows: 30 });
    let (mut hash, mut lines) = (FNV_START, String::new());
    for (keys, seconds) in TYPED {
        session.handle(Input::TerminalKeys { id: 1, data: (*keys).to_owned() });
        let mut count = 0;
        for _ in 0..seconds * 4 {
            let until = session.now() + Duration::from_millis(250);
            while !session.advance(until, 10_000).reached {}
            for output in session.take_outputs() {
                count += 1;
                let text = serde_json::to_string(&output).unwrap_or_else(|e| e.to_string());
                hash = fnv(hash, text.as_bytes());
            }
        }
        let at = session.now().as_micros();
        let _ = write!(lines, "{at} {count} {hash:016x};");
    }
    lines
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: the same on every platform and in every version, which std's hashers don't promise.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}
