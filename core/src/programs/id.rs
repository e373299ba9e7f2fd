//! `id`.

use super::support::{
    names::{group, user},
    opts::{Spec, options},
};
use crate::machine::{Proc, Program};

/// `id`
pub const PROGRAM: Program = Program {
    name: "id",
    summary: "print user and group numbers",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

const SPEC: Spec = Spec { usage: "id [-u|-g] [-n]", short: "ugnG", long: &[], trouble: 1 };

async fn main(proc: Proc) -> i32 {
    let options = match options(&proc, &SPEC).await {
        Ok(options) => options,
        Err(code) => return code,
    };
    let who = proc.who();
    let text = match (options.has('u'), options.has('g'), options.has('n')) {
        (true, _, true) => user(&proc, who.uid),
        (true, _, false) => who.uid.to_string(),
        (_, true, true) => group(&proc, who.gid),
        (_, true, false) => who.gid.to_string(),
        _ => {
            let (user, own) = (user(&proc, who.uid), group(&proc, who.gid));
            let mut groups = format!("{}({own})", who.gid);
            let file = proc.read_text("/etc/group").unwrap_or_default();
            for line in file.lines() {
                let fields: Vec<&str> = line.split(':').collect();
                if let [name, _, id, members] = fields.as_slice()
                    && members.split(',').any(|m| m == user)
                {
                    groups.push_str(&format!(",{id}({name})"));
                }
            }
            format!("uid={}({user}) gid={}({own}) groups={groups}", who.uid, who.gid)
        }
    };
    proc.print(&format!("{text}\n")).await;
    0
}
