//! Certificates and the requests for them: their form is that of X.509 and PKCS #10, so that they
//! can be looked at, and so that requests that real tools made can be read.
//!
//! They are signed by HMAC with the server's own key, where a real authority uses RSA: nobody but the
//! server can check them, and nobody else has to. Possession of the private key is not proven here.
//!
//! Models `pkg/controller/certificates/authority` and `apiserver/pkg/authentication/request/x509`.

use crate::{
    api::base64,
    sim::{
        Time,
        digest::{hmac_sha256, sha256, sha256_bytes},
    },
};

/// Who signs.
pub const AUTHORITY: &str = "minikubeCA";
/// Characters a line of the text form.
const LINE: usize = 64;
/// Longest certificate or request that is looked at.
const MAX_SIZE: usize = 64 << 10;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTF8: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// 1.2.840.113549.2.9, HMAC with SHA-256.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
/// 1.2.840.113549.1.9.14, extensions that are asked for.
const EXTENSIONS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 1.2.840.10045.2.1, an elliptic curve's key.
const KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Whom a certificate or a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Becomes the user's name.
    pub common_name: String,
    /// Become the user's groups.
    pub organizations: Vec<String>,
}

/// A certificate that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Becomes the user's name.
    pub common_name: String,
    /// Become the user's groups.
    pub organizations: Vec<String>,
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom the certificate is to be about.
    pub subject: Subject,
    /// What else it is to be valid for (`subjectAltName`).
    pub names: Vec<AltName>,
    /// The public key, as it stands in the request.
    key: Vec<u8>,
}

/// Of what sort another name of a subject is; what it says matters to nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AltName {
    /// An address of mail.
    Email,
    /// A host's name.
    Dns,
    /// A URI.
    Uri,
    /// An address of a host.
    Ip,
}

// Writing.

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|b| **b == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
    parts.iter().for_each(|p| out.extend_from_slice(p));
    out
}

fn name(subject: &Subject) -> Vec<u8> {
    let part = |oid: &[u8], text: &str| {
        let pair = tlv(SEQUENCE, &[&tlv(OID, &[oid]), &tlv(UTF8, &[text.as_bytes()])]);
        tlv(SET, &[&pair])
    };
    let mut parts: Vec<Vec<u8>> =
        subject.organizations.iter().map(|o| part(ORGANIZATION, o)).collect();
    parts.push(part(COMMON_NAME, &subject.common_name));
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    tlv(SEQUENCE, &parts)
}

fn time(at: Time) -> Vec<u8> {
    let (tag, form) = match at.as_secs() {
        // Years from 2050 on need four digits.
        ..2_524_608_000 => (UTC_TIME, "%y%m%d%H%M%SZ"),
        _ => (GENERALIZED_TIME, "%Y%m%d%H%M%SZ"),
    };
    let text = jiff::fmt::strtime::format(form, at.to_timestamp()).unwrap_or_default();
    tlv(tag, &[text.as_bytes()])
}

/// A public key that follows from a text, in the form of one.
fn public_key(seed: &str) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[KEY])]);
    let (x, y) =
        (sha256_bytes(format!("x{seed}").as_bytes()), sha256_bytes(format!("y{seed}").as_bytes()));
    tlv(SEQUENCE, &[&algorithm, &tlv(BITS, &[&[0, 4], &x, &y])])
}

/// The text form (RFC 7468) of what `label` says.
pub fn pem(label: &str, bytes: &[u8]) -> String {
    let text = base64::encode(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(LINE) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}

fn sign(key: &[u8], subject: &Subject, public: &[u8], from: Time, to: Time) -> String {
    let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[HMAC])]);
    let issuer = name(&Subject { common_name: AUTHORITY.into(), organizations: Vec::new() });
    let about = name(subject);
    let serial = sha256_bytes(&[&about[..], public, &from.as_micros().to_be_bytes()].concat());
    // Serial numbers are positive.
    let serial = tlv(INTEGER, &[&[serial[0] & 0x3f | 0x40], &serial[1..16]]);
    let version = tlv(0xa0, &[&tlv(INTEGER, &[&[2]])]);
    let valid = tlv(SEQUENCE, &[&time(from), &time(to)]);
    let body = tlv(SEQUENCE, &[&version, &serial, &algorithm, &issuer, &valid, &about, public]);
    let signature = hmac_sha256(key, &body);
    let all = tlv(SEQUENCE, &[&body, &algorithm, &tlv(BITS, &[&[0], &signature])]);
    pem("CERTIFICATE", &all)
}

