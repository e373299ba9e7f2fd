//! Which kinds a server has, as kubectl knows it: what it was told is kept in files for six hours.
//!
//! - [`files`]: `~/.kube/cache/discovery`, in the layout of the real kubectl.
//! - [`known`]: what was told, ready to be looked up.
//!
//! A kind that is not found is asked for once more; a kind that the server has no more is found as
//! long as the files say so, and the server then refuses the request for its objects.
//!
//! Models `client-go/discovery/cached/disk` and `restmapper.DeferredDiscoveryRESTMapper`.

mod files;
mod known;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use serde_json::Value;

pub use files::{folder, remembers};
pub use known::Known;

use super::{Cx, Error, logging::Log};
use crate::{
    api::{Status, gofmt::quote},
    client::{Client, rest::Request, tap::Exchange},
    machine::Proc,
};

/// The form of discovery that tells all versions of all groups at once.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The same, or whatever there is.
const ACCEPTED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// What one running command knows of a server's kinds. It asks when it has to.
pub struct Discovery {
    proc: Proc,
    client: Client,
    folder: String,
    known: RefCell<Option<Rc<Known>>>,
    /// What the server told this command.
    told: RefCell<Option<Rc<files::Told>>>,
    /// Whether everything that is known was told to this command.
    fresh: Cell<bool>,
    log: Log,
    /// Whether files that this command did not write are not to be trusted any more.
    invalidated: Cell<bool>,
}

impl Discovery {
    /// Nothing is read or asked for yet. `folder` is where this server's files are.
    pub fn new(cx: &Cx, client: Client, folder: String) -> Rc<Discovery> {
        Rc::new(Discovery {
            proc: cx.proc.clone(),
            client,
            folder,
            known: RefCell::default(),
            told: RefCell::default(),
            fresh: Cell::new(true),
            log: cx.log.clone(),
            invalidated: Cell::new(false),
        })
    }

    /// The kinds, from the files where they are good. Errors: the server does not tell.
    pub fn known(&self) -> Result<Rc<Known>, Error> {
        if let Some(known) = &*self.known.borrow() {
            return Ok(known.clone());
        }
        let known = Rc::new(self.load()?);
        *self.known.borrow_mut() = Some(known.clone());
        Ok(known)
    }

    /// Forgets what other commands were told.
    pub fn invalidate(&self) {
        if self.log.level() >= 5 {
            let text = "\"Invalidating discovery information\"";
            self.log.info(&self.proc, "discovery.go:279", text);
        }
        self.invalidated.set(true);
        self.fresh.set(true);
        *self.known.borrow_mut() = None;
        *self.told.borrow_mut() = None;
    }

    /// What `look` finds; where it finds nothing among what other commands were told, the server is
    /// asked. Errors: the server does not tell.
    pub fn find<T>(&self, look: impl Fn(&Known) -> Option<T>) -> Result<Option<T>, Error> {
        let found = look(&*self.known()?);
        if found.is_some() || self.fresh.get() {
            return Ok(found);
        }
        self.invalidate();
        Ok(look(&*self.known()?))
    }

    /// Groups and versions come from one file, each version's kinds from another.
    fn load(&self) -> Result<Known, Error> {
        let groups = match self.cached("servergroups.json", files::groups) {
            Some(groups) => groups,
            None => {
                let told = self.ask()?;
                files::write(&self.proc, &self.folder, "servergroups.json", &told.groups_text());
                told.groups.clone()
            }
        };
        let mut lists = Vec::new();
        for place in groups.iter().flat_map(files::Group::places) {
            let name = format!("{place}/serverresources.json");
            if let Some(list) = self.cached(&name, files::resources) {
                lists.push((place, list));
                continue;
            }
            let told = self.ask()?;
            // A version that is gone since the groups were told is left out.
            if let Some(list) = told.lists.get(&place).filter(|list| !list.is_empty()) {
                let text = files::resources_text(&place, list);
                files::write(&self.proc, &self.folder, &name, &text);
                lists.push((place, list.clone()));
            }
        }
        Ok(Known::new(&self.client.kinds(), &groups, &lists))
    }

    /// What a file says, where it is there, young, whole and to be trusted.
    fn cached<T>(&self, name: &str, read: fn(&Value) -> Option<T>) -> Option<T> {
        if self.invalidated.get() {
            return None;
        }
        let found = read(&files::read(&self.proc, &self.folder, name)?)?;
        if self.log.level() >= 10 {
            let line = if name.contains('/') { "91" } else { "146" };
            let file = quote(&format!("{}/{name}", self.folder));
            let text = format!("\"Returning cached discovery info\" fileName={file}");
            self.log.info(&self.proc, &format!("cached_discovery.go:{line}"), &text);
        }
        self.fresh.set(false);
        Some(found)
    }

    /// Asks the server, once.
    fn ask(&self) -> Result<Rc<files::Told>, Error> {
        if let Some(told) = &*self.told.borrow() {
            return Ok(told.clone());
        }
        let core = self.get("/api")?;
        let rest = self.get("/apis")?;
        let told = Rc::new(files::Told::new(&core, &rest));
        *self.told.borrow_mut() = Some(told.clone());
        Ok(told)
    }

    fn get(&self, path: &str) -> Result<Value, Error> {
        self.document(path, "timeout=32s", (AGGREGATED, ACCEPTED))
    }

    /// What the server says of itself at a path; `media` is what is asked for, in its words and in
    /// those of the log. Errors: the server refuses.
    pub fn document(
        &self,
        path: &str,
        query: &str,
        media: (&str, &'static str),
    ) -> Result<Value, Error> {
        let mut request = Request::get(path, query, Some(self.client.user().clone()));
        request.headers.push(("Accept".into(), media.0.into()));
        let accept = media.1;
        let untold = || Error::plain("the server does not answer");
        let (media, text) = self.client.text_of(&request).ok_or_else(untold)?;
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let refusal = Status::from_value(&value);
        self.client.tell(|| Exchange {
            method: "GET",
            path: path.to_owned(),
            query: request.query.clone(),
            accept,
            status: refusal.as_ref().map_or(200, |status| status.code),
            answer_type: media,
            answer: text,
            ..Exchange::default()
        });
        match refusal {
            Some(status) => Err(status.into()),
            None => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests;
