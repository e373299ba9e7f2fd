//! `kubectl auth whoami`. Models `k8s.io/kubectl/pkg/cmd/auth/whoami.go`.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;

use crate::{
    api::Object,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Parsed},
        output::{self, Printer},
        print::tabwriter::Tabwriter,
    },
};

/// `kubectl auth whoami`
pub static COMMAND: Command = Command {
    name: "whoami",
    usage: "whoami",
    short: "Tell who you are to the server",
    examples: "# Who am I?\nkubectl auth whoami\n\n# The same as JSON\nkubectl auth whoami -o json",
    flags: &[output::FLAGS],
    run: Some(|cx, p| Box::pin(run(cx, p))),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let conn = cx.connect(&p, 0)?;
    let answer =
        conn.client.create(SelfSubjectReview::default()).map_err(|status| match status.reason {
            "Forbidden" => Error::plain(
                "the selfsubjectreviews API is not enabled in the cluster or you do not have \
                 permission to call it",
            ),
            _ => status.into(),
        })?;
    if !p.str("output").is_empty() {
        let mut printer = Printer::new(&cx, &p, "", "")?;
        printer.typed(true);
        cx.out(&printer.one(&answer.to_value())?).await;
        return Ok(());
    }
    let status = answer.status.clone().unwrap_or_default();
    let user = status.user_info.unwrap_or_default();
    let mut out = Tabwriter::table();
    out.write("ATTRIBUTE\tVALUE\n");
    for (title, value) in [("Username", user.username), ("UID", user.uid)] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            out.write(&format!("{title}\t{value}\n"));
        }
    }
    if let Some(groups) = user.groups.filter(|g| !g.is_empty()) {
        out.write(&format!("Groups\t[{}]\n", groups.join(" ")));
    }
    for (key, values) in user.extra.iter().flatten() {
        out.write(&format!("Extra: {key}\t[{}]\n", values.join(" ")));
    }
    cx.out(&out.flush()).await;
    Ok(())
}
