//! `docker images`, `tag`, `push`, `history`.

use super::{
    Cx, Error, Flag, Offer, Parsed, Sub,
    ago::{ago, size3},
    doc::{Doc, fields},
    filter::{Columns, Filters, rows},
};
use crate::runtime::Reference;

/// `docker images`
pub const IMAGES: Sub = Sub {
    name: "images",
    usage: "images [OPTIONS] [REPOSITORY[:TAG]]",
    short: "List images",
    flags: &[
        Flag::bool("all", false, "Show intermediate images, too (there are none)").short("a"),
        Flag::bool("digests", false, "Show digests"),
        Flag::array("filter", "Show only those that fit").short("f"),
        Flag::str("format", "", "A Go template, 'table TEMPLATE', or 'json'"),
        Flag::bool("no-trunc", false, "Don't shorten anything"),
        Flag::bool("quiet", false, "Only ids").short("q"),
    ],
    args: (0, 1),
    run: |cx, parsed| Box::pin(images(cx, parsed)),
    common: true,
    complete: Offer::Images,
    ..Sub::EMPTY
};

/// `docker tag`
pub const TAG: Sub = Sub {
    name: "tag",
    usage: "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    short: "Give an image another name",
    args: (2, 2),
    run: |cx, parsed| Box::pin(tag(cx, parsed)),
    complete: Offer::Images,
    ..Sub::EMPTY
};

/// `docker push`
pub const PUSH: Sub = Sub {
    name: "push",
    usage: "push [OPTIONS] NAME[:TAG]",
    short: "Send an image to its registry",
    flags: &[Flag::bool("quiet", false, "No progress").short("q")],
    args: (1, 1),
    run: |cx, parsed| Box::pin(push(cx, parsed)),
    complete: Offer::Images,
    ..Sub::EMPTY
};

/// `docker history`
pub const HISTORY: Sub = Sub {
    name: "history",
    usage: "history [OPTIONS] IMAGE",
    short: "Show how an image was made",
    flags: &[
        Flag::bool("human", true, "Sizes and dates for people").short("H"),
        Flag::bool("no-trunc", false, "Don't shorten anything"),
        Flag::bool("quiet", false, "Only ids").short("q"),
    ],
    args: (1, 1),
    run: |cx, parsed| Box::pin(history(cx, parsed)),
    complete: Offer::Images,
    ..Sub::EMPTY
};

const COLUMNS: Columns = &[
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
];
const WITH_DIGESTS: Columns = &[
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("DIGEST", "Digest"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
];
const ALL: Columns = &[
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("DIGEST", "Digest"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("CREATED AT", "CreatedAt"),
    ("SIZE", "Size"),
];

async fn images(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let filters = Filters::read(
        parsed.list("filter"),
        &["before", "dangling", "label", "reference", "since"],
    )?;
    let whole = parsed.bool("no-trunc");
    let now = cx.proc.sim().now();
    let wanted = parsed.args.first().map(String::as_str);
    let mut docs = Vec::new();
    for row in engine.images().list() {
        let id = match whole {
            true => row.image.id.clone(),
            false => row.image.short_id().to_string(),
        };
        let names: Vec<String> = match row.tags.is_empty() {
            true => vec!["<none>:<none>".into()],
            false => row.tags.clone(),
        };
        for name in names {
            let (repository, tag) = name.rsplit_once(':').unwrap_or((&name, "<none>"));
            let is = |pattern: &str| matches(pattern, repository, tag);
            let fits = wanted.is_none_or(is)
                && filters.fits("reference", is)
                && filters.fits("dangling", |v| (v == "true") == (tag == "<none>"))
                && filters.all_fit("label", |v| {
                    let (key, value) = v.split_once('=').map_or((v, None), |(k, v)| (k, Some(v)));
                    let labels = &row.image.config.labels;
                    labels.iter().any(|(k, have)| k == key && value.is_none_or(|v| v == have))
                })
                && filters.fits("before", |v| {
                    engine.images().find(v).is_some_and(|i| row.image.created < i.created)
                })
                && filters.fits("since", |v| {
                    engine.images().find(v).is_some_and(|i| row.image.created > i.created)
                });
            if !fits {
                continue;
            }
            let digest = row.digests.iter().find(|d| d.starts_with(&format!("{repository}@")));
            let digest = digest.and_then(|d| d.split_once('@')).map_or("<none>", |(_, d)| d);
            docs.push(fields! {
                "Containers": "N/A",
                "CreatedAt": super::ps::created_at(row.image.created),
                "CreatedSince": ago(row.image.created, now),
                "Digest": digest,
                "ID": id.clone(),
                "Repository": repository,
                "SharedSize": "N/A",
                "Size": size3(row.image.size()),
                "Tag": tag,
                "UniqueSize": "N/A",
                "VirtualSize": size3(row.image.size()),
            });
        }
    }
    if parsed.bool("quiet") && parsed.str("format").is_empty() {
        let mut seen = std::collections::BTreeSet::new();
        for doc in docs {
            let id = doc.get("ID").map(Doc::text).unwrap_or_default();
            if seen.insert(id.clone()) {
                cx.print(&format!("{id}\n")).await;
            }
        }
        return Ok(());
    }
    let columns = if parsed.bool("digests") { WITH_DIGESTS } else { COLUMNS };
    cx.print(&rows(parsed.str("format"), columns, ALL, &docs)?).await;
    Ok(())
}

/// Whether `REPOSITORY[:TAG]` (with `*`) means an image.
fn matches(pattern: &str, repository: &str, tag: &str) -> bool {
    let (name, want) = match pattern.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (pattern, None),
    };
    let plain = Reference::parse(name).map(|r| r.familiar_repository());
    let plain = plain.unwrap_or_else(|_| name.to_string());
    glob(&plain, repository) && want.is_none_or(|want| glob(want, tag))
}

/// Whether a text fits a pattern in which `*` stands for anything: the parts between stars must come
/// one after the other, the first at the beginning and the last at the end.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(tail)
}

