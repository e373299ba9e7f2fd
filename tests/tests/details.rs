//! What the page's drawer shows of an object: each of its tabs has an answer.

use std::time::Duration;

use sandbar_core::{
    session::{
        Session,
        protocol::{DetailKind, Input, ObjectRef, Output},
    },
    sim::Time,
};

fn pass(session: &mut Session, seconds: u64) -> Vec<Output> {
    let until = session.now() + Duration::from_secs(seconds);
    while !session.advance(until, 10_000).reached {}
    session.take_outputs()
}

#[test]
fn every_tab_of_the_drawer_has_an_answer() {
    let mut session = Session::new(3, Time::from_secs(1_790_000_000));
    session.handle(Input::TerminalOpen { id: 1, place: String::new(), cols: 100, rows: 30 });
    for (line, seconds) in
        [("minikube start\r", 60), ("kubectl create deployment web --image=nginx:1.25\r", 60)]
    {
        session.handle(Input::TerminalKeys { id: 1, data: line.into() });
        pass(&mut session, seconds);
    }
    let object = ObjectRef {
        resource: "deployments".into(),
        name: "web".into(),
        namespace: "default".into(),
    };
    for (request, what, shown) in [
        (1, DetailKind::Describe, "Name:                   web"),
        (2, DetailKind::Yaml, "kind: Deployment"),
        (3, DetailKind::Events, "ScalingReplicaSet"),
        (4, DetailKind::Why, "deployment/web"),
        (5, DetailKind::Trace, "kubectl create deployment web"),
    ] {
        session.handle(Input::Detail { request, object: object.clone(), what });
        let outputs = pass(&mut session, 2);
        let answer = outputs.iter().find_map(|output| match output {
            Output::Detail { request: of, text } if *of == request => Some(text.clone()),
            _ => None,
        });
        let text = answer.expect("an answer").expect("no error");
        assert!(text.contains(shown), "{what:?}: {text}");
    }
}
