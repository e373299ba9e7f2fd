//! What the levels forbid, one function a check.
//!
//! Models `staging/src/k8s.io/pod-security-admission/policy`, the latest version of each check.

use k8s_openapi::api::core::v1::{
    Container, EphemeralContainer, PodSecurityContext, PodSpec, SecurityContext, Volume,
};

use crate::api::pods::SAFE_SYSCTLS;

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Privileged,
    /// Nothing that is known to give the node away.
    Baseline,
    /// What is good practice.
    Restricted,
}

/// Something that a level forbids.
pub struct Finding {
    /// In few words.
    pub reason: String,
    /// Where, and what would be right.
    pub detail: String,
}

type Check = fn(&Pod) -> Option<Finding>;

/// Checks of `baseline`, in the order of upstream's files.
const BASELINE: &[Check] = &[
    app_armor,
    host_namespaces,
    host_ports,
    probe_hosts,
    privileged,
    proc_mount,
    se_linux,
    sysctls,
    windows_host_process,
];

/// Checks of `baseline` that stricter ones of `restricted` stand for there.
const OVERLAPPING: &[Check] = &[capabilities_baseline, host_paths, seccomp_baseline];

/// Checks of `restricted`, besides those of `baseline`.
const RESTRICTED: &[Check] = &[
    privilege_escalation,
    capabilities_restricted,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_restricted,
];

/// What a level forbids of a pod.
pub fn judge(level: Level, spec: &PodSpec) -> Vec<Finding> {
    let pod = Pod { spec, context: spec.security_context.as_ref(), containers: containers(spec) };
    let more = match level {
        Level::Privileged => return Vec::new(),
        Level::Baseline => OVERLAPPING,
        Level::Restricted => RESTRICTED,
    };
    BASELINE.iter().chain(more).filter_map(|check| check(&pod)).collect()
}

struct Pod<'a> {
    spec: &'a PodSpec,
    context: Option<&'a PodSecurityContext>,
    containers: Vec<One<'a>>,
}

/// A container of any sort.
struct One<'a> {
    name: &'a str,
    context: Option<&'a SecurityContext>,
    /// Absent for ephemeral ones, which have neither ports nor probes.
    full: Option<&'a Container>,
}

fn containers(spec: &PodSpec) -> Vec<One<'_>> {
    fn full_of(c: &Container) -> One<'_> {
        One { name: &c.name, context: c.security_context.as_ref(), full: Some(c) }
    }
    fn extra_of(c: &EphemeralContainer) -> One<'_> {
        One { name: &c.name, context: c.security_context.as_ref(), full: None }
    }
    let init = spec.init_containers.iter().flatten().map(full_of);
    let extra = spec.ephemeral_containers.iter().flatten().map(extra_of);
    init.chain(spec.containers.iter().map(full_of)).chain(extra).collect()
}

impl<'a> Pod<'a> {
    /// Names of containers whose security context is as said.
    fn which(&self, test: impl Fn(Option<&SecurityContext>) -> bool) -> Vec<&'a str> {
        self.containers.iter().filter(|c| test(c.context)).map(|c| c.name).collect()
    }
}

fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let all: Vec<String> = names.iter().map(|n| format!("{:?}", n.as_ref())).collect();
    all.join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `container "a"`, `containers "a", "b"`.
