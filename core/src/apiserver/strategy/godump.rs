//! Pod specs as Kubernetes' own errors show them: the fields of its internal Go types, in their
//! order, with the zero values that JSON leaves out.
//!
//! Only what a change of a pod can touch is spelled out in [`TYPES`]; deeper values are shown with
//! the names they have in the API, capitalised.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use serde_json::{Map, Value};

use crate::api::object::to_value;

/// A Go type's fields: `Name`, or `Name=json` where the names differ by more than a capital, then
/// the kind of value: `s` text, `n` number, `b` bool, nothing for what can be null, `:T` a struct,
/// `*T` a pointer to one, `[T` a list of them.
const TYPES: &[(&str, &str)] = &[
    (
        "PodSpec",
        "Volumes[Volume InitContainers[Container Containers[Container EphemeralContainers \
         RestartPolicy/s TerminationGracePeriodSeconds ActiveDeadlineSeconds \
         DNSPolicy=dnsPolicy/s NodeSelector ServiceAccountName/s AutomountServiceAccountToken \
         NodeName/s SecurityContext*PodSecurityContext ImagePullSecrets[Any Hostname/s \
         Subdomain/s SetHostnameAsFQDN Affinity*Any SchedulerName/s Tolerations[Toleration \
         HostAliases[Any PriorityClassName/s Priority PreemptionPolicy DNSConfig=dnsConfig*Any \
         ReadinessGates[Any RuntimeClassName Overhead EnableServiceLinks \
         TopologySpreadConstraints[Any OS=os*Any SchedulingGates[Any ResourceClaims[Any \
         Resources*Any HostnameOverride SchedulingGroup*Any",
    ),
    (
        "Container",
        "Name/s Image/s Command Args WorkingDir/s Ports[ContainerPort EnvFrom[Any Env[EnvVar \
         Resources:Resources ResizePolicy[Any RestartPolicy RestartPolicyRules[Any \
         VolumeMounts[VolumeMount VolumeDevices[Any LivenessProbe*Probe ReadinessProbe*Probe \
         StartupProbe*Probe Lifecycle*Any TerminationMessagePath/s TerminationMessagePolicy/s \
         ImagePullPolicy/s SecurityContext*Any Stdin/b StdinOnce/b TTY=tty/b",
    ),
    ("ContainerPort", "Name/s HostPort/n ContainerPort/n Protocol/s HostIP/s"),
    ("EnvVar", "Name/s Value/s ValueFrom*Any"),
    ("Resources", "Limits Requests Claims"),
    (
        "VolumeMount",
        "Name/s ReadOnly/b RecursiveReadOnly MountPath/s SubPath/s MountPropagation SubPathExpr/s",
    ),
    (
        "Probe",
        "Exec*Any HTTPGet=httpGet*Any TCPSocket=tcpSocket*Any GRPC=grpc*Any \
         InitialDelaySeconds/n TimeoutSeconds/n PeriodSeconds/n SuccessThreshold/n \
         FailureThreshold/n TerminationGracePeriodSeconds",
    ),
    ("Toleration", "Key/s Operator/s Value/s Effect/s TolerationSeconds"),
    (
        "PodSecurityContext",
        "HostNetwork/b HostPID/b HostIPC/b ShareProcessNamespace HostUsers \
         SELinuxOptions=seLinuxOptions*Any WindowsOptions*Any RunAsUser RunAsGroup RunAsNonRoot \
         SupplementalGroups SupplementalGroupsPolicy FSGroup=fsGroup \
         FSGroupChangePolicy=fsGroupChangePolicy Sysctls[Any SeccompProfile*Any AppArmorProfile*Any \
         SELinuxChangePolicy=seLinuxChangePolicy",
    ),
    (
        "PersistentVolumeClaimSpec",
        "AccessModes Selector*Any Resources:VolumeResources VolumeName/s StorageClassName \
         VolumeMode DataSource*Any DataSourceRef*Any VolumeAttributesClassName",
    ),
    ("VolumeResources", "Limits Requests"),
    (
        "PersistentVolumeSource",
        "GCEPersistentDisk=gcePersistentDisk*Any AWSElasticBlockStore=awsElasticBlockStore*Any \
         HostPath*HostPath Glusterfs*Any NFS=nfs*NFS RBD=rbd*Any Quobyte*Any ISCSI=iscsi*Any \
         FlexVolume*Any Cinder*Any CephFS=cephfs*Any FC=fc*Any Flocker*Any AzureFile*Any \
         VsphereVolume*Any AzureDisk*Any PhotonPersistentDisk*Any PortworxVolume*Any \
         ScaleIO=scaleIO*Any Local*Local StorageOS=storageos*Any CSI=csi*CSI",
    ),
    ("HostPath", "Path/s Type"),
    ("NFS", "Server/s Path/s ReadOnly/b"),
    ("Local", "Path/s FSType=fsType"),
    (
        "CSI",
        "Driver/s VolumeHandle/s ReadOnly/b FSType=fsType/s VolumeAttributes \
         ControllerPublishSecretRef*Any NodeStageSecretRef*Any NodePublishSecretRef*Any \
         ControllerExpandSecretRef*Any NodeExpandSecretRef*Any",
    ),
    (
        "Volume",
        "Name/s HostPath*Any EmptyDir*Any GCEPersistentDisk=gcePersistentDisk*Any \
         AWSElasticBlockStore=awsElasticBlockStore*Any GitRepo*Any Secret*Any NFS=nfs*Any \
         ISCSI=iscsi*Any Glusterfs*Any PersistentVolumeClaim*Any RBD=rbd*Any Quobyte*Any \
         FlexVolume*Any Cinder*Any CephFS=cephfs*Any Flocker*Any DownwardAPI*Any FC=fc*Any \
         AzureFile*Any ConfigMap*Any VsphereVolume*Any AzureDisk*Any PhotonPersistentDisk*Any \
         Projected*Any PortworxVolume*Any ScaleIO=scaleIO*Any StorageOS=storageos*Any \
         CSI=csi*Any Ephemeral*Any Image*Any",
    ),
];

