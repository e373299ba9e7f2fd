//! How fast the API server answers requests in the form of HTTP, on a cluster of many pods.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use sandbar_core::{
    apiserver::rest::{Body, Request, Response},
    client::{Client, User},
};

use crate::driver::Driver;

/// How long each sort of request is measured.
const EACH: Duration = Duration::from_secs(2);

/// A measured value: name, value, unit.
pub type Measured = (&'static str, f64, &'static str);

fn send(
    client: &Client,
    method: &str,
    uri: &str,
    media: &str,
    body: &str,
) -> Result<Response, String> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let user = User::new("bench", ["system:masters"]);
    let mut request = Request::get(path, query, Some(user));
    request.method = method.into();
    request.headers = vec![("Content-Type".into(), media.into())];
    request.body = body.as_bytes().to_vec();
    let answer = Rc::new(RefCell::new(None));
    let put = answer.clone();
    client.serve(&request, move |response| *put.borrow_mut() = Some(response));
    let response = answer.borrow_mut().take().ok_or("no answer at once")?;
    match response.status {
        200..300 => Ok(response),
        code => Err(format!("{method} {uri} was answered with {code}")),
    }
}

/// Requests per second of `each`, which is told how many there were before it.
fn rate(mut each: impl FnMut(usize) -> Result<(), String>) -> Result<f64, String> {
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < EACH {
        each(count)?;
        count += 1;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Gets, lists, patches and watches pods of the namespace `default`.
///
/// # Errors
/// In words, where something is not answered as it should be.
pub fn measure(driver: &mut Driver) -> Result<Vec<Measured>, String> {
    let cluster = driver.session.cluster().ok_or("there is no cluster")?;
    let client = cluster.viewer();
    let pods = client.list::<k8s_openapi::api::core::v1::Pod>(Some("default"));
    let names: Vec<String> = pods.iter().filter_map(|p| p.metadata.name.clone()).collect();
    let name = |count: usize| &names[count % names.len()];
    const PODS: &str = "/api/v1/namespaces/default/pods";
    const MERGE: &str = "application/merge-patch+json";
    let gets = rate(|n| send(&client, "GET", &format!("{PODS}/{}", name(n)), "", "").map(drop))?;
    let lists = rate(|_| send(&client, "GET", PODS, "", "").map(drop))?;
    let patch = |n: usize| format!(r#"{{"metadata":{{"annotations":{{"bench":"{n}"}}}}}}"#);
    let patches = rate(|n| {
        let uri = format!("{PODS}/{}", name(n));
        send(&client, "PATCH", &uri, MERGE, &patch(n)).map(drop)
    })?;
    let watch = send(
        &client,
        "GET",
        &format!("{PODS}?watch=1&resourceVersion={}", client.revision()),
        "",
        "",
    )?;
    let Body::Stream(mut events) = watch.body else { return Err("the watch is no stream".into()) };
    driver.pass(Duration::from_secs(1));
    while events.try_recv().is_some() {}
    let (start, begun) = (Instant::now(), driver.session.now());
    const CHANGES: usize = 200;
    for n in 0..CHANGES {
        let uri = format!("{PODS}/{}", name(n));
        send(&client, "PATCH", &uri, MERGE, &patch(n + 1_000_000))?;
        while events.try_recv().is_none() {
            let next = driver.session.next_due().ok_or("nothing is due, and no event came")?;
            driver.session.advance(next, 1_000);
        }
    }
    let simulated = driver.session.now().since(begun).as_secs_f64() / CHANGES as f64;
    let wall = start.elapsed().as_secs_f64() / CHANGES as f64;
    Ok(vec![
        ("api/native/get", gets, "requests/s"),
        ("api/native/list", lists, "requests/s"),
        ("api/native/patch", patches, "requests/s"),
        ("api/native/watch/simulated", simulated * 1_000.0, "ms"),
        ("api/native/watch/wall", wall * 1_000.0, "ms"),
    ])
}
