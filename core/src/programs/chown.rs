//! `chown`.

use super::support::{
    names::{id, join},
    opts::{Spec, options},
};
use crate::machine::{FsError, Proc, Program};

/// `chown`
pub const PROGRAM: Program = Program {
    name: "chown",
    summary: "change file owner and group",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec {
    usage: "chown [-R] [OWNER][:[GROUP]] FILE...",
    short: "Rvfh",
    long: &[("recursive", 'R')],
    trouble: 1,
};

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some((owner, files)) = options.rest.split_first().filter(|(_, files)| !files.is_empty())
    else {
        proc.eprint("chown: missing operand\nTry 'chown --help' for more information.\n").await;
        return 1;
    };
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let uid = (!user.is_empty()).then(|| id(&proc, "/etc/passwd", user));
    let gid = (!group.is_empty()).then(|| id(&proc, "/etc/group", group));
    if uid == Some(None) || gid == Some(None) {
        let (what, name) = if uid == Some(None) { ("user", user) } else { ("group", group) };
        proc.eprint(&format!("chown: invalid {what}: '{name}'\n")).await;
        return 1;
    }
    let (uid, gid) = (uid.flatten(), gid.flatten());
    let mut status = 0;
    let mut pending = files.to_vec();
    while let Some(path) = pending.pop() {
        let result = match proc.stat(&path) {
            Ok(_) if proc.who().uid != 0 => Err(FsError::NotPermitted),
            Ok(node) => {
                if options.has('R') && node.is_dir() {
                    let list = proc.list(&path).unwrap_or_default();
                    pending.extend(list.iter().map(|(name, _)| join(&path, name)));
                }
                proc.set_attributes(&path, |n| {
                    n.uid = uid.unwrap_or(n.uid);
                    n.gid = gid.unwrap_or(n.gid);
                })
            }
            Err(error) => {
                proc.eprint(&format!("chown: cannot access '{path}': {error}\n")).await;
                status = 1;
                continue;
            }
        };
        if let Err(error) = result {
            proc.eprint(&format!("chown: changing ownership of '{path}': {error}\n")).await;
            status = 1;
        }
    }
    status
}