/// The authority's own certificate.
pub fn authority(key: &[u8], from: Time) -> String {
    let subject = Subject { common_name: AUTHORITY.into(), organizations: Vec::new() };
    let to = from + std::time::Duration::from_secs(10 * 365 * 24 * 3600);
    sign(key, &subject, &public_key(AUTHORITY), from, to)
}

/// A certificate for somebody, and a text in the form of its private key.
pub fn issue(key: &[u8], subject: &Subject, from: Time, to: Time) -> (String, String) {
    let seed = format!("{}{:?}", subject.common_name, from.as_micros());
    let certificate = sign(key, subject, &public_key(&seed), from, to);
    (certificate, private_key(&seed))
}

/// The certificate that a request asks for.
pub fn grant(key: &[u8], request: &Request, from: Time, to: Time) -> String {
    sign(key, &request.subject, &request.key, from, to)
}

/// A text in the form of a private key.
pub fn private_key(seed: &str) -> String {
    let number = tlv(OCTETS, &[&sha256_bytes(seed.as_bytes())]);
    let body = tlv(SEQUENCE, &[&tlv(INTEGER, &[&[1]]), &number]);
    pem("EC PRIVATE KEY", &body)
}

// Reading.

/// A walk over what stands in a row.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next thing: its tag, what is in it, and all of it.
    fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let all = self.0;
        let (&tag, rest) = all.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let digits = usize::from(first & 0x7f);
            if !(1..=4).contains(&digits) || rest.len() < digits {
                return None;
            }
            length = rest[..digits].iter().fold(0, |n, b| n << 8 | usize::from(*b));
            rest = &rest[digits..];
        }
        let content = rest.get(..length)?;
        self.0 = &rest[length..];
        Some((tag, content, &all[..all.len() - self.0.len()]))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, ..)| *found == tag).map(|(_, content, _)| content)
    }
}

/// The bytes of the first block with this label.
fn unpem(text: &str, label: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_SIZE {
        return None;
    }
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    base64::decode(&body.split_whitespace().collect::<String>())
}

fn read_name(content: &[u8]) -> Option<Subject> {
    let mut subject = Subject::default();
    let mut sets = Reader(content);
    while let Some((_, set, _)) = sets.next() {
        let mut pairs = Reader(set);
        while let Some((_, pair, _)) = pairs.next() {
            let mut pair = Reader(pair);
            let oid = pair.expect(OID)?;
            let (_, text, _) = pair.next()?;
            let text = String::from_utf8_lossy(text).into_owned();
            match oid {
                COMMON_NAME => subject.common_name = text,
                ORGANIZATION => subject.organizations.push(text),
                _ => {}
            }
        }
    }
    Some(subject)
}