async fn tag(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let (from, to) = (&parsed.args[0], &parsed.args[1]);
    let image = engine.images().find(from);
    let image = image.ok_or_else(|| {
        let name = Reference::parse(from).map_or(from.clone(), |r| r.familiar());
        Error::new(format!("Error response from daemon: No such image: {name}"))
    })?;
    let reference = Reference::parse(to).map_err(|error| {
        Error::new(format!(
            "Error parsing reference: \"{to}\" is not a valid repository/tag: {error}"
        ))
    })?;
    engine.images().add(&reference, &image);
    Ok(())
}

async fn push(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let reference = Reference::parse(&parsed.args[0]).map_err(Error::new)?;
    let quiet = parsed.bool("quiet");
    if !quiet {
        if !parsed.args[0].contains(':') {
            cx.print("Using default tag: latest\n").await;
        }
        let head = format!("The push refers to repository [{}]\n", reference.repository());
        cx.print(&head).await;
    }
    let Some(image) = engine.images().find(&reference.familiar()) else {
        return Err(Error::new(format!(
            "An image does not exist locally with the tag: {}",
            reference.familiar_repository()
        )));
    };
    let sim = cx.proc.sim().clone();
    sim.sleep(std::time::Duration::from_millis(600)).await;
    let registries = engine.images().registries().clone();
    // A name without an owner is one of Docker's own images, which nobody else may push.
    if reference.path.starts_with("library/") && reference.domain == "docker.io" {
        for layer in image.layers.iter().rev().filter(|_| !quiet) {
            cx.print(&format!("{}: Waiting\n", short(&layer.digest))).await;
        }
        return Err(Error::new(
            "push access denied, repository does not exist or may require authorization: server \
             message: insufficient_scope: authorization failed",
        ));
    }
    for layer in image.layers.iter().rev() {
        let micros = layer.compressed().saturating_mul(1_000_000) / registries.bandwidth();
        sim.sleep(std::time::Duration::from_micros(micros)).await;
        if !quiet {
            cx.print(&format!("{}: Pushed\n", short(&layer.digest))).await;
        }
    }
    registries.push(&reference, &image);
    let tag = reference.tag.as_deref().unwrap_or("latest");
    match quiet {
        true => cx.print(&format!("{reference}\n")).await,
        false => {
            let size = image.layers.len() * 400 + 500;
            cx.print(&format!("{tag}: digest: {} size: {size}\n", image.digest)).await;
        }
    }
    Ok(())
}

/// The first digits of a layer's digest.
pub fn short(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..12).unwrap_or(hex)
}

async fn history(cx: Cx, parsed: Parsed) -> Result<(), Error> {
    let engine = cx.engine()?;
    let name = &parsed.args[0];
    let image = engine
        .images()
        .find(name)
        .ok_or_else(|| Error::new(format!("Error response from daemon: No such image: {name}")))?;
    let whole = parsed.bool("no-trunc");
    let now = cx.proc.sim().now();
    let mut docs = Vec::new();
    for (index, layer) in image.layers.iter().rev().enumerate() {
        let id = match (index, whole) {
            (0, true) => image.id.clone(),
            (0, false) => image.short_id().to_string(),
            _ => "<missing>".into(),
        };
        let by = match whole || layer.created_by.chars().count() <= 45 {
            true => layer.created_by.clone(),
            false => layer.created_by.chars().take(44).chain(['…']).collect(),
        };
        let human = parsed.bool("human");
        docs.push(fields! {
            "ID": id,
            "CreatedSince": if human { ago(image.created, now) } else { super::ago::stamp(Some(image.created)) },
            "CreatedBy": by,
            "Size": if human { size3(layer.size) } else { layer.size.to_string() },
            "Comment": "",
        });
    }
    if parsed.bool("quiet") {
        for doc in docs {
            cx.print(&format!("{}\n", doc.get("ID").map(Doc::text).unwrap_or_default())).await;
        }
        return Ok(());
    }
    const COLUMNS: Columns = &[
        ("IMAGE", "ID"),
        ("CREATED", "CreatedSince"),
        ("CREATED BY", "CreatedBy"),
        ("SIZE", "Size"),
        ("COMMENT", "Comment"),
    ];
    cx.print(&rows("", COLUMNS, COLUMNS, &docs)?).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, fits) in [
            ("nginx", "nginx", true),
            ("ngi*", "nginx", true),
            ("*/box", "me/box", true),
            ("*b*x*", "me/box", true),
            ("a*a", "a", false),
            ("*é*", "x", false),
            ("****************x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