fn these(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

fn finding(reason: &str, detail: String) -> Option<Finding> {
    Some(Finding { reason: reason.into(), detail })
}

/// A finding about containers, if there are any.
fn about(reason: &str, names: &[&str], rest: &str) -> Option<Finding> {
    if names.is_empty() { None } else { finding(reason, format!("{} {rest}", these(names))) }
}

fn host_namespaces(pod: &Pod) -> Option<Finding> {
    let spec = pod.spec;
    let all = [
        (spec.host_network, "hostNetwork=true"),
        (spec.host_pid, "hostPID=true"),
        (spec.host_ipc, "hostIPC=true"),
    ];
    let set: Vec<&str> = all.iter().filter(|(on, _)| *on == Some(true)).map(|(_, s)| *s).collect();
    if set.is_empty() { None } else { finding("host namespaces", set.join(", ")) }
}

fn host_ports(pod: &Pod) -> Option<Finding> {
    let (mut names, mut ports): (Vec<&str>, Vec<i32>) = (Vec::new(), Vec::new());
    for c in &pod.containers {
        let own = c.full.iter().flat_map(|f| f.ports.iter().flatten());
        let own: Vec<i32> = own.filter_map(|p| p.host_port).filter(|p| *p != 0).collect();
        if !own.is_empty() {
            names.push(c.name);
            ports.extend(own);
        }
    }
    if names.is_empty() {
        return None;
    }
    ports.sort_unstable();
    ports.dedup();
    let list: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let word = plural("hostPort", "hostPorts", ports.len());
    let uses = plural("uses", "use", names.len());
    finding(word, format!("{} {uses} {word} {}", these(&names), list.join(", ")))
}

fn probe_hosts(pod: &Pod) -> Option<Finding> {
    let (mut names, mut hosts): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for c in &pod.containers {
        let Some(full) = c.full else { continue };
        let mut own: Vec<&String> = Vec::new();
        for probe in
            [&full.liveness_probe, &full.readiness_probe, &full.startup_probe].into_iter().flatten()
        {
            own.extend(probe.http_get.iter().filter_map(|h| h.host.as_ref()));
            own.extend(probe.tcp_socket.iter().filter_map(|t| t.host.as_ref()));
        }
        let hooks = full.lifecycle.iter().flat_map(|l| [&l.post_start, &l.pre_stop]);
        for hook in hooks.flatten() {
            own.extend(hook.http_get.iter().filter_map(|h| h.host.as_ref()));
            own.extend(hook.tcp_socket.iter().filter_map(|t| t.host.as_ref()));
        }
        own.retain(|h| !h.is_empty());
        if !own.is_empty() {
            names.push(c.name);
            hosts.extend(own.into_iter().cloned());
        }
    }
    if names.is_empty() {
        return None;
    }
    hosts.sort();
    hosts.dedup();
    let uses = plural("uses", "use", names.len());
    let word = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    finding(word, format!("{} {uses} {word} {}", these(&names), quoted(&hosts)))
}

fn privileged(pod: &Pod) -> Option<Finding> {
    let bad = pod.which(|c| c.is_some_and(|c| c.privileged == Some(true)));
    about("privileged", &bad, "must not set securityContext.privileged=true")
}

fn proc_mount(pod: &Pod) -> Option<Finding> {
    if pod.spec.host_users == Some(false) {
        return None;
    }
    let set = |c: &SecurityContext| c.proc_mount.as_deref().is_some_and(|p| p != "Default");
    let bad = pod.which(|c| c.is_some_and(set));
    let mut kinds: Vec<&str> = pod
        .containers
        .iter()
        .filter_map(|c| c.context?.proc_mount.as_deref())
        .filter(|p| *p != "Default")
        .collect();
    kinds.dedup();
    about(
        "procMount",
        &bad,
        &format!("must not set securityContext.procMount to {}", quoted(&kinds)),
    )
}

fn se_linux(pod: &Pod) -> Option<Finding> {
    const TYPES: &[&str] =
        &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
    let own = pod.context.and_then(|c| c.se_linux_options.as_ref());
    let each = pod
        .containers
        .iter()
        .map(|c| (c.name, c.context.and_then(|x| x.se_linux_options.as_ref())));
    let (mut setters, mut types, mut user, mut role) = (Vec::new(), Vec::new(), false, false);
    for (name, options) in std::iter::once(("", own)).chain(each) {
        let Some(options) = options else { continue };
        let kind = options.type_.as_deref().unwrap_or_default();
        let has = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.is_empty());
        let bad_type = !TYPES.contains(&kind);
        if !(bad_type || has(&options.user) || has(&options.role)) {
            continue;
        }
        setters.push(if name.is_empty() { "pod".to_string() } else { these(&[name]) });
        if bad_type {
            types.push(kind);
        }
        user |= has(&options.user);
        role |= has(&options.role);
    }
    if setters.is_empty() {
        return None;
    }
    let mut bad = Vec::new();
    if !types.is_empty() {
        bad.push(format!("{} {}", plural("type", "types", types.len()), quoted(&types)));
    }
    if user {
        bad.push("user may not be set".into());
    }
    if role {
        bad.push("role may not be set".into());
    }
    let detail = format!(
        "{} set forbidden securityContext.seLinuxOptions: {}",
        setters.join(" and "),
        bad.join("; ")
    );
    finding("seLinuxOptions", detail)
}