fn read_time(tag: u8, content: &[u8]) -> Option<Time> {
    let text = std::str::from_utf8(content).ok()?;
    let text = match tag {
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_string(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i8>().ok();
    let year: i16 = text.get(..4)?.parse().ok()?;
    let at = jiff::civil::DateTime::new(
        year,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?,
        0,
    );
    let zoned = at.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Time::from_timestamp(zoned.timestamp()))
}

/// A certificate, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Who signed it.
    pub issuer: Subject,
    /// Whom it is about.
    pub subject: Subject,
    /// From when on it is valid.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

/// What stands in a certificate, whoever signed it; `None` if it is none.
pub fn look(text: &str) -> Option<Look> {
    let bytes = unpem(text, "CERTIFICATE")?;
    let mut parts = Reader(Reader(&bytes).expect(SEQUENCE)?);
    read_body(parts.expect(SEQUENCE)?)
}

fn read_body(body: &[u8]) -> Option<Look> {
    let mut body = Reader(body);
    for _ in 0..3 {
        body.next()?; // version, serial, algorithm
    }
    let issuer = read_name(body.expect(SEQUENCE)?)?;
    let mut valid = Reader(body.expect(SEQUENCE)?);
    let (tag, from, _) = valid.next()?;
    let from = read_time(tag, from)?;
    let (tag, to, _) = valid.next()?;
    let to = read_time(tag, to)?;
    let subject = read_name(body.expect(SEQUENCE)?)?;
    Some(Look { issuer, subject, from, to })
}

/// Whom a certificate is about, if this server's authority signed it and it is valid now.
pub fn verify(key: &[u8], text: &str, now: Time) -> Option<Found> {
    let bytes = unpem(text, "CERTIFICATE")?;
    let mut parts = Reader(Reader(&bytes).expect(SEQUENCE)?);
    let (_, body, signed) = parts.next()?;
    parts.expect(SEQUENCE)?;
    let signature = parts.expect(BITS)?;
    if signature.get(1..)? != hmac_sha256(key, signed) {
        return None;
    }
    let Look { subject, from, to, .. } = read_body(body)?;
    if now < from || now > to || subject.common_name.is_empty() {
        return None;
    }
    let Subject { common_name, organizations } = subject;
    Some(Found { common_name, organizations, fingerprint: sha256(&bytes) })
}

/// Reads a request for a certificate; `None` if it is none.
pub fn read_request(text: &str) -> Option<Request> {
    let bytes = unpem(text, "CERTIFICATE REQUEST")?;
    let mut info = Reader(Reader(Reader(&bytes).expect(SEQUENCE)?).expect(SEQUENCE)?);
    info.expect(INTEGER)?;
    let subject = read_name(info.expect(SEQUENCE)?)?;
    let (_, _, key) = info.next()?;
    let names = info.next().map(|(_, attributes, _)| read_names(attributes)).unwrap_or_default();
    Some(Request { subject, names, key: key.to_vec() })
}

/// The other names among a request's attributes.
fn read_names(attributes: &[u8]) -> Vec<AltName> {
    let mut found = Vec::new();
    let mut attributes = Reader(attributes);
    while let Some((_, attribute, _)) = attributes.next() {
        let mut attribute = Reader(attribute);
        if attribute.expect(OID) != Some(EXTENSIONS) {
            continue;
        }
        let list = attribute.expect(SET).and_then(|set| Reader(set).expect(SEQUENCE));
        let mut list = Reader(list.unwrap_or_default());
        while let Some((_, extension, _)) = list.next() {
            let mut extension = Reader(extension);
            if extension.expect(OID) != Some(SUBJECT_ALT_NAME) {
                continue;
            }
            while let Some((tag, content, _)) = extension.next() {
                if tag == OCTETS {
                    let mut names = Reader(Reader(content).expect(SEQUENCE).unwrap_or_default());
                    while let Some((tag, ..)) = names.next() {
                        found.extend(match tag & 0x1f {
                            1 => Some(AltName::Email),
                            2 => Some(AltName::Dns),
                            6 => Some(AltName::Uri),
                            7 => Some(AltName::Ip),
                            _ => None,
                        });
                    }
                }
            }
        }
    }
    found
}

/// A request for a certificate, as a tool of somebody who has a key makes it.
pub fn request(subject: &Subject, key: &str) -> String {
    let info =
        tlv(SEQUENCE, &[&tlv(INTEGER, &[&[0]]), &name(subject), &public_key(key), &tlv(0xa0, &[])]);
    let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[HMAC])]);
    let signature = hmac_sha256(&sha256_bytes(key.as_bytes()), &info);
    let all = tlv(SEQUENCE, &[&info, &algorithm, &tlv(BITS, &[&[0], &signature])]);
    pem("CERTIFICATE REQUEST", &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jane() -> Subject {
        Subject { common_name: "jane".into(), organizations: vec!["dev".into(), "ops".into()] }
    }

    #[test]
    fn a_certificate_is_good_for_its_time_and_its_server() {
        let at = Time::from_secs(1_795_000_000);
        let to = at + std::time::Duration::from_secs(3600);
        let (text, _) = issue(b"key", &jane(), at, to);
        let found = verify(b"key", &text, at).unwrap();
        assert_eq!((found.common_name.as_str(), found.organizations.len()), ("jane", 2));
        assert_eq!(verify(b"other", &text, at), None);
        assert_eq!(verify(b"key", &text, to + std::time::Duration::from_secs(1)), None);
        assert_eq!(verify(b"key", &text.replace('M', "N"), at), None);
        assert_eq!(verify(b"key", "-----BEGIN CERTIFICATE-----\nMII=\n", at), None);
    }

    #[test]
    fn a_request_becomes_a_certificate() {
        let asked = read_request(&request(&jane(), "k")).unwrap();
        assert_eq!(asked.subject, jane());
        let at = Time::from_secs(2_600_000_000);
        let text = grant(b"key", &asked, at, at + std::time::Duration::from_secs(60));
        assert_eq!(verify(b"key", &text, at).unwrap().common_name, "jane");
        assert_eq!(read_request("no request"), None);
    }
}
