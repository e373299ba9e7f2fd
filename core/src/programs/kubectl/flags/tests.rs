//! Lines and what they mean, and the shape of help.

use expect_test::expect;

use super::{find::find, *};

static STATUS: Command =
    Command { name: "status", usage: "status (TYPE NAME)", short: "Show it", ..Command::EMPTY };
static ROLLOUT: Command = Command {
    name: "rollout",
    usage: "rollout SUBCOMMAND",
    short: "Manage rollouts",
    subcommands: &[&STATUS],
    ..Command::EMPTY
};
static GET: Command = Command {
    name: "get",
    aliases: &["g"],
    usage: "get TYPE",
    short: "Show objects",
    long: "Show objects.\n\nMany of them.",
    examples: "# All pods\nkubectl get pods",
    flags: &[&[
        Flag::bool("watch", false, "Go on.").short("w"),
        Flag::str("output", "", "The form.").short("o"),
        Flag::slice("columns", "Columns."),
        Flag::str("dry-run", "none", "Don't.").bare("unchanged"),
        Flag::int32("replicas", "-1", "How many."),
        Flag::duration("timeout", "0s", "How long."),
        Flag::bool("old", false, "Old.").deprecated("use new"),
    ]],
    ..Command::EMPTY
};
static SET: Command = Command { name: "set", short: "Set", ..Command::EMPTY };
static ROOT: Command =
    Command { name: "kubectl", subcommands: &[&SET, &GET, &ROLLOUT], ..Command::EMPTY };
static GLOBAL: &[&[Flag]] = &[&[Flag::str("namespace", "", "Which.").short("n")]];

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(String::from).collect()
}

fn read(line: &str) -> Result<Parsed, String> {
    let found = find(&ROOT, GLOBAL, &words(line))?;
    let global = GLOBAL.iter().flat_map(|g| g.iter());
    Parsed::read(&found.path(), found.command().own_flags().chain(global), &found.args)
}

#[test]
fn errors_are_cobras() {
    let table = [
        (
            "gett pods",
            "unknown command \"gett\" for \"kubectl\"\n\nDid you mean this?\n\tset\n\tget\n",
        ),
        ("frobnicate", "unknown command \"frobnicate\" for \"kubectl\""),
        ("get pod --nope", "unknown flag: --nope"),
        ("get pods -o", "flag needs an argument: 'o' in -o"),
        ("get pods --output", "flag needs an argument: --output"),
        ("get pods -x", "unknown shorthand flag: 'x' in -x"),
        ("get pods -wx", "unknown shorthand flag: 'x' in -x"),
        ("get --=x", "bad flag syntax: --=x"),
        (
            "get --replicas=many",
            "invalid argument \"many\" for \"--replicas\" flag: strconv.ParseInt: parsing \"many\": \
             invalid syntax",
        ),
        (
            "get --watch=maybe",
            "invalid argument \"maybe\" for \"-w, --watch\" flag: strconv.ParseBool: parsing \
             \"maybe\": invalid syntax",
        ),
        (
            "get --timeout=5",
            "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\"",
        ),
    ];
    for (line, want) in table {
        assert_eq!(read(line).err().as_deref(), Some(want), "{line}");
    }
}

#[test]
fn lines_are_read() {
    let p = read("-n dev get pods -wojson --columns=a,b --columns c --dry-run x -- -o y").unwrap();
    assert_eq!(p.path, "kubectl get");
    assert_eq!((p.str("namespace"), p.str("output"), p.bool("watch")), ("dev", "json", true));
    assert_eq!(p.list("columns"), ["a", "b", "c"]);
    assert_eq!(p.str("dry-run"), "unchanged");
    assert_eq!((p.args.as_slice(), p.dash), (&words("pods x -o y")[..], Some(2)));
    assert_eq!((p.int("replicas"), p.changed("replicas")), (-1, false));
    let p = read("g --old --dry_run=client").unwrap();
    assert_eq!(p.notices, ["Flag --old has been deprecated, use new"]);
    assert_eq!(p.str("dry-run"), "client");
    assert_eq!(read("rollout stat deployment web").unwrap().path, "kubectl rollout");
    assert!(read("get --help").unwrap().help);
}

#[test]
fn help_has_kubectls_form() {
    expect![[r#"
        Show objects.

         Many of them.

        Aliases:
        get, g

        Examples:
          # All pods
          kubectl get pods

        Options:
            --columns=[]:
        	Columns.

            --dry-run='none':
        	Don't.

            -o, --output='':
        	The form.

            --replicas=-1:
        	How many.

            --timeout=0s:
        	How long.

            -w, --watch=false:
        	Go on.

        Usage:
          kubectl get TYPE [options]

        Use "kubectl options" for a list of global command-line options (applies to all commands).
    "#]]
    .assert_eq(&help::help(&[&ROOT, &GET], &[], None));
    expect![[r#"
        Manage rollouts

        Available Commands:
          status        Show it

        Usage:
          kubectl rollout SUBCOMMAND [options]

        Use "kubectl rollout <command> --help" for more information about a given command.
        Use "kubectl options" for a list of global command-line options (applies to all commands).
    "#]]
    .assert_eq(&help::help(&[&ROOT, &ROLLOUT], &[], None));
}
