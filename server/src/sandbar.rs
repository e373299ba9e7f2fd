//! `/sandbar/`: what is no part of Kubernetes: the simulated shell, time, faults, a new beginning.
//!
//! - `POST run {"command": "kubectl get pods"}` → `{"stdout", "stderr", "code"}`
//! - `GET time` → `{"now", "micros", "speed", "paused"}`
//! - `POST time {"paused": true, "speed": 10, "advance": 60}`: any of them; seconds.
//! - `POST fault {…}`: a fault as the page sends it, for example `{"KubeletStop": {"node": "minikube"}}`
//! - `POST reset`

use std::time::Duration;

use hyper::Response;
use sandbar_core::client::User;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    engine::{Engine, State},
    http::{Out, json as document, status},
};

/// How long a command line may run, simulated.
const LONGEST: Duration = Duration::from_secs(3_600);
/// The most seconds that time can be let go at once.
const MOST_SECONDS: f64 = 366.0 * 86_400.0;
/// The greatest speed.
const FASTEST: f64 = 1_000_000.0;

/// Answers a request. Only administrators may make any.
pub async fn answer(
    engine: &Engine,
    user: Option<&User>,
    method: &str,
    path: &str,
    body: &[u8],
) -> Response<Out> {
    if !user.is_some_and(User::is_master) {
        return status(403, "Forbidden", &format!("forbidden: {path} is for administrators"));
    }
    let value: Value = match body {
        [] => Value::Null,
        bytes => match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => return status(400, "BadRequest", &format!("no JSON: {error}")),
        },
    };
    let name = path.trim_start_matches("/sandbar/");
    let result = match (method, name) {
        ("POST", "run") => run(engine, &value).await,
        ("GET", "time") => ask(engine, |state| Ok(time(state))).await,
        ("POST", "time") => ask(engine, move |state| set_time(state, &value)).await,
        ("POST", "fault") => {
            ask(engine, move |state| state.world.fault(value).map(|()| json!({}))).await
        }
        ("POST", "reset") => {
            ask(engine, |state| {
                state.reset();
                Ok(json!({}))
            })
            .await
        }
        _ => return status(404, "NotFound", &format!("there is no {method} {path}")),
    };
    match result {
        Ok(value) => document(200, &value),
        Err(why) => status(400, "BadRequest", &why),
    }
}

async fn ask(
    engine: &Engine,
    job: impl FnOnce(&mut State) -> Result<Value, String> + Send + 'static,
) -> Result<Value, String> {
    let (to, from) = oneshot::channel();
    engine.send(move |state| {
        let _ = to.send(job(state)); // who asked may be gone
    });
    from.await.unwrap_or_else(|_| Err("the simulation has ended".into()))
}

async fn run(engine: &Engine, value: &Value) -> Result<Value, String> {
    let line = value["command"].as_str().ok_or("command: a command line is missing")?.to_owned();
    let (to, from) = oneshot::channel();
    engine.send(move |state| match state.world.run(&line) {
        Err(why) => {
            let _ = to.send(Err(why));
        }
        Ok(running) => state.when_done(running, LONGEST, move |result| {
            let _ = to.send(result.ok_or_else(|| "the command does not end".to_owned()));
        }),
    });
    let (out, err, code) = from.await.map_err(|_| "the simulation has ended")??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(json!({"stdout": text(out), "stderr": text(err), "code": code}))
}

fn time(state: &State) -> Value {
    let now = state.world.now();
    json!({"now": now.to_timestamp().to_string(), "micros": now.as_micros(),
        "speed": state.pace.speed, "paused": state.pace.paused})
}

fn set_time(state: &mut State, value: &Value) -> Result<Value, String> {
    let mut pace = state.pace;
    match &value["paused"] {
        Value::Null => {}
        Value::Bool(paused) => pace.paused = *paused,
        _ => return Err("paused: true or false".into()),
    }
    match &value["speed"] {
        Value::Null => {}
        speed => match speed.as_f64() {
            Some(speed) if speed > 0.0 && speed <= FASTEST => pace.speed = speed,
            _ => return Err(format!("speed: a number above 0, at most {FASTEST}")),
        },
    }
    let advance = match &value["advance"] {
        Value::Null => None,
        seconds => match seconds.as_f64() {
            Some(seconds) if (0.0..=MOST_SECONDS).contains(&seconds) => Some(seconds),
            _ => return Err(format!("advance: seconds, at most {MOST_SECONDS}")),
        },
    };
    state.pace = pace;
    if let Some(seconds) = advance {
        state.skip(Duration::from_secs_f64(seconds));
    }
    Ok(time(state))
}
