//! Tests of access as a whole: users, roles, bindings, refusals.

use expect_test::{Expect, expect};
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Namespace, ServiceAccount},
    rbac::v1::{ClusterRole, Role, RoleBinding},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::{Object, object::from_value},
    apiserver::CreateOptions,
    sim::Time,
};

fn cluster() -> (ApiServer, RequestCx) {
    let api = ApiServer::new(&Sim::new(1, Time::from_secs(1_795_000_000)));
    let root = RequestCx::new(User::new("admin", [user::MASTERS]), "test");
    for name in ["kube-system", "kube-public", "default", "dev"] {
        make::<Namespace>(&api, &root, json!({"metadata": {"name": name}}));
    }
    api.ensure_policy(&root).unwrap();
    (api, root)
}

fn make<T: Typed>(api: &ApiServer, cx: &RequestCx, value: Value) {
    attempt::<T>(api, cx, value).unwrap();
}

fn attempt<T: Typed>(api: &ApiServer, cx: &RequestCx, value: Value) -> Result<(), Status> {
    let object: Box<dyn Object> = Box::new(from_value::<T>(value).unwrap());
    let namespace = object.namespace().to_string();
    api.create(cx, object, &CreateOptions { namespace: &namespace }).map(|_| ())
}

fn bind(api: &ApiServer, root: &RequestCx, role: Value, subject: Value) {
    let name = format!("b{}", api.store().count(RoleBinding::ID));
    make::<RoleBinding>(
        api,
        root,
        json!({"metadata": {"name": name, "namespace": "dev"}, "roleRef": role, "subjects": [subject]}),
    );
}

