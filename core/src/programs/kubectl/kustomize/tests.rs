//! `kubectl kustomize` typed into a shell, on folders with kustomizations.

use std::{collections::BTreeMap, time::Duration};

use expect_test::{Expect, expect};

use crate::{
    machine::{Command, Fd, Machine, MachineSpec, fs::Fs},
    sim::{Sim, Time},
};

/// Files, and what building the folder `top` says.
fn check(files: &[(&str, &str)], want: Expect) {
    let sim = Sim::new(3, Time::from_secs(1_795_000_000));
    let fs = Fs::new(sim.now());
    fs.add_basics(sim.now());
    for (name, program) in
        [("sh", "dash"), ("kubectl", "kubectl"), ("mkdir", "mkdir"), ("sleep", "sleep")]
    {
        let _ = fs.install(&format!("/bin/{name}"), program, sim.now());
    }
    let (env, programs) = (BTreeMap::new(), crate::programs::find);
    let machine = Machine::new(&sim, MachineSpec { hostname: "host".into(), fs, env, programs });
    machine.spawn(Command::new(["sleep", "1000000"])).unwrap();
    let mut script = String::from("mkdir -p /w && cd /w\n");
    for (path, text) in files {
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
        script += &format!("mkdir -p {folder}\nprintf %s {} > {path}\n", quoted(text));
    }
    script += "kubectl kustomize top\n";
    let (out, text) = Fd::capture();
    let command = Command::new(["sh", "-c", &script]).stdout(out.clone()).stderr(out);
    let child = machine.spawn(command).unwrap();
    sim.advance(sim.now() + Duration::from_secs(60), 1_000_000);
    assert!(child.status().is_some(), "it ends");
    want.assert_eq(&String::from_utf8(text.take()).unwrap());
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

const DEPLOY: (&str, &str) = (
    "base/deploy.yaml",
    "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: robot
      containers:
      - name: c
        image: nginx:1.25
        env: [{name: A, value: a}]
        envFrom: [{configMapRef: {name: conf}}, {secretRef: {name: pass}}]
      volumes: [{name: v, configMap: {name: conf}}]
",
);
const BASE: (&str, &str) = (
    "base/kustomization.yaml",
    "resources: [deploy.yaml]
configMapGenerator:
- name: conf
  literals: [a=1, \"b='two words'\"]
secretGenerator:
- name: pass
  literals: [user=me, password=s3cret]
generatorOptions: {labels: {made: generated}}
",
);

#[test]
fn names_are_hashed_prefixed_and_followed() {
    let top = "resources: [../base, others.yaml]
namespace: prod
namePrefix: p-
nameSuffix: -s
configMapGenerator:
- name: conf
  behavior: merge
  literals: [a=2]
";
    let others = "apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: all}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: robot, namespace: default}]
---
apiVersion: v1
kind: Namespace
metadata: {name: prod}
";
    check(
        &[DEPLOY, BASE, ("top/kustomization.yaml", top), ("top/others.yaml", others)],
        expect![[r#"
            apiVersion: v1
            kind: Namespace
            metadata:
              name: prod
            ---
            apiVersion: v1
            kind: ServiceAccount
            metadata:
              name: p-robot-s
              namespace: prod
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRoleBinding
            metadata:
              name: p-all-s
            roleRef:
              apiGroup: rbac.authorization.k8s.io
              kind: ClusterRole
              name: view
            subjects:
            - kind: ServiceAccount
              name: p-robot-s
              namespace: prod
            ---
            apiVersion: v1
            data:
              a: "2"
              b: two words
            kind: ConfigMap
            metadata:
              labels:
                made: generated
              name: p-conf-s-6k5fdgk69t
              namespace: prod
            ---
            apiVersion: v1
            data:
              password: czNjcmV0
              user: bWU=
            kind: Secret
            metadata:
              labels:
                made: generated
              name: p-pass-s-mhccfg75c6
              namespace: prod
            type: Opaque
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              labels:
                app: web
              name: p-web-s
              namespace: prod
            spec:
              selector:
                matchLabels:
                  app: web
              template:
                metadata:
                  labels:
                    app: web
                spec:
                  containers:
                  - env:
                    - name: A
                      value: a
                    envFrom:
                    - configMapRef:
                        name: p-conf-s-6k5fdgk69t
                    - secretRef:
                        name: p-pass-s-mhccfg75c6
                    image: nginx:1.25
                    name: c
                  serviceAccountName: p-robot-s
                  volumes:
                  - configMap:
                      name: p-conf-s-6k5fdgk69t
                    name: v
        "#]],
    );
}

#[test]
fn patches_components_and_replacements_change_what_they_mean() {
    let top = "resources: [../base]
components: [../extra]
patches:
- patch: |-
    - op: add
      path: /spec/template/spec/containers/0/env/-
      value: {name: B, value: b}
  target: {kind: Deployment, name: w.*}
- path: more.yaml
images: [{name: nginx, newName: registry.example/nginx, newTag: '2'}]
replicas: [{name: web, count: 3}]
commonAnnotations: {by: me}
labels: [{pairs: {team: a}}]
generatorOptions: {disableNameSuffixHash: true}
replacements:
- source: {kind: ConfigMap, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ['spec.template.spec.containers.[name=c].env.[name=A].value']
";
    let more = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - {name: side, image: busybox}
      - {name: c, env: [{name: A, $patch: delete}, {name: C, value: c}]}
";
    let more = more.replace("{name: A, $patch: delete}, ", "");
    let extra = "kind: Component
apiVersion: kustomize.config.k8s.io/v1alpha1
patches:
- target: {kind: Secret}
  patch: |-
    $patch: delete
    apiVersion: v1
    kind: Secret
    metadata: {name: any}
";
    check(
        &[
            DEPLOY,
            BASE,
            ("top/kustomization.yaml", top),
            ("top/more.yaml", &more),
            ("extra/kustomization.yaml", extra),
        ],
        expect![[r#"
            apiVersion: v1
            data:
              a: "1"
              b: two words
            kind: ConfigMap
            metadata:
              annotations:
                by: me
              labels:
                made: generated
                team: a
              name: conf-t5h2dt7554
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              annotations:
                by: me
              labels:
                app: web
                team: a
              name: web
            spec:
              replicas: 3
              selector:
                matchLabels:
                  app: web
              template:
                metadata:
                  annotations:
                    by: me
                  labels:
                    app: web
                spec:
                  containers:
                  - image: busybox
                    name: side
                  - env:
                    - name: C
                      value: c
                    - name: A
                      value: "1"
                    - name: B
                      value: b
                    envFrom:
                    - configMapRef:
                        name: conf-t5h2dt7554
                    - secretRef:
                        name: pass
                    image: registry.example/nginx:2
                    name: c
                  serviceAccountName: robot
                  volumes:
                  - configMap:
                      name: conf-t5h2dt7554
                    name: v
        "#]],
    );
}

#[test]
fn mistakes_are_told() {
    check(
        &[("top/x", "")],
        expect![[r#"
        error: unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '/w/top'
    "#]],
    );
    check(
        &[("top/kustomization.yaml", "resource: [x.yaml]\n")],
        expect![[r#"
        error: invalid Kustomization: json: unknown field "resource"
    "#]],
    );
    check(
        &[("top/kustomization.yaml", "resources: [x.yaml]\n")],
        expect![[r#"
            error: accumulating resources: accumulation err='accumulating resources from 'x.yaml': evalsymlink failure on '/w/top/x.yaml' : lstat /w/top/x.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '/w/top/x.yaml' : lstat /w/top/x.yaml: no such file or directory
        "#]],
    );
    check(
        &[("top/kustomization.yaml", "resources: [../top]\n")],
        expect![[r#"
            error: accumulating resources: accumulation err='accumulating resources from '../top': '/w/top' must resolve to a file': cycle detected: candidate root '/w/top' contains visited root '/w/top'
        "#]],
    );
    check(
        &[("top/kustomization.yaml", "helmCharts: []\n")],
        expect![[r#"
        error: helmCharts of a kustomization is not simulated in this sandbox
    "#]],
    );
    check(
        &[DEPLOY, BASE, ("top/kustomization.yaml", "bases: [../base]\nreplicas: [{name: x}]\n")],
        expect![[r#"
            error: resource with name x does not match a config with the following GVK [Deployment.[noVer].[noGrp] StatefulSet.[noVer].[noGrp] ReplicaSet.[noVer].[noGrp] ReplicationController.[noVer].[noGrp]]
        "#]],
    );
    check(
        &[(
            "top/kustomization.yaml",
            "configMapGenerator: [{name: c, files: [../../etc/passwd]}]\n",
        )],
        expect![[r#"
            error: loading KV pairs: file sources: [../../etc/passwd]: security; file '/etc/passwd' is not in or below '/w/top'
        "#]],
    );
}
