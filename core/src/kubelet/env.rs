//! What a container finds in its environment.
//!
//! Models `kubelet_pods.go` `makeEnvironmentVariables`, `pkg/kubelet/envvars` and
//! `third_party/forked/golang/expansion`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, Container as Spec, EnvVar, EnvVarSource, Pod, Secret, Service,
};

use super::{Inner, resources, worker::Worker};
use crate::runtime::Container;

/// A container's variables.
#[derive(Default)]
pub struct Environment {
    own: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
}

impl Environment {
    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.own.get(name).or_else(|| self.services.get(name)).cloned()
    }

    /// All variables; the container's own hide those of services.
    pub fn into_list(self) -> Vec<(String, String)> {
        let mut all = self.services;
        all.extend(self.own);
        all.into_iter().collect()
    }
}

/// Replaces `$(NAME)` by what `lookup` finds; what it does not find stays, `$$` becomes `$`.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            match lookup(name) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

impl Inner {
    /// The variables of a container. Errors are the messages of `CreateContainerConfigError`.
    pub fn environment(
        &self,
        worker: &Worker,
        pod: &Pod,
        spec: &Spec,
        sandbox: &Container,
    ) -> Result<Environment, String> {
        let mut env = Environment { services: self.service_variables(pod), ..Default::default() };
        self.add_sources(worker, spec, &mut env)?;
        for var in spec.env.iter().flatten() {
            if let Some(value) = self.variable(worker, pod, (spec, var), &env, sandbox)? {
                env.own.insert(var.name.clone(), value);
            }
        }
        Ok(env)
    }

    fn add_sources(
        &self,
        worker: &Worker,
        spec: &Spec,
        env: &mut Environment,
    ) -> Result<(), String> {
        for from in spec.env_from.iter().flatten() {
            let prefix = from.prefix.as_deref().unwrap_or_default();
            let mut add = |key: &str, value: String| {
                env.own.insert(format!("{prefix}{key}"), value);
            };
            if let Some(reference) = &from.config_map_ref {
                match self.client.find::<ConfigMap>(&worker.namespace, &reference.name) {
                    Some(map) => {
                        map.data.iter().flatten().for_each(|(k, v)| add(k, v.clone()));
                    }
                    None if reference.optional == Some(true) => {}
                    None => return Err(format!("configmap \"{}\" not found", reference.name)),
                }
            }
            if let Some(reference) = &from.secret_ref {
                match self.client.find::<Secret>(&worker.namespace, &reference.name) {
                    Some(secret) => secret.data.iter().flatten().for_each(|(k, v)| {
                        add(k, String::from_utf8_lossy(&v.0).into_owned());
                    }),
                    None if reference.optional == Some(true) => {}
                    None => return Err(format!("secret \"{}\" not found", reference.name)),
                }
            }
        }
        Ok(())
    }

    /// One variable; `None` where an optional source is missing.
    fn variable(
        &self,
        worker: &Worker,
        pod: &Pod,
        (spec, var): (&Spec, &EnvVar),
        env: &Environment,
        sandbox: &Container,
    ) -> Result<Option<String>, String> {
        let Some(from) = &var.value_from else {
            let text = var.value.as_deref().unwrap_or_default();
            return Ok(Some(expand(text, &|name| env.get(name))));
        };
        if let Some(field) = &from.field_ref {
            let value = self.pod_field(pod, &field.field_path, sandbox.address());
            return value.map(Some);
        }
        if let Some(field) = &from.resource_field_ref {
            let of = match &field.container_name {
                Some(name) => self.spec_of(worker, name),
                None => Some(spec.clone()),
            };
            let of = of.ok_or_else(|| "container not found".to_string())?;
            return self.resource_field(&of, &field.resource, field.divisor.as_ref()).map(Some);
        }
        self.key_reference(worker, from)
    }

    fn key_reference(
        &self,
        worker: &Worker,
        from: &EnvVarSource,
    ) -> Result<Option<String>, String> {
        let ns = &worker.namespace;
        if let Some(reference) = &from.config_map_key_ref {
            let optional = reference.optional == Some(true);
            let Some(map) = self.client.find::<ConfigMap>(ns, &reference.name) else {
                let missing = format!("configmap \"{}\" not found", reference.name);
                return if optional { Ok(None) } else { Err(missing) };
            };
            return match map.data.as_ref().and_then(|d| d.get(&reference.key)) {
                Some(value) => Ok(Some(value.clone())),
                None if optional => Ok(None),
                None => Err(format!(
                    "couldn't find key {} in ConfigMap {ns}/{}",
                    reference.key, reference.name
                )),
            };
        }
        if let Some(reference) = &from.secret_key_ref {
            let optional = reference.optional == Some(true);
            let Some(secret) = self.client.find::<Secret>(ns, &reference.name) else {
                let missing = format!("secret \"{}\" not found", reference.name);
                return if optional { Ok(None) } else { Err(missing) };
            };
            return match secret.data.as_ref().and_then(|d| d.get(&reference.key)) {
                Some(value) => Ok(Some(String::from_utf8_lossy(&value.0).into_owned())),
                None if optional => Ok(None),
                None => Err(format!(
                    "couldn't find key {} in Secret {ns}/{}",
                    reference.key, reference.name
                )),
            };
        }
        Ok(Some(String::new()))
    }