#[test]
fn what_is_not_allowed_is_refused_in_kubernetes_words() {
    let (api, root) = cluster();
    make::<Role>(
        &api,
        &root,
        json!({"metadata": {"name": "reader", "namespace": "dev"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]}),
    );
    let group = "rbac.authorization.k8s.io";
    let reader = json!({"apiGroup": group, "kind": "Role", "name": "reader"});
    bind(&api, &root, reader, json!({"kind": "User", "name": "jane", "apiGroup": group}));
    let gone = json!({"apiGroup": group, "kind": "ClusterRole", "name": "gone"});
    bind(&api, &root, gone, json!({"kind": "Group", "name": "lost", "apiGroup": group}));
    let pods =
        Attributes { verb: "list", resource: "pods", namespace: "dev", ..Default::default() };
    let named = Attributes { name: "x", ..pods };
    let deployments = Attributes { group: "apps", resource: "deployments", ..named };
    let nodes = Attributes { resource: "nodes", namespace: "", ..pods };
    let log = Attributes { verb: "get", subresource: "log", ..named };
    let path = Attributes::of_path("get", "/metrics");
    let check = |user: &User, attributes: &Attributes, want: Expect| {
        let cx = RequestCx::new(user.clone().authenticated(), "test");
        let got = api.authorize(&cx, attributes).map_or_else(|e| e.message, |()| "yes".into());
        want.assert_eq(&got);
    };
    let jane = User::new("jane", Vec::<String>::new());
    let lost = User::new("joe", ["lost"]);
    check(&jane, &pods, expect!["yes"]);
    check(
        &jane,
        &Attributes { namespace: "default", ..pods },
        expect![[
            r#"pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default""#
        ]],
    );
    check(
        &jane,
        &log,
        expect![[
            r#"pods "x" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "dev""#
        ]],
    );
    check(
        &jane,
        &deployments,
        expect![[
            r#"deployments.apps "x" is forbidden: User "jane" cannot list resource "deployments" in API group "apps" in the namespace "dev""#
        ]],
    );
    check(
        &jane,
        &nodes,
        expect![[
            r#"nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope"#
        ]],
    );
    check(&jane, &path, expect![[r#"forbidden: User "jane" cannot get path "/metrics""#]]);
    check(&jane, &Attributes::of_path("get", "/version"), expect!["yes"]);
    check(
        &lost,
        &pods,
        expect![[
            r#"pods is forbidden: User "joe" cannot list resource "pods" in API group "" in the namespace "dev": RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found"#
        ]],
    );
    check(
        &User::node("n1"),
        &Attributes { verb: "get", resource: "secrets", ..named },
        expect![[
            r#"secrets "x" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "dev": no relationship found between node 'n1' and this object"#
        ]],
    );
    check(&User::node("n1"), &nodes, expect!["yes"]);
}

#[test]
fn nobody_gives_away_what_they_do_not_have() {
    let (api, root) = cluster();
    let group = "rbac.authorization.k8s.io";
    let admin =
        json!({"apiGroup": group, "kind": "ClusterRole", "name": "system:aggregate-to-admin"});
    bind(&api, &root, admin, json!({"kind": "User", "name": "jane", "apiGroup": group}));
    let jane = RequestCx::new(User::new("jane", Vec::<String>::new()).authenticated(), "test");
    let role = |resource: &str| {
        json!({"metadata": {"name": "r", "namespace": "dev"},
            "rules": [{"apiGroups": [""], "resources": [resource], "verbs": ["get", "list"]}]})
    };
    let refused = attempt::<Role>(&api, &jane, role("pods")).unwrap_err();
    expect![[r#"
        roles.rbac.authorization.k8s.io "r" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
        {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}"#]]
    .assert_eq(&refused.message);
    let grab = json!({"metadata": {"name": "grab", "namespace": "dev"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "jane", "apiGroup": group}]});
    let refused = attempt::<RoleBinding>(&api, &jane, grab).unwrap_err();
    assert!(refused.message.contains("{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}"));
    make::<Role>(&api, &root, role("pods"));
    let missing =
        attempt::<ClusterRole>(&api, &jane, json!({"metadata": {"name": "c"}, "rules": []}));
    assert!(missing.is_ok(), "an empty role gives nothing away");
}

#[test]
fn a_token_is_good_until_it_expires_or_its_account_goes() {
    let (api, root) = cluster();
    let account = json!({"metadata": {"name": "bot", "namespace": "dev"}});
    make::<ServiceAccount>(&api, &root, account);
    let request = api.create_token("dev", "bot", TokenRequest::default()).unwrap();
    let token = request.status.as_ref().and_then(|s| s.token.clone()).unwrap();
    assert_eq!(token.split('.').count(), 3);
    let shown = Credentials { token: Some(token.clone()), ..Default::default() };
    let bot = api.authenticate(&shown).unwrap();
    assert_eq!(bot.name, "system:serviceaccount:dev:bot");
    assert_eq!(
        bot.groups,
        ["system:serviceaccounts", "system:serviceaccounts:dev", "system:authenticated"]
    );
    let forged = Credentials { token: Some(token.replace('a', "b")), ..Default::default() };
    assert_eq!(api.authenticate(&forged).unwrap_err().code, 401);
    let later = api.sim().now() + std::time::Duration::from_secs(3602);
    while !api.sim().advance(later, 1000).reached {}
    assert_eq!(api.authenticate(&shown).unwrap_err().code, 401);
    let short: TokenRequest =
        from_value(json!({"spec": {"expirationSeconds": 5, "audiences": []}})).unwrap();
    expect![[r#"TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes"#]]
        .assert_eq(&api.create_token("dev", "bot", short).unwrap_err().message);
    let nobody = User::new("jane", Vec::<String>::new());
    let cx = RequestCx::new(nobody, "test");
    let wanted = Impersonation { user: "root".into(), ..Default::default() };
    expect![[r#"users "root" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope"#]]
        .assert_eq(&api.impersonate(&cx, &wanted).unwrap_err().message);
    let wanted =
        Impersonation { user: "system:serviceaccount:dev:bot".into(), ..Default::default() };
    let bot = api.impersonate(&root, &wanted).unwrap();
    assert!(bot.is_in("system:serviceaccounts:dev") && bot.is_in(user::AUTHENTICATED));
}