/// What differs, as lines: `-` as it was, `+` as it would be.
pub fn diff(new: &PodSpec, old: &PodSpec) -> String {
    unified(&lines(&spec_tree(old)), &lines(&spec_tree(new)))
}

/// [`diff`] of values of another type of [`TYPES`].
pub fn diff_of(name: &str, new: &Value, old: &Value) -> String {
    unified(&lines(&shape(name, Some(old))), &lines(&shape(name, Some(new))))
}

/// A spec on one line, as errors show it.
pub fn spec(spec: &PodSpec) -> String {
    let mut out = String::new();
    compact(&spec_tree(spec), &mut out);
    out
}

/// A template on one line, as errors show it.
pub fn template(template: &PodTemplateSpec) -> String {
    let mut fields = Vec::new();
    if let Some(Value::Object(meta)) = template.metadata.as_ref().map(to_value) {
        fields.extend(meta.into_iter().map(|(key, value)| (key, Tree::Leaf(value))));
    }
    let none = PodSpec::default();
    fields.push(("Spec".to_string(), spec_tree(template.spec.as_ref().unwrap_or(&none))));
    let mut out = String::new();
    compact(&Tree::Struct(fields), &mut out);
    out
}

fn compact(tree: &Tree, out: &mut String) {
    let mut separator = "";
    match tree {
        Tree::Leaf(value) => out.push_str(&value.to_string()),
        Tree::List(items) => {
            out.push('[');
            for item in items {
                out.push_str(separator);
                compact(item, out);
                separator = ",";
            }
            out.push(']');
        }
        Tree::Struct(fields) => {
            out.push('{');
            for (name, value) in fields {
                out.push_str(&format!("{separator}{name:?}:"));
                compact(value, out);
                separator = ",";
            }
            out.push('}');
        }
    }
}

/// JSON whose keys keep their order.
enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Struct(Vec<(String, Tree)>),
}

fn spec_tree(spec: &PodSpec) -> Tree {
    let mut value = to_value(spec);
    // Internally these belong to the security context.
    if let Some(map) = value.as_object_mut() {
        let moved = ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"];
        let moved: Map<_, _> =
            moved.iter().filter_map(|k| Some((k.to_string(), map.remove(*k)?))).collect();
        if let Some(context) = map.get_mut("securityContext").and_then(Value::as_object_mut) {
            context.extend(moved);
        }
    }
    shape("PodSpec", Some(&value))
}

