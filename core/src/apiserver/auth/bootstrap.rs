//! Who shows a bootstrap token: a machine that wants to join and has no certificate yet.
//!
//! Models `plugin/pkg/auth/authenticator/token/bootstrap`.

use k8s_openapi::api::core::v1::Secret;

use super::User;
use crate::{
    api::{
        Typed,
        bootstrap_tokens::{self, NAMESPACE, PREFIX, Token},
        meta::is_deleting,
    },
    apiserver::ApiServer,
};

/// The group of all that show one.
pub const GROUP: &str = "system:bootstrappers";

impl ApiServer {
    /// Whose bootstrap token this is, if it is one that is good now.
    pub(super) fn bootstrap_user(&self, text: &str) -> Option<User> {
        let token = Token::parse(text)?;
        let name = format!("{PREFIX}{}", token.id);
        let object = self.store().get(Secret::ID, NAMESPACE, &name)?;
        let secret = object.downcast::<Secret>().filter(|s| !is_deleting(&s.metadata))?;
        let known = Token::of(secret).is_some_and(|known| known == token);
        if !known || !bootstrap_tokens::allows(secret, "authentication", self.sim().now()) {
            return None;
        }
        let mut groups = bootstrap_tokens::groups(secret)?;
        groups.insert(0, GROUP.into());
        groups.sort();
        Some(User::new(format!("system:bootstrap:{}", token.id), groups).authenticated())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::api::core::v1::Namespace;

    use super::*;
    use crate::{
        apiserver::{CreateOptions, Credentials, RequestCx},
        sim::{Sim, Time},
    };

    #[test]
    fn a_token_is_a_login_until_it_ends() {
        let sim = Sim::new(1, Time::from_secs(1_795_000_000));
        let api = ApiServer::new(&sim);
        let admin = RequestCx::new(User::new("admin", ["system:masters"]), "test").trusted();
        let mut system = Namespace::default();
        system.metadata.name = Some(NAMESPACE.into());
        api.create(&admin, Box::new(system), &CreateOptions::default()).unwrap();
        let token = Token::parse("abcdef.0123456789abcdef").unwrap();
        let shown = |text: &str| Credentials { token: Some(text.into()), ..Default::default() };
        assert_eq!(api.authenticate(&shown("abcdef.0123456789abcdef")).unwrap_err().code, 401);
        let secret = token.to_secret(Some(sim.now() + Duration::from_secs(60)));
        api.create(&admin, Box::new(secret), &CreateOptions::default()).unwrap();
        let user = api.authenticate(&shown("abcdef.0123456789abcdef")).unwrap();
        assert_eq!(user.name, "system:bootstrap:abcdef");
        assert!(user.is_in(GROUP) && user.is_in(bootstrap_tokens::KUBEADM_GROUP));
        assert!(api.authenticate(&shown("abcdef.0123456789abcdee")).is_err());
        sim.advance(sim.now() + Duration::from_secs(61), 1000);
        assert!(api.authenticate(&shown("abcdef.0123456789abcdef")).is_err());
    }
}
