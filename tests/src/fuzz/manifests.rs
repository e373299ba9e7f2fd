//! Manifests that are odd, deep, large or costly.

use super::{lines::VALUES, one};
use crate::chaos::Chance;

/// Whole files that were thought of.
const FILES: &[&str] = &[
    "",
    "---\n---\n---",
    "a: &a [*a]",
    "a: &a {b: *a}",
    "\t",
    "? ? ?",
    "- - - - - -",
    "a: b: c",
    "{",
    "[",
    "%YAML 9.9\n---\n",
    "!!binary x",
    "!!python/object x",
    "<<: *x",
    "a: 'unfinished",
    "a: |\n x\n  y\n z",
    "\u{feff}a: b",
    "0: 1\n1: 2",
    "null",
    "~",
    "42",
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]",
    "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: []}]}]",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: c, image: nginx, resources: {requests: {cpu: 1e400, memory: -1}}}]}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: deep, labels: [], annotations: 3}\nspec: null",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: cmd}\nspec: {terminationGracePeriodSeconds: 9223372036854775807, activeDeadlineSeconds: 9223372036854775807, containers: [{name: c, image: 'busybox:1.36', command: [sleep, 1e30], livenessProbe: {exec: {command: ['true']}, periodSeconds: 2147483647, initialDelaySeconds: 2147483647, timeoutSeconds: 2147483647, failureThreshold: 2147483647}}]}",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: far}\nspec: {replicas: 2147483647, progressDeadlineSeconds: 2147483647, minReadySeconds: 2147483646, revisionHistoryLimit: 2147483647, paused: true, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}}",
    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: far}\nspec: {replicas: 2, ordinals: {start: 2147483647}, serviceName: x, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: 'nginx:1.25'}]}}}",
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: far}\nspec: {completions: 2147483647, parallelism: 0, completionMode: Indexed, backoffLimit: 2147483647, ttlSecondsAfterFinished: 2147483647, activeDeadlineSeconds: 9223372036854775807, template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}",
    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: far}\nspec: {schedule: '0 0 31 2 *', startingDeadlineSeconds: 9223372036854775807, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}}",
    "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: far}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2147483647, maxReplicas: 2147483647, behavior: {scaleUp: {policies: [{type: Percent, value: 2147483647, periodSeconds: 1800}]}}}",
    "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: far}\nspec: {minAvailable: '999999999%', selector: {}}",
    "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: far}\nspec: {hard: {pods: 9223372036854775807Ei, cpu: '-1', 'count/x.y': 1e999}}",
    "apiVersion: v1\nkind: Service\nmetadata: {name: far}\nspec: {type: NodePort, clusterIP: 999.1.1.1, ports: [{port: 99999, nodePort: -1}, {port: 80, targetPort: ''}]}",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far}\nbinaryData: {a: '!!!'}\ndata: {'..': x, 'a/b': y}",
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: costs.example.com}\nspec: {group: example.com, scope: Namespaced, names: {plural: costs, kind: Cost}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {list: {type: array, items: {type: string}}}, x-kubernetes-validations: [{rule: 'self.list.all(a, self.list.all(b, self.list.all(c, self.list.all(d, a + b + c + d != \"x\"))))'}]}}}}}]}",
    "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: cost}\nspec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}, validations: [{expression: '[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, [1,2,3,4,5,6,7,8,9].all(g, a+b+c+d+e+f+g > 0)))))))'}]}\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: cost}\nspec: {policyName: cost, validationActions: [Deny]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: pays}",
    "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: odd}\nspec: {validations: [{expression: '((((((((((((((((((((1))))))))))))))))))))'}, {expression: '\"a\".matches(\"(a*)*b\")'}, {expression: '1/0 == 1 || 9223372036854775807 + 1 > 0'}]}",
];

/// A manifest by chance.
pub fn draw(chance: &mut Chance) -> String {
    match chance.below(4) {
        0 | 1 => one(chance, FILES).to_string(),
        2 => {
            let depth = [10, 100, 1_000, 20_000][chance.below(4) as usize];
            let (open, close) = if chance.below(2) == 0 { ("[", "]") } else { ("{a: ", "}") };
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: deep, annotations: {deep}}}\ndata: {deep}"
            )
        }
        _ => {
            let kind = one(
                chance,
                &[
                    "v1 Pod",
                    "apps/v1 Deployment",
                    "v1 Service",
                    "batch/v1 Job",
                    "batch/v1 CronJob",
                    "v1 Node",
                    "v1 Namespace",
                    "v1 PersistentVolume",
                    "networking.k8s.io/v1 Ingress",
                    "v1 Secret",
                    "v1 Event",
                    "v1 Nope",
                    "nope/v1 Pod",
                    "meta.k8s.io/v1 Status",
                    "v1 Binding",
                    "authorization.k8s.io/v1 SelfSubjectAccessReview",
                ],
            );
            let (version, kind) = kind.split_once(' ').unwrap_or_default();
            let tree = tree(chance, 4);
            format!(
                "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: odd, {}: {}}}\nspec: {tree}",
                field(chance),
                value(chance)
            )
        }
    }
}

fn field(chance: &mut Chance) -> &'static str {
    one(
        chance,
        &[
            "name",
            "labels",
            "annotations",
            "spec",
            "template",
            "containers",
            "image",
            "replicas",
            "selector",
            "matchLabels",
            "ports",
            "port",
            "metadata",
            "finalizers",
            "ownerReferences",
            "generateName",
            "deletionTimestamp",
            "resourceVersion",
            "uid",
            "schedule",
            "jobTemplate",
            "env",
            "valueFrom",
            "volumes",
            "resources",
            "requests",
            "cpu",
            "limits",
            "command",
            "tolerations",
            "affinity",
            "hostPort",
            "type",
            "data",
            "status",
            "managedFields",
        ],
    )
}

fn value(chance: &mut Chance) -> String {
    let text = one(chance, VALUES);
    let quoted = format!("{:?}", text.replace(|c: char| c.is_control(), ""));
    if chance.below(3) == 0 { "[]".to_string() } else { quoted }
}

fn tree(chance: &mut Chance, depth: u64) -> String {
    if depth == 0 {
        return value(chance);
    }
    let count = 1 + chance.below(3);
    let parts: Vec<String> = (0..count)
        .map(|_| match chance.below(3) {
            0 => format!("{}: [{}]", field(chance), tree(chance, depth - 1)),
            _ => format!("{}: {}", field(chance), tree(chance, depth - 1)),
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    let own: Vec<_> =
        parts.into_iter().filter(|p| seen.insert(p.split(':').next().map(str::to_owned))).collect();
    format!("{{{}}}", own.join(", "))
}