fn sysctls(pod: &Pod) -> Option<Finding> {
    let all = pod.context.iter().flat_map(|c| c.sysctls.iter().flatten());
    let bad: Vec<&str> =
        all.map(|s| s.name.as_str()).filter(|n| !SAFE_SYSCTLS.contains(n)).collect();
    if bad.is_empty() { None } else { finding("forbidden sysctls", bad.join(", ")) }
}

fn windows_host_process(pod: &Pod) -> Option<Finding> {
    let own = pod.context.and_then(|c| c.windows_options.as_ref()).and_then(|w| w.host_process);
    let set =
        |c: &SecurityContext| c.windows_options.as_ref().and_then(|w| w.host_process) == Some(true);
    let bad = pod.which(|c| c.is_some_and(set));
    setters(own == Some(true), &bad, "must not set securityContext.windowsOptions.hostProcess=true")
        .and_then(|detail| finding("hostProcess", detail))
}

/// `pod and container "a" REST`; nothing where nobody sets it.
fn setters(pod: bool, names: &[&str], rest: &str) -> Option<String> {
    let mut who = Vec::new();
    if pod {
        who.push("pod".to_string());
    }
    if !names.is_empty() {
        who.push(these(names));
    }
    if who.is_empty() { None } else { Some(format!("{} {rest}", who.join(" and "))) }
}

fn app_armor(pod: &Pod) -> Option<Finding> {
    let bad = |kind: Option<&str>| kind.is_some_and(|k| k != "RuntimeDefault" && k != "Localhost");
    let own = pod.context.and_then(|c| c.app_armor_profile.as_ref()).map(|p| p.type_.as_str());
    let each = |c: &SecurityContext| bad(c.app_armor_profile.as_ref().map(|p| p.type_.as_str()));
    let names = pod.which(|c| c.is_some_and(each));
    let rest = "must not set AppArmor profile type to \"Unconfined\"";
    let detail = setters(bad(own), &names, rest)?;
    let count = usize::from(bad(own)) + names.len();
    finding(plural("forbidden AppArmor profile", "forbidden AppArmor profiles", count), detail)
}

fn added(context: Option<&SecurityContext>) -> &[String] {
    let capabilities = context.and_then(|c| c.capabilities.as_ref());
    capabilities.and_then(|c| c.add.as_deref()).unwrap_or_default()
}

/// Containers that add other capabilities than these, and which.
fn forbidden_adds<'a>(pod: &Pod<'a>, allowed: &[&str]) -> (Vec<&'a str>, Vec<String>) {
    let is_bad = |c: &&String| !allowed.contains(&c.as_str());
    let names = pod.which(|c| added(c).iter().any(|c| is_bad(&c)));
    let all = pod.containers.iter().flat_map(|c| added(c.context));
    let mut bad: Vec<String> = all.filter(is_bad).cloned().collect();
    bad.sort();
    bad.dedup();
    (names, bad)
}

fn capabilities_baseline(pod: &Pod) -> Option<Finding> {
    const ALLOWED: &[&str] = &[
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ];
    let (names, bad) = forbidden_adds(pod, ALLOWED);
    let rest = format!("must not include {} in securityContext.capabilities.add", quoted(&bad));
    about("non-default capabilities", &names, &rest)
}

fn host_paths(pod: &Pod) -> Option<Finding> {
    let all = pod.spec.volumes.iter().flatten();
    let bad: Vec<&str> = all.filter(|v| v.host_path.is_some()).map(|v| v.name.as_str()).collect();
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} {}", plural("volume", "volumes", bad.len()), quoted(&bad));
    finding("hostPath volumes", detail)
}

fn seccomp(context: Option<&SecurityContext>) -> Option<&str> {
    Some(context?.seccomp_profile.as_ref()?.type_.as_str())
}

