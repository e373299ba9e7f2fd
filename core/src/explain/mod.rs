//! Answers for those who ask why: what led to an object ([`trace`]), why it is as it is ([`why`]).
//!
//! Reads the simulation's records, the scheduler's decisions and API objects; writes nothing and
//! remembers nothing itself. The answers are plain data (`view`); [`text`] prints them.
//!
//! Invariant: whoever asks sees no more than the API would let them read.

mod change;
mod graph;
mod pods;
pub mod text;
mod trace;
mod why;

pub use trace::trace;
pub use why::why;

use crate::api::Kind;

/// `pod/web-1`, `deployment.apps/web`: how an object is called here.
pub fn called(kind: &Kind, name: &str) -> String {
    format!("{}/{name}", kind.singular)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::Typed,
        apiserver::ApiServer,
        client::{Client, User},
        controllers::testing,
        sim::{Sim, Time},
    };
    use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
    use serde_json::json;

    fn pod(client: &Client) {
        testing::make::<Pod>(
            client,
            json!({"metadata": {"name": "web", "namespace": "default"},
                "spec": {"containers": [{"name": "c", "image": "i"}]}}),
        );
    }

    #[test]
    fn memory_is_bounded_and_says_when_a_beginning_is_forgotten() {
        let (_, client) = testing::cluster(1);
        pod(&client);
        let kind = client.kind(Pod::ID);
        let ask = || trace(&client, &kind, ("default", "web"), None, false);
        let first = ask().unwrap();
        assert!(!first.forgotten && first.roots[0].what == "pod/web created", "{first:?}");
        let map = json!({"metadata": {"name": "m", "namespace": "default"}});
        testing::make::<ConfigMap>(&client, map);
        // Something that the pod's creation leads to, and that is all that is remembered later.
        let cause = client.sim().records().last().map(|r| r.because).unwrap();
        let created = client.sim().records()[client.sim().records().len() - 2].id;
        assert!(cause.is_none());
        for n in 0..20_000 {
            testing::edit::<ConfigMap>(&client, "default", "m", |m| {
                m.data = Some([("n".to_string(), n.to_string())].into());
            });
        }
        assert!(ask().is_none(), "the pod's creation is not remembered");
        client.sim().under(created, || {
            testing::edit::<Pod>(&client, "default", "web", |p| {
                p.metadata.labels = Some([("a".to_string(), "b".to_string())].into());
            });
        });
        let later = ask().unwrap();
        assert!(later.forgotten, "{later:?}");
        assert_eq!(later.roots[0].what, "pod/web changed");
    }

    #[test]
    fn who_may_not_read_an_object_is_told_nothing_of_it() {
        let sim = Sim::new(1, Time::from_secs(1_700_000_000));
        let api = ApiServer::new(&sim);
        let client = Client::system(&api, "test");
        let named = |ns: Option<&str>| json!({"metadata": {"name": "default", "namespace": ns}});
        testing::make::<Namespace>(&client, named(None));
        testing::make::<ServiceAccount>(&client, named(Some("default")));
        pod(&client);
        let nobody = Client::new(&api, User::new("jane", Vec::<String>::new()), "test");
        let kind = client.kind(Pod::ID);
        assert_eq!(why(&nobody, &kind, "default", "web").unwrap_err().reason, "Forbidden");
        let told = trace(&nobody, &kind, ("default", "web"), None, false).unwrap();
        assert_eq!(told.roots[0].what, "an object that you may not see");
    }
}