fn shape(name: &str, value: Option<&Value>) -> Tree {
    let Some((_, fields)) = TYPES.iter().find(|(n, _)| *n == name) else {
        return value.map_or(Tree::Leaf(Value::Null), capitalised);
    };
    let tree = fields.split_whitespace().map(|field| {
        let end = field.find(['/', ':', '*', '[']).unwrap_or(field.len());
        let (names, kind) = field.split_at(end);
        let (go, json) = match names.split_once('=') {
            Some((go, json)) => (go, json.to_string()),
            None => (names, lower_first(names)),
        };
        let value = value.and_then(|v| v.get(&json));
        let (mark, inner) = kind.split_at(kind.len().min(1));
        let tree = match (mark, value) {
            (":", value) => shape(inner, value),
            ("*", Some(value)) => shape(inner, Some(value)),
            ("[", Some(Value::Array(items))) => {
                Tree::List(items.iter().map(|item| shape(inner, Some(item))).collect())
            }
            ("/", None) => Tree::Leaf(match inner {
                "s" => Value::from(""),
                "n" => Value::from(0),
                _ => Value::from(false),
            }),
            (_, value) => Tree::Leaf(value.cloned().unwrap_or(Value::Null)),
        };
        (go.to_string(), tree)
    });
    Tree::Struct(tree.collect())
}

fn capitalised(value: &Value) -> Tree {
    match value {
        Value::Object(map) => Tree::Struct(
            map.iter()
                .map(|(key, value)| {
                    let mut chars = key.chars();
                    let first = chars.next().map(|c| c.to_ascii_uppercase());
                    (first.into_iter().chain(chars).collect(), capitalised(value))
                })
                .collect(),
        ),
        Value::Array(items) => Tree::List(items.iter().map(capitalised).collect()),
        leaf => Tree::Leaf(leaf.clone()),
    }
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn lines(tree: &Tree) -> Vec<String> {
    let mut out = Vec::new();
    indented(tree, 0, String::new(), "", &mut out);
    out
}

/// As `json.MarshalIndent` with one blank.
fn indented(tree: &Tree, depth: usize, head: String, tail: &str, out: &mut Vec<String>) {
    let pad = " ".repeat(depth);
    let last = |i: usize, n: usize| if i + 1 < n { "," } else { "" };
    match tree {
        Tree::Struct(fields) if !fields.is_empty() => {
            out.push(format!("{pad}{head}{{"));
            for (i, (name, value)) in fields.iter().enumerate() {
                let head = format!("{name:?}: ");
                indented(value, depth + 1, head, last(i, fields.len()), out);
            }
            out.push(format!("{pad}}}{tail}"));
        }
        Tree::List(items) if !items.is_empty() => {
            out.push(format!("{pad}{head}["));
            for (i, item) in items.iter().enumerate() {
                indented(item, depth + 1, String::new(), last(i, items.len()), out);
            }
            out.push(format!("{pad}]{tail}"));
        }
        Tree::Leaf(Value::Object(map)) if !map.is_empty() => {
            out.push(format!("{pad}{head}{{"));
            for (i, (key, value)) in map.iter().enumerate() {
                let leaf = Tree::Leaf(value.clone());
                indented(&leaf, depth + 1, format!("{key:?}: "), last(i, map.len()), out);
            }
            out.push(format!("{pad}}}{tail}"));
        }
        Tree::Leaf(Value::Array(items)) if !items.is_empty() => {
            out.push(format!("{pad}{head}["));
            for (i, item) in items.iter().enumerate() {
                let leaf = Tree::Leaf(item.clone());
                indented(&leaf, depth + 1, String::new(), last(i, items.len()), out);
            }
            out.push(format!("{pad}]{tail}"));
        }
        Tree::Struct(_) => out.push(format!("{pad}{head}{{}}{tail}")),
        Tree::List(_) => out.push(format!("{pad}{head}[]{tail}")),
        Tree::Leaf(value) => out.push(format!("{pad}{head}{value}{tail}")),
    }
}

/// One hunk around all that differs, with three lines before and after.
fn unified(old: &[String], new: &[String]) -> String {
    const AROUND: usize = 3;
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (from, old_end, new_end) = (start.saturating_sub(AROUND), old.len() - end, new.len() - end);
    let to = (old_end + AROUND).min(old.len());
    let mut out = format!(
        "@@ -{},{} +{},{} @@\n",
        from + 1,
        to - from,
        from + 1,
        (to - from + new_end).saturating_sub(old_end)
    );
    let mut push = |mark: char, lines: &[String]| {
        for line in lines {
            out.push(mark);
            out.push_str(line);
            out.push('\n');
        }
    };
    push(' ', &old[from..start]);
    push('-', &old[start..old_end]);
    push('+', &new[start..new_end]);
    push(' ', &old[old_end..to]);
    out
}
