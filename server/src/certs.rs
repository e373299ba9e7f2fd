//! The endpoint's own certificate authority, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate and its key.
pub struct Signed {
    /// The certificate, PEM.
    pub pem: String,
    /// Its key, PEM.
    pub key_pem: String,
    /// The certificate, DER.
    pub der: CertificateDer<'static>,
    /// Its key, DER.
    pub key: PrivateKeyDer<'static>,
}

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub pem: String,
    /// Its certificate, DER.
    pub der: CertificateDer<'static>,
}

fn words(error: rcgen::Error) -> String {
    format!("a certificate can't be made: {error}")
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// What the cryptography says.
    pub fn new() -> Result<Self, String> {
        let key = KeyPair::generate().map_err(words)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "sandbarCA");
        let certificate = params.self_signed(&key).map_err(words)?;
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Ok(Authority { issuer: Issuer::new(params, key), pem, der })
    }

    /// A certificate for a server of these names and addresses.
    ///
    /// # Errors
    /// What the cryptography says.
    pub fn server(&self, names: &[String]) -> Result<Signed, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        for name in names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(words)?),
            });
        }
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a user: its common name and organisation.
    ///
    /// # Errors
    /// What the cryptography says.
    pub fn client(&self, name: &str, group: &str) -> Result<Signed, String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Signed, String> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().map_err(words)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(words)?;
        let der = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Signed {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(der),
        })
    }
}

/// Common name and organisations of a client's certificate.
pub fn subject(der: &[u8]) -> Option<(String, Vec<String>)> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let groups = subject.iter_organization().filter_map(|o| Some(o.as_str().ok()?.to_owned()));
    Some((name, groups.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_certificate_names_it_and_its_groups() {
        let authority = Authority::new().unwrap();
        let signed = authority.client("ada", "system:masters").unwrap();
        let (name, groups) = subject(&signed.der).unwrap();
        assert_eq!((name.as_str(), groups), ("ada", vec!["system:masters".into()]));
        assert_eq!(subject(b"nonsense"), None);
    }
}
