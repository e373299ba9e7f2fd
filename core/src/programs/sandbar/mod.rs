//! `sandbar`: what no real cluster can do: break things on purpose, and explain itself; a provider's
//! cluster; and which images there are.

mod ask;
mod cloud;
mod fault;
mod images;

use crate::machine::{CompleteCx, Proc, Program};

/// The program.
pub static PROGRAM: Program = Program {
    name: "sandbar",
    summary: "break things on purpose, and ask why",
    run: |proc| Box::pin(main(proc)),
    complete: Some(complete),
};

const HELP: &str = "\
sandbar does what no real cluster can: it breaks things on purpose, and says why things are as they
are.

Usage:
  sandbar why TYPE/NAME [-n NAMESPACE] [-o json]    why it is where it is, or what holds it back
  sandbar trace TYPE/NAME [-n NAMESPACE] [-o json]  what led to it and what it led to, from the
                                                    command down to the containers
  sandbar fault leak pod/NAME [-n NAMESPACE]        the pod's container leaks memory and turns slow
  sandbar fault kill pod/NAME [-n NAMESPACE] [-c C] the container's first process gets SIGKILL
  sandbar fault kubelet-stop NODE                   the node's kubelet dies and stays dead
  sandbar fault kubelet-start NODE                  the node's kubelet is started again
  sandbar images [WORD]                             the images that the registries here have
  sandbar cloud create [--nodes N] [--max N]        a cluster at a provider: load balancers, autoscaling
  sandbar cloud status                              its machines
  sandbar cloud delete                              give it all back

\"sandbar why --help\" and \"sandbar trace --help\" tell more.
";

async fn main(proc: Proc) -> i32 {
    let args = proc.args().get(1..).unwrap_or_default().to_vec();
    match args.first().map(String::as_str) {
        None | Some("help" | "-h" | "--help") => {
            proc.print(HELP).await;
            0
        }
        Some("cloud") => cloud::run(&proc, &args[1..]).await,
        Some("fault") => fault::run(&proc, &args[1..]).await,
        Some("images") => images::run(&proc, &args[1..]).await,
        Some("why" | "trace") => ask::run(proc.clone(), &args).await,
        Some(other) => {
            let text = format!("sandbar: there is no command {other:?}; see sandbar --help\n");
            proc.eprint(&text).await;
            1
        }
    }
}

fn complete(cx: &CompleteCx) -> Vec<String> {
    match cx.words.get(1).map(String::as_str) {
        Some("cloud") if cx.words.len() > 2 => {
            ["create", "delete", "status"].map(String::from).to_vec()
        }
        Some("fault") if cx.words.len() > 2 => fault::complete(&cx.words[2..]),
        Some("why" | "trace") if cx.words.len() > 2 => ask::complete(cx),
        _ => ["cloud", "fault", "help", "images", "trace", "why"].map(String::from).to_vec(),
    }
}
