//! Which API servers can be reached, and at which address: what a kubeconfig's `server:` leads to.
//!
//! A cluster that starts enters itself, one that stops takes itself out; machines from which the
//! same network is reached share one directory (`machine.set(directory)`). It is no name service and
//! carries no traffic but that of clients of the API.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{ApiServer, Client, Credentials, Impersonation, Status, User};

/// Addresses (`192.168.49.2:8443`) and the API servers behind them.
#[derive(Default)]
pub struct Directory(RefCell<BTreeMap<String, Entry>>);

struct Entry {
    api: ApiServer,
    admin: User,
}

impl Directory {
    /// An empty one.
    pub fn new() -> Rc<Self> {
        Rc::default()
    }

    /// From now on `api` answers at `address`; who set it up acts for `admin`.
    pub fn serve(&self, address: &str, api: &ApiServer, admin: User) {
        let entry = Entry { api: api.clone(), admin };
        self.0.borrow_mut().insert(address.to_owned(), entry);
    }

    /// The same for the API server that a client has, which takes this token for the administrator's.
    pub fn serve_as(&self, address: &str, client: &Client, admin: User, token: &str) {
        client.api.add_static_token(token, admin.clone());
        self.serve(address, &client.api, admin);
    }

    /// Nothing answers there any more: connections are refused.
    pub fn stop(&self, address: &str) {
        self.0.borrow_mut().remove(address);
    }

    /// Whether something answers at an address.
    pub fn answers(&self, address: &str) -> bool {
        self.0.borrow().contains_key(address)
    }

    /// A client of the server at an address for whoever shows these credentials; `None` where
    /// nothing answers. Errors: Unauthorized, Forbidden.
    pub fn login(
        &self,
        address: &str,
        shown: &Credentials,
        wanted: &Impersonation,
        manager: &str,
    ) -> Option<Result<Client, Status>> {
        let entries = self.0.borrow();
        Some(Client::login(&entries.get(address)?.api, shown, wanted, manager))
    }

    /// A client of the server at an address for its administrator, as who sets the cluster up has
    /// one; `None` where nothing answers. `manager` names the program in managed fields.
    pub fn connect(&self, address: &str, manager: &str) -> Option<Client> {
        let entries = self.0.borrow();
        let entry = entries.get(address)?;
        Some(Client::new(&entry.api, entry.admin.clone(), manager))
    }
}
