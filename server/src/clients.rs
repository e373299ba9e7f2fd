//! Certificates of clients. The endpoint's own authority signed its administrator's; what the cluster
//! itself signed (CertificateSigningRequests) is the API server's to judge, because its authority
//! signs in a way that no TLS library knows. Either way a client proves that it holds the key.

use std::sync::Arc;

use sandbar_core::client::{User, x509};
use tokio_rustls::rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::certs::{Authority, subject};

/// Whom a certificate is about.
#[derive(Clone, Debug)]
pub enum Holder {
    /// Somebody whom the endpoint's authority vouches for.
    Known(User),
    /// Somebody else: the certificate in PEM form.
    Other(String),
}

/// Judges certificates of clients.
#[derive(Debug)]
pub struct Clients(Arc<dyn ClientCertVerifier>);

impl Clients {
    /// Errors: an authority that is none.
    pub fn new(authority: &Authority) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).map_err(|error| error.to_string())?;
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.allow_unauthenticated().build().map(Clients).map_err(|error| error.to_string())
    }

    /// Whom a certificate of a connection is about.
    pub fn who(&self, certificate: &CertificateDer) -> Holder {
        let known = self.0.verify_client_cert(certificate, &[], UnixTime::now()).is_ok();
        match subject(certificate).filter(|_| known) {
            Some((name, groups)) => Holder::Known(User::new(name, groups)),
            None => Holder::Other(x509::pem("CERTIFICATE", certificate)),
        }
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[] // any certificate may be shown
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion()) // `who` and the API server judge it
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
