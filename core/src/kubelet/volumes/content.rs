//! What volumes that are made from objects hold: ConfigMaps, Secrets, a pod's own fields, tokens.

use std::{collections::BTreeSet, rc::Rc};

use k8s_openapi::{
    ByteString,
    api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    api::core::v1::{
        ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret, Volume as VolumeSpec, VolumeProjection,
    },
};

use super::atomic::File;
use crate::{
    api::{KindId, Typed},
    kubelet::{Inner, worker::Worker},
};

/// The mode of files whose volume names none.
const MODE: u32 = 0o644;

type Sources = BTreeSet<(KindId, String, String)>;

impl Inner {
    /// The plugin and the files of a volume that is made from objects; `None` for other volumes.
    pub(super) fn content(
        &self,
        worker: &Worker,
        spec: &VolumeSpec,
        sources: &mut Sources,
    ) -> Result<Option<(&'static str, Vec<File>)>, String> {
        let ns = &worker.namespace;
        if let Some(map) = &spec.config_map {
            let mode = mode(map.default_mode, MODE);
            let optional = map.optional == Some(true);
            sources.insert((ConfigMap::ID, ns.clone(), map.name.clone()));
            let files = self.config_map(ns, &map.name, map.items.as_deref(), mode, optional)?;
            return Ok(Some(("kubernetes.io~configmap", files)));
        }
        if let Some(secret) = &spec.secret {
            let name = secret.secret_name.clone().unwrap_or_default();
            let mode = mode(secret.default_mode, MODE);
            let optional = secret.optional == Some(true);
            let files = self.secret(ns, &name, secret.items.as_deref(), mode, optional)?;
            sources.insert((Secret::ID, ns.clone(), name));
            return Ok(Some(("kubernetes.io~secret", files)));
        }
        if let Some(downward) = &spec.downward_api {
            let mode = mode(downward.default_mode, MODE);
            let items = downward.items.as_deref().unwrap_or_default();
            let files = self.downward(worker, items, mode)?;
            return Ok(Some(("kubernetes.io~downward-api", files)));
        }
        if let Some(projected) = &spec.projected {
            let mode = mode(projected.default_mode, MODE);
            let mut files = Vec::new();
            for source in projected.sources.iter().flatten() {
                files.extend(self.projection(worker, source, mode, sources)?);
            }
            return Ok(Some(("kubernetes.io~projected", files)));
        }
        Ok(None)
    }

    fn projection(
        &self,
        worker: &Worker,
        source: &VolumeProjection,
        mode: u32,
        sources: &mut Sources,
    ) -> Result<Vec<File>, String> {
        let ns = &worker.namespace;
        if let Some(map) = &source.config_map {
            sources.insert((ConfigMap::ID, ns.clone(), map.name.clone()));
            let optional = map.optional == Some(true);
            return self.config_map(ns, &map.name, map.items.as_deref(), mode, optional);
        }
        if let Some(secret) = &source.secret {
            sources.insert((Secret::ID, ns.clone(), secret.name.clone()));
            let optional = secret.optional == Some(true);
            return self.secret(ns, &secret.name, secret.items.as_deref(), mode, optional);
        }
        if let Some(downward) = &source.downward_api {
            return self.downward(worker, downward.items.as_deref().unwrap_or_default(), mode);
        }
        if let Some(token) = &source.service_account_token {
            let audience = token.audience.as_deref();
            let text = self.token(worker, audience, token.expiration_seconds.unwrap_or(3600))?;
            return Ok(vec![(token.path.clone(), Rc::new(text.into_bytes()), mode)]);
        }
        Err("projected sources of this type are not simulated on this node".into())
    }

