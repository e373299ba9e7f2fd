//! What files of other makers do: nothing.

use serde_json::{Value, json};

use super::{Known, files};
use crate::api::KindTable;

fn told() -> files::Told {
    let core = json!({"items": [{"versions": [{"version": "v1", "resources": [{
        "resource": "pods", "singularResource": "pod", "scope": "Namespaced",
        "responseKind": {"group": "", "version": "v1", "kind": "Pod"}, "verbs": ["get"],
        "shortNames": ["po"], "categories": ["all"], "subresources": [{"subresource": "eviction",
            "responseKind": {"group": "policy", "version": "v1", "kind": "Eviction"},
            "verbs": ["create"]}]}]}]}]});
    let widgets = |version: &str| {
        json!({"version": version, "resources": [{
            "resource": "widgets", "singularResource": "widget", "scope": "Cluster",
            "responseKind": {"group": "example.com", "version": version, "kind": "Widget"},
            "verbs": ["get"]}]})
    };
    let stale = json!({"version": "v9", "freshness": "Stale", "resources": []});
    let rest = json!({"items": [{"metadata": {"name": "example.com"},
        "versions": [stale, widgets("v2"), widgets("v1")]}]});
    files::Told::new(&core, &rest)
}

#[test]
fn files_have_the_real_form_and_are_read_back() {
    let told = told();
    expect_test::expect![[r#"
        {"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"","versions":[{"groupVersion":"v1","version":"v1"}],"preferredVersion":{"groupVersion":"v1","version":"v1"}},{"name":"example.com","versions":[{"groupVersion":"example.com/v2","version":"v2"},{"groupVersion":"example.com/v1","version":"v1"}],"preferredVersion":{"groupVersion":"example.com/v2","version":"v2"}}]}
    "#]].assert_eq(&told.groups_text());
    let text = files::resources_text("v1", &told.lists["v1"]);
    expect_test::expect![[r#"
        {"kind":"APIResourceList","apiVersion":"v1","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod","namespaced":true,"version":"v1","kind":"Pod","verbs":["get"],"shortNames":["po"],"categories":["all"]},{"name":"pods/eviction","singularName":"pod","namespaced":true,"group":"policy","version":"v1","kind":"Eviction","verbs":["create"]}]}
    "#]].assert_eq(&text);
    let groups: Value = serde_json::from_str(&told.groups_text()).unwrap();
    assert_eq!(files::groups(&groups), Some(told.groups.clone()));
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(files::resources(&list), Some(told.lists["v1"].clone()));
}

#[test]
fn foreign_files_are_left_alone() {
    for foreign in [
        json!(null),
        json!([]),
        json!({"kind": "APIGroupList"}),
        json!({"kind": "Pod",
        "apiVersion": "v1", "groups": []}),
    ] {
        assert_eq!(files::groups(&foreign), None, "{foreign}");
        assert_eq!(files::resources(&foreign), None, "{foreign}");
    }
    let odd = json!({"kind": "APIResourceList", "apiVersion": "v1", "resources": [7, {}, "x"]});
    let list = files::resources(&odd).unwrap();
    let groups = [files::Group {
        name: "../../etc".into(),
        versions: vec![String::new()],
        preferred: "v1".into(),
    }];
    let known = Known::new(&KindTable::default(), &groups, &[("../../etc/v1".into(), list)]);
    assert_eq!(known.iter().count(), 3);
    assert!(known.iter().all(|kind| kind.id == crate::api::KindId::NOWHERE));
}

#[test]
fn a_kind_is_known_in_its_preferred_version() {
    let told = told();
    let lists: Vec<_> = told.lists.iter().map(|(p, l)| (p.clone(), l.clone())).collect();
    let table = KindTable::default();
    let known = Known::new(&table, &told.groups, &lists);
    let named = |kinds: Vec<String>| kinds.join(" ");
    let all = known.preferred().map(|k| format!("{}/{}", k.api_version(), k.plural)).collect();
    assert_eq!(named(all), "v1/pods example.com/v2/widgets");
    assert_eq!(known.iter().count(), 3);
    let pod = known.by_kind("v1", "Pod").unwrap();
    assert!(std::rc::Rc::ptr_eq(pod, table.by_kind("v1", "Pod").unwrap()));
}