    /// A field of a pod, as the downward API gives it.
    pub fn pod_field(
        &self,
        pod: &Pod,
        path: &str,
        address: Option<std::net::Ipv4Addr>,
    ) -> Result<String, String> {
        let meta = &pod.metadata;
        let spec = pod.spec.as_ref();
        let lines = |map: &Option<BTreeMap<String, String>>| {
            let lines: Vec<_> = map.iter().flatten().map(|(k, v)| format!("{k}={v:?}")).collect();
            lines.join("\n")
        };
        let key = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']");
        if let Some(key) = key("metadata.labels") {
            let value = meta.labels.as_ref().and_then(|l| l.get(key));
            return Ok(value.cloned().unwrap_or_default());
        }
        if let Some(key) = key("metadata.annotations") {
            let value = meta.annotations.as_ref().and_then(|l| l.get(key));
            return Ok(value.cloned().unwrap_or_default());
        }
        let host = self.node_ip().map(|ip| ip.to_string());
        let own = match super::act::uses_host_network(pod) {
            true => host.clone(),
            false => address.map(|ip| ip.to_string()),
        };
        let value = match path {
            "metadata.name" => meta.name.clone(),
            "metadata.namespace" => meta.namespace.clone(),
            "metadata.uid" => meta.uid.clone(),
            "metadata.labels" => Some(lines(&meta.labels)),
            "metadata.annotations" => Some(lines(&meta.annotations)),
            "spec.nodeName" => spec.and_then(|s| s.node_name.clone()),
            "spec.serviceAccountName" => spec.and_then(|s| s.service_account_name.clone()),
            "status.hostIP" | "status.hostIPs" => host,
            "status.podIP" | "status.podIPs" => own,
            _ => return Err(format!("unsupported fieldPath: {path}")),
        };
        Ok(value.unwrap_or_default())
    }

    /// A resource of a container, as the downward API gives it. A limit that is not set is what the
    /// node has.
    pub fn resource_field(
        &self,
        spec: &Spec,
        resource: &str,
        divisor: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>,
    ) -> Result<String, String> {
        let (kind, name) = resource.split_once('.').unwrap_or((resource, ""));
        let set = match kind {
            "limits" => resources::limit(spec, name),
            "requests" => resources::request(spec, name),
            _ => return Err(format!("unsupported container resource : {resource}")),
        };
        let capacity = &self.config.capacity;
        let milli = match (set, kind, name) {
            (Some(quantity), ..) => resources::milli(quantity),
            (None, "limits", "cpu") => u128::from(capacity.cpus) * 1000,
            (None, "limits", "memory") => u128::from(capacity.memory) * 1000,
            (None, "limits", "ephemeral-storage") => u128::from(capacity.storage) * 1000,
            _ => 0,
        };
        let divisor = divisor.map(resources::milli).filter(|d| *d > 0).unwrap_or(1000);
        Ok(milli.div_ceil(divisor).to_string())
    }

    /// Variables that tell of the services of a pod's namespace, and of the API server.
    fn service_variables(&self, pod: &Pod) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        if let Some(api) = self.client.find::<Service>("default", "kubernetes") {
            service_variables(&api, &mut env);
        }
        let links = pod.spec.as_ref().and_then(|s| s.enable_service_links).unwrap_or(true);
        if links {
            for service in self.client.list::<Service>(Some(namespace)) {
                service_variables(&service, &mut env);
            }
        }
        env
    }
}

/// Models `envvars.FromServices`.
fn service_variables(service: &Service, env: &mut BTreeMap<String, String>) {
    let Some(spec) = &service.spec else { return };
    let ip = spec.cluster_ip.as_deref().unwrap_or_default();
    if ip.is_empty() || ip == "None" {
        return;
    }
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let prefix = upper(name);
    let ports = spec.ports.as_deref().unwrap_or_default();
    let Some(first) = ports.first() else { return };
    env.insert(format!("{prefix}_SERVICE_HOST"), ip.to_string());
    env.insert(format!("{prefix}_SERVICE_PORT"), first.port.to_string());
    for (index, port) in ports.iter().enumerate() {
        if let Some(name) = port.name.as_deref().filter(|n| !n.is_empty()) {
            env.insert(format!("{prefix}_SERVICE_PORT_{}", upper(name)), port.port.to_string());
        }
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let url = format!("{}://{ip}:{}", protocol.to_lowercase(), port.port);
        let base = format!("{prefix}_PORT_{}_{}", port.port, protocol.to_uppercase());
        if index == 0 {
            env.insert(format!("{prefix}_PORT"), url.clone());
        }
        env.insert(format!("{base}_PROTO"), protocol.to_lowercase());
        env.insert(format!("{base}_PORT"), port.port.to_string());
        env.insert(format!("{base}_ADDR"), ip.to_string());
        env.insert(base, url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_variables_are_replaced() {
        let lookup = |name: &str| (name == "WHO").then(|| "you".to_string());
        for (text, want) in [
            ("I am $(WHO)", "I am you"),
            ("$(NOPE) $(WHO)$(WHO)", "$(NOPE) youyou"),
            ("$$(WHO) $WHO $", "$(WHO) $WHO $"),
            ("$(WHO", "$(WHO"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &lookup), want);
        }
    }
}