    fn config_map(
        &self,
        ns: &str,
        name: &str,
        items: Option<&[KeyToPath]>,
        mode: u32,
        optional: bool,
    ) -> Result<Vec<File>, String> {
        let Some(map) = self.client.find::<ConfigMap>(ns, name) else {
            let missing = format!("configmap \"{name}\" not found");
            return if optional { Ok(Vec::new()) } else { Err(missing) };
        };
        let text = map.data.iter().flatten().map(|(k, v)| (k, v.as_bytes()));
        let binary = map.binary_data.iter().flatten().map(|(k, v)| (k, v.0.as_slice()));
        let all: Vec<_> = text.chain(binary).collect();
        pick(&all, items, mode, optional, "config")
    }

    fn secret(
        &self,
        ns: &str,
        name: &str,
        items: Option<&[KeyToPath]>,
        mode: u32,
        optional: bool,
    ) -> Result<Vec<File>, String> {
        let Some(secret) = self.client.find::<Secret>(ns, name) else {
            let missing = format!("secret \"{name}\" not found");
            return if optional { Ok(Vec::new()) } else { Err(missing) };
        };
        let bytes = |(k, v): (&'_ String, &'_ ByteString)| (k.clone(), v.0.clone());
        let all: Vec<_> = secret.data.iter().flatten().map(bytes).collect();
        let all: Vec<_> = all.iter().map(|(k, v)| (k, v.as_slice())).collect();
        pick(&all, items, mode, optional, "secret")
    }

    fn downward(
        &self,
        worker: &Worker,
        items: &[DownwardAPIVolumeFile],
        default: u32,
    ) -> Result<Vec<File>, String> {
        let pod = worker.pod();
        let mut files = Vec::new();
        for item in items {
            let text = if let Some(field) = &item.field_ref {
                self.pod_field(&pod, &field.field_path, None)?
            } else if let Some(field) = &item.resource_field_ref {
                let name = field.container_name.as_deref().unwrap_or_default();
                let container = self
                    .spec_of(worker, name)
                    .ok_or_else(|| format!("container {name} not found"))?;
                self.resource_field(&container, &field.resource, field.divisor.as_ref())?
            } else {
                String::new()
            };
            files.push((item.path.clone(), Rc::new(text.into_bytes()), mode(item.mode, default)));
        }
        Ok(files)
    }

    /// A service account's token, bound to the pod.
    fn token(
        &self,
        worker: &Worker,
        audience: Option<&str>,
        seconds: i64,
    ) -> Result<String, String> {
        let pod = worker.pod();
        let account = pod.spec.as_ref().and_then(|s| s.service_account_name.as_deref());
        let bound = BoundObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            name: Some(worker.name.to_string()),
            uid: Some(worker.uid.to_string()),
        };
        let spec = TokenRequestSpec {
            audiences: Some(audience.into_iter().map(str::to_string).collect()),
            bound_object_ref: Some(bound),
            expiration_seconds: Some(seconds),
        };
        let request = TokenRequest { spec: Some(spec), ..Default::default() };
        let answer =
            self.client.create_token(&worker.namespace, account.unwrap_or("default"), request);
        let answer = answer.map_err(|error| format!("failed to fetch token: {error}"))?;
        Ok(answer.status.and_then(|status| status.token).unwrap_or_default())
    }
}

fn mode(own: Option<i32>, default: u32) -> u32 {
    own.and_then(|m| u32::try_from(m).ok()).unwrap_or(default)
}

/// The keys that a volume asks for; all of them if it names none.
fn pick(
    all: &[(&String, &[u8])],
    items: Option<&[KeyToPath]>,
    default: u32,
    optional: bool,
    what: &str,
) -> Result<Vec<File>, String> {
    let Some(items) = items.filter(|items| !items.is_empty()) else {
        let file = |(k, v): &(&String, &[u8])| ((*k).clone(), Rc::new(v.to_vec()), default);
        return Ok(all.iter().map(file).collect());
    };
    let mut files = Vec::new();
    for item in items {
        match all.iter().find(|(k, _)| **k == item.key) {
            Some((_, v)) => {
                files.push((item.path.clone(), Rc::new(v.to_vec()), mode(item.mode, default)));
            }
            None if optional => {}
            None => return Err(format!("references non-existent {what} key: {}", item.key)),
        }
    }
    Ok(files)
}