fn is_confined(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Who sets a profile that confines nothing.
fn unconfined(pod: &Pod) -> Option<Finding> {
    let own = pod.context.and_then(|c| c.seccomp_profile.as_ref()).map(|p| p.type_.as_str());
    let bad = pod.which(|c| seccomp(c).is_some_and(|k| !is_confined(k)));
    let rest = "must not set securityContext.seccompProfile.type to \"Unconfined\"";
    setters(own.is_some_and(|k| !is_confined(k)), &bad, rest)
        .and_then(|detail| finding("seccompProfile", detail))
}

fn seccomp_baseline(pod: &Pod) -> Option<Finding> {
    unconfined(pod)
}

fn seccomp_restricted(pod: &Pod) -> Option<Finding> {
    if is_windows(pod) {
        return None;
    }
    if let Some(found) = unconfined(pod) {
        return Some(found);
    }
    if pod.context.is_some_and(|c| c.seccomp_profile.is_some()) {
        return None;
    }
    let bad = pod.which(|c| seccomp(c).is_none());
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
        these(&bad)
    );
    finding("seccompProfile", detail)
}

fn is_windows(pod: &Pod) -> bool {
    pod.spec.os.as_ref().is_some_and(|os| os.name == "windows")
}

fn privilege_escalation(pod: &Pod) -> Option<Finding> {
    if is_windows(pod) {
        return None;
    }
    let bad = pod.which(|c| c.and_then(|c| c.allow_privilege_escalation) != Some(false));
    let rest = "must set securityContext.allowPrivilegeEscalation=false";
    about("allowPrivilegeEscalation != false", &bad, rest)
}

fn capabilities_restricted(pod: &Pod) -> Option<Finding> {
    if is_windows(pod) {
        return None;
    }
    let drops_all = |c: Option<&SecurityContext>| {
        let capabilities = c.and_then(|c| c.capabilities.as_ref());
        capabilities.and_then(|c| c.drop.as_ref()).is_some_and(|d| d.iter().any(|c| c == "ALL"))
    };
    let missing = pod.which(|c| !drops_all(c));
    let (names, bad) = forbidden_adds(pod, &["NET_BIND_SERVICE"]);
    let mut details = Vec::new();
    if !missing.is_empty() {
        let rest = "must set securityContext.capabilities.drop=[\"ALL\"]";
        details.push(format!("{} {rest}", these(&missing)));
    }
    if !names.is_empty() {
        let rest = format!("must not include {} in securityContext.capabilities.add", quoted(&bad));
        details.push(format!("{} {rest}", these(&names)));
    }
    if details.is_empty() { None } else { finding("unrestricted capabilities", details.join("; ")) }
}

/// A volume's type, as its field is called, if `restricted` forbids it.
fn forbidden_type(volume: &Volume) -> Option<&'static str> {
    let allowed = volume.config_map.is_some()
        || volume.csi.is_some()
        || volume.downward_api.is_some()
        || volume.empty_dir.is_some()
        || volume.ephemeral.is_some()
        || volume.image.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.projected.is_some()
        || volume.secret.is_some();
    if allowed {
        return None;
    }
    let types = [
        (volume.host_path.is_some(), "hostPath"),
        (volume.gce_persistent_disk.is_some(), "gcePersistentDisk"),
        (volume.aws_elastic_block_store.is_some(), "awsElasticBlockStore"),
        (volume.git_repo.is_some(), "gitRepo"),
        (volume.nfs.is_some(), "nfs"),
        (volume.iscsi.is_some(), "iscsi"),
        (volume.glusterfs.is_some(), "glusterfs"),
        (volume.rbd.is_some(), "rbd"),
        (volume.flex_volume.is_some(), "flexVolume"),
        (volume.cinder.is_some(), "cinder"),
        (volume.cephfs.is_some(), "cephfs"),
        (volume.flocker.is_some(), "flocker"),
        (volume.fc.is_some(), "fc"),
        (volume.azure_file.is_some(), "azureFile"),
        (volume.vsphere_volume.is_some(), "vsphereVolume"),
        (volume.quobyte.is_some(), "quobyte"),
        (volume.azure_disk.is_some(), "azureDisk"),
        (volume.portworx_volume.is_some(), "portworxVolume"),
        (volume.scale_io.is_some(), "scaleIO"),
        (volume.storageos.is_some(), "storageos"),
    ];
    Some(types.iter().find(|(is, _)| *is).map_or("unknown", |(_, name)| name))
}

