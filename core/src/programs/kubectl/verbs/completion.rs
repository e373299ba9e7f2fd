//! `kubectl completion`: scripts that ask `kubectl __completeNoDesc` ([`super::super::offers`]).
//!
//! The sandbox's own shell completes without a script; these are for shells that read one. Models
//! the protocol of `cobra`: one offer a line, then `:` and a number that says how to go on.

use crate::{
    api::gofmt::quote,
    programs::kubectl::{
        Cx, Error,
        flags::{Command, Complete, Parsed},
    },
};

const SHELLS: &[&str] = &["bash", "fish", "powershell", "zsh"];

/// `kubectl completion`
pub static COMMAND: Command = Command {
    name: "completion",
    usage: "completion SHELL",
    short: "Print a script that lets a shell complete kubectl's commands (bash, zsh, fish, or powershell)",
    long: "Print a script that lets a shell complete kubectl's commands (bash, zsh, fish, or \
           powershell). The shell has to read it, mostly when it starts.\n\n\
           The sandbox's own shell completes kubectl's commands without it.",
    examples: "# For this shell, if it is bash\nsource <(kubectl completion bash)\n\n\
               # For every bash from now on\n\
               kubectl completion bash > ~/.kube/completion.bash.inc\n\n\
               # For fish\nkubectl completion fish | source",
    run: Some(|cx, p| Box::pin(run(cx, p))),
    complete: Complete::Words(SHELLS),
    ..Command::EMPTY
};

async fn run(cx: Cx, p: Parsed) -> Result<(), Error> {
    let shell = match p.args.as_slice() {
        [] => return Err(Error::usage(&p.path, "Shell not specified.")),
        [shell] => shell.as_str(),
        _ => {
            let text = "Too many arguments. Expected only the shell type.";
            return Err(Error::usage(&p.path, text));
        }
    };
    let script = match shell {
        "bash" => BASH,
        "zsh" => ZSH,
        "fish" => FISH,
        "powershell" => POWERSHELL,
        other => {
            let text = format!("Unsupported shell type {}.", quote(other));
            return Err(Error::usage(&p.path, text));
        }
    };
    cx.out(script).await;
    Ok(())
}

const BASH: &str = r#"# bash completion for kubectl                                 -*- shell-script -*-

__start_kubectl()
{
    local out directive offer
    local cur="${COMP_WORDS[COMP_CWORD]}"
    out=$(kubectl __completeNoDesc "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    directive=${out##*:}
    out=${out%:*}
    COMPREPLY=()
    while IFS='' read -r offer; do
        if [[ -n $offer && $offer == "${cur}"* ]]; then
            COMPREPLY+=("${offer%%$'\t'*}")
        fi
    done <<< "$out"
    if (( (directive & 2) != 0 )) && type compopt >/dev/null 2>&1; then
        compopt -o nospace
    fi
}

complete -o default -F __start_kubectl kubectl
"#;

const ZSH: &str = r#"#compdef kubectl
compdef _kubectl kubectl

# zsh completion for kubectl                                  -*- shell-script -*-

_kubectl()
{
    local out directive
    local -a offers options
    out=$(kubectl __completeNoDesc "${(@)words[2,CURRENT]}" 2>/dev/null)
    directive=${out##*:}
    offers=("${(@f)${out%:*}}")
    offers=(${offers:#})
    (( (directive & 2) != 0 )) && options=(-S '')
    compadd "${options[@]}" -a offers
}

if [ "$funcstack[1]" = "_kubectl" ]; then
    _kubectl
fi
"#;

const FISH: &str = r#"# fish completion for kubectl                                 -*- shell-script -*-

function __kubectl_offers
    set -l words (commandline -opc) (commandline -ct)
    kubectl __completeNoDesc $words[2..-1] 2>/dev/null | string match -v -r '^:[0-9]+$'
end

complete -c kubectl -e
complete -c kubectl -f -a '(__kubectl_offers)'
"#;

const POWERSHELL: &str = r#"# powershell completion for kubectl                           -*- shell-script -*-

Register-ArgumentCompleter -Native -CommandName 'kubectl' -ScriptBlock {
    param($WordToComplete, $CommandAst, $CursorPosition)
    $words = @($CommandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
    if (-not $WordToComplete) { $words += '""' }
    kubectl __completeNoDesc @words 2>$null | Where-Object { $_ -notmatch '^:\d+$' } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
"#;
