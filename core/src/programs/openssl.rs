//! `openssl`: keys, requests for certificates, and a look at certificates.
//!
//! Only what one needs to become a user of a cluster: `genrsa`, `genpkey`, `req`, `x509`. Keys are texts
//! in the form of keys; nobody but the cluster can check a signature.

use crate::{
    client::x509::{self, Subject},
    machine::{Proc, Program},
};

/// `openssl`
pub const PROGRAM: Program = Program {
    name: "openssl",
    summary: "make keys and requests for certificates, look at certificates",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    let args: Vec<String> = proc.args().get(1..).unwrap_or_default().to_vec();
    let Some((command, rest)) = args.split_first() else {
        proc.eprint("usage: openssl genrsa | genpkey | req | x509 [options]\n").await;
        return 1;
    };
    let done = match command.as_str() {
        "genrsa" | "genpkey" => generate(&proc, rest).await,
        "req" => req(&proc, rest).await,
        "x509" => look(&proc, rest).await,
        "version" => {
            proc.print("OpenSSL 3.0.17 1 Jul 2025 (Library: OpenSSL 3.0.17 1 Jul 2025)\n").await;
            Ok(())
        }
        other => Err(format!("openssl: {other} is not simulated in this sandbox")),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            proc.eprint(&format!("{error}\n")).await;
            1
        }
    }
}

/// The value after an option.
fn value<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let at = args.iter().position(|a| a == name)?;
    args.get(at + 1).map(String::as_str)
}

fn has(args: &[String], name: &str) -> bool {
    args.iter().any(|a| a == name)
}

async fn put(proc: &Proc, args: &[String], flag: &str, text: &str) -> Result<(), String> {
    match value(args, flag) {
        Some(path) => proc
            .write_file(path, text.as_bytes())
            .map_err(|e| format!("Can't open \"{path}\" for writing, {e}")),
        None => {
            proc.print(text).await;
            Ok(())
        }
    }
}

/// A new key: different each time, as the simulation's randomness has it.
fn new_key(proc: &Proc) -> String {
    x509::private_key(&format!("{:016x}", proc.sim().random(u64::MAX)))
}

async fn generate(proc: &Proc, args: &[String]) -> Result<(), String> {
    let key = new_key(proc);
    put(proc, args, "-out", &key).await
}

async fn read(proc: &Proc, path: &str) -> Result<String, String> {
    proc.read_text(path).map_err(|e| format!("Can't open \"{path}\" for reading, {e}"))
}

async fn req(proc: &Proc, args: &[String]) -> Result<(), String> {
    if let Some(path) = value(args, "-in") {
        let text = read(proc, path).await?;
        let asked = x509::read_request(&text).ok_or("unable to load X509 request")?;
        if has(args, "-subject") || has(args, "-text") {
            proc.print(&format!("subject={}\n", shown(&asked.subject))).await;
        }
        if !has(args, "-noout") {
            proc.print(&text).await;
        }
        return Ok(());
    }
    if !has(args, "-new") && !has(args, "-newkey") {
        return Err("req: use -new to make a request, or -in to read one".into());
    }
    if has(args, "-x509") {
        return Err(
            "req: certificates that sign themselves are not simulated in this sandbox".into()
        );
    }
    let key = match value(args, "-key") {
        Some(path) => read(proc, path).await?,
        None => {
            let key = new_key(proc);
            let path = value(args, "-keyout").unwrap_or("privkey.pem");
            proc.write_file(path, key.as_bytes())
                .map_err(|e| format!("Can't open \"{path}\" for writing, {e}"))?;
            key
        }
    };
    let subject = value(args, "-subj").ok_or("req: -subj is needed: nothing asks for it here")?;
    let request = x509::request(&parse(subject)?, &key);
    put(proc, args, "-out", &request).await
}

/// `/O=dev/CN=jane`.
fn parse(text: &str) -> Result<Subject, String> {
    let mut subject = Subject::default();
    let Some(rest) = text.strip_prefix('/') else {
        return Err(format!(
            "req: subject name is expected to be in the format /type0=value0/type1=value1/type2=... \
             where characters may be escaped by \\. This name is not in that format: '{text}'"
        ));
    };
    for part in rest.split('/').filter(|p| !p.is_empty()) {
        match part.split_once('=') {
            Some(("CN", name)) => subject.common_name = name.into(),
            Some(("O", name)) => subject.organizations.push(name.into()),
            Some(_) => {} // places and the like say nothing to a cluster
            None => return Err(format!("req: missing '=' after RDN type string '{part}'")),
        }
    }
    Ok(subject)
}

fn shown(subject: &Subject) -> String {
    let mut parts: Vec<String> = subject.organizations.iter().map(|o| format!("O = {o}")).collect();
    parts.push(format!("CN = {}", subject.common_name));
    parts.join(", ")
}

async fn look(proc: &Proc, args: &[String]) -> Result<(), String> {
    let text = match value(args, "-in") {
        Some(path) => read(proc, path).await?,
        None => String::from_utf8_lossy(&proc.read_to_end().await).into_owned(),
    };
    let found =
        x509::look(&text).ok_or("Could not read certificate\nUnable to load certificate")?;
    let date = |at: crate::sim::Time| {
        jiff::fmt::strtime::format("%b %e %H:%M:%S %Y GMT", at.to_timestamp()).unwrap_or_default()
    };
    let full = has(args, "-text");
    let mut out = String::new();
    if full {
        out.push_str(&format!(
            "Certificate:\n    Data:\n        Version: 3 (0x2)\n        Signature Algorithm: \
             hmacWithSHA256\n        Issuer: {}\n        Validity\n            Not Before: {}\n\
             \x20           Not After : {}\n        Subject: {}\n",
            shown(&found.issuer),
            date(found.from),
            date(found.to),
            shown(&found.subject)
        ));
    }
    if has(args, "-subject") {
        out.push_str(&format!("subject={}\n", shown(&found.subject)));
    }
    if has(args, "-issuer") {
        out.push_str(&format!("issuer={}\n", shown(&found.issuer)));
    }
    if has(args, "-dates") {
        out.push_str(&format!("notBefore={}\nnotAfter={}\n", date(found.from), date(found.to)));
    }
    if has(args, "-enddate") {
        out.push_str(&format!("notAfter={}\n", date(found.to)));
    }
    if !has(args, "-noout") {
        out.push_str(&text);
    }
    proc.print(&out).await;
    Ok(())
}