fn restricted_volumes(pod: &Pod) -> Option<Finding> {
    let all = pod.spec.volumes.iter().flatten();
    let bad: Vec<(&str, &str)> =
        all.filter_map(|v| Some((v.name.as_str(), forbidden_type(v)?))).collect();
    if bad.is_empty() {
        return None;
    }
    let names: Vec<&str> = bad.iter().map(|(name, _)| *name).collect();
    let mut types: Vec<&str> = bad.iter().map(|(_, kind)| *kind).collect();
    types.sort_unstable();
    types.dedup();
    let detail = format!(
        "{} {} {} {} {}",
        plural("volume", "volumes", names.len()),
        quoted(&names),
        plural("uses", "use", names.len()),
        plural("restricted volume type", "restricted volume types", types.len()),
        quoted(&types)
    );
    finding("restricted volume types", detail)
}

fn run_as_non_root(pod: &Pod) -> Option<Finding> {
    const REASON: &str = "runAsNonRoot != true";
    let own = pod.context.and_then(|c| c.run_as_non_root);
    let explicit = pod.which(|c| c.and_then(|c| c.run_as_non_root) == Some(false));
    let implicit = pod.which(|c| c.and_then(|c| c.run_as_non_root).is_none());
    let rest = "must not set securityContext.runAsNonRoot=false";
    // What a pod says does not matter where every container says otherwise.
    let pod_is_bad = own == Some(false);
    if let Some(detail) = setters(pod_is_bad, &explicit, rest) {
        return finding(REASON, detail);
    }
    if own == Some(true) || implicit.is_empty() {
        return None;
    }
    finding(
        REASON,
        format!("pod or {} must set securityContext.runAsNonRoot=true", these(&implicit)),
    )
}

fn run_as_user(pod: &Pod) -> Option<Finding> {
    let own = pod.context.and_then(|c| c.run_as_user) == Some(0);
    let bad = pod.which(|c| c.and_then(|c| c.run_as_user) == Some(0));
    setters(own, &bad, "must not set runAsUser=0").and_then(|detail| finding("runAsUser=0", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::from_value;
    use serde_json::{Value, json};

    fn said(level: Level, spec: Value) -> String {
        let spec: PodSpec = from_value(spec).unwrap();
        let all: Vec<String> =
            judge(level, &spec).iter().map(|f| format!("{} ({})", f.reason, f.detail)).collect();
        all.join(", ")
    }

    #[test]
    fn a_plain_pod_is_no_restricted_one() {
        let plain = json!({"containers": [{"name": "nginx"}]});
        assert_eq!(said(Level::Baseline, plain.clone()), "");
        assert_eq!(
            said(Level::Restricted, plain),
            "allowPrivilegeEscalation != false (container \"nginx\" must set \
             securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \
             \"nginx\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true \
             (pod or container \"nginx\" must set securityContext.runAsNonRoot=true), seccompProfile \
             (pod or container \"nginx\" must set securityContext.seccompProfile.type to \
             \"RuntimeDefault\" or \"Localhost\")"
        );
        let good = json!({"securityContext": {"runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "nginx", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]});
        assert_eq!(said(Level::Restricted, good), "");
    }

    #[test]
    fn baseline_keeps_the_node_from_pods() {
        let bad = json!({"hostNetwork": true, "hostPID": true,
            "volumes": [{"name": "root", "hostPath": {"path": "/"}}],
            "containers": [
                {"name": "a", "securityContext": {"privileged": true,
                    "capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}},
                {"name": "b", "ports": [{"containerPort": 80, "hostPort": 80}],
                    "securityContext": {"privileged": true}}]});
        assert_eq!(
            said(Level::Baseline, bad.clone()),
            "host namespaces (hostNetwork=true, hostPID=true), hostPort (container \"b\" uses \
             hostPort 80), privileged (containers \"a\", \"b\" must not set \
             securityContext.privileged=true), non-default capabilities (container \"a\" must not \
             include \"NET_ADMIN\" in securityContext.capabilities.add), hostPath volumes (volume \
             \"root\")"
        );
        assert_eq!(said(Level::Privileged, bad), "");
    }
}
