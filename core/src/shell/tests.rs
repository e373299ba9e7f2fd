//! Tests of the language and of terminals, as tables.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::terminal::{State, Terminal};
use crate::{
    machine::{Command, Fd, Machine},
    session::host,
    sim::{Sim, Time},
};

fn host() -> (Sim, Rc<Machine>) {
    let sim = Sim::new(1, Time::from_secs(1_800_000_000));
    (sim.clone(), host::build(&sim))
}

/// Runs a script with a shell; what it prints (errors too) and its exit code.
fn run_with(shell: &str, script: &str) -> (String, i32) {
    let (sim, machine) = host();
    let (out, buffer) = Fd::capture();
    let mut command = Command::new([shell, "-c", script]).stdout(out.clone()).stderr(out);
    (command.cwd, command.env) = (Some("/tmp".into()), Some(host::login().env));
    let child = machine.spawn(command).unwrap();
    assert!(sim.advance(sim.now() + Duration::from_secs(10_000), 3_000_000).reached);
    let text = String::from_utf8(buffer.take()).unwrap();
    (text, child.status().map_or(-1, |s| s.code()))
}

#[track_caller]
fn check(script: &str, want: &str, code: i32) {
    let (got, status) = run_with("bash", script);
    assert_eq!((got.as_str(), status), (want, code), "{script}");
}

#[test]
fn words_quotes_and_parameters() {
    check("echo a  'b  c' \"d $HOME\" e\\ f", "a b  c d /home/learner e f\n", 0);
    check("x=1; echo $x ${x} \"$x\" '$x' ${y:-no} ${y-no} ${x:+yes}", "1 1 1 $x no no yes\n", 0);
    check(
        "x=abc.tar.gz; echo ${x%.*} ${x%%.*} ${x#*.} ${x##*.} ${#x}",
        "abc.tar abc tar.gz gz 10\n",
        0,
    );
    check(
        "x=banana; echo ${x/a/o} ${x//a/o} ${x/#b/B} ${x/%a/A} ${x:1:3} ${x: -2}",
        "bonana bonono Banana bananA ana na\n",
        0,
    );
    check("x=hello; echo ${x^} ${x^^}; y=ABC; echo ${y,,}", "Hello HELLO\nabc\n", 0);
    check(
        "set -- 'a b' c; for i in \"$@\"; do echo \"<$i>\"; done; for i in $*; do echo \"[$i]\"; done; echo \"$*\" $#",
        "<a b>\n<c>\n[a]\n[b]\n[c]\na b c 2\n",
        0,
    );
    check("set --; for i in \"$@\"; do echo no; done; echo \"x$@y\"", "xy\n", 0);
    check(
        "a=(x 'y z' w); echo ${a[1]} ${#a[@]} ${a[@]:1}; a+=(v); for i in \"${a[@]}\"; do echo \"<$i>\"; done",
        "y z 3 y z w\n<x>\n<y z>\n<w>\n<v>\n",
        0,
    );
    check("echo ${x:=5} $x; unset x; echo ${x:?gone}", "5 5\nbash: line 1: x: gone\n", 1);
    check("x='a  b'; echo $x; echo \"$x\"; IFS=:; y=1:2; echo $y", "a b\na  b\n1 2\n", 0);
    check("echo ~ ~/x '~' a~ ~root", "/home/learner /home/learner/x ~ a~ /root\n", 0);
    check("echo $'a\\tb' \"a\\tb\" 'it'\\''s'", "a\tb a\\tb it's\n", 0);
    check("echo {a,b}{1..2} x{y}z {3..1}", "a1 a2 b1 b2 x{y}z 3 2 1\n", 0);
    check("echo $(echo a; echo b) `echo c` \"$(printf 'x\\ny')\"", "a b c x\ny\n", 0);
    check("echo $((1+2*3)) $(( (1+2)*3 )); x=4; echo $((x*x)) $((x++)) $x", "7 9\n16 4 5\n", 0);
    check("echo $(echo $(echo \"$(echo deep)\"))", "deep\n", 0);
    check("x=\"a'b\"; echo \"${x:-\"q r\"}\" ${z:-\"q  r\"}", "a'b q  r\n", 0);
    check("echo \"\" a \"\" b | cat", " a  b\n", 0);
    check("set -- a b c d; shift 2; echo $1 $#; echo ${10}", "c 2\n\n", 0);
    check("x=y; y=z; echo ${!x}; echo ${x@}", "z\nbash: line 1: ${x@}: bad substitution\n", 1);
    let doubled = "x=aaaaaaaaaaaaaaaaaaaa; for i in {1..60}; do x=$x$x; done; echo no";
    check(doubled, "bash: line 1: xrealloc: cannot allocate 20971520 bytes\n", 2);
}

#[test]
fn control_flow() {
    check(
        "if true; then echo y; else echo n; fi; if false; then :; elif true; then echo e; fi",
        "y\ne\n",
        0,
    );
    check(
        "for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done",
        "1\n3\n",
        0,
    );
    check(
        "i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i; until [ $i -eq 0 ]; do let i--; done; echo $i",
        "3\n0\n",
        0,
    );
    check("for ((i=0;i<3;i++)); do printf $i; done; echo", "012\n", 0);
    check(
        "case abc in x|y) echo 1;; a*) echo 2;; *) echo 3;; esac; case '*' in '*') echo star;; esac",
        "2\nstar\n",
        0,
    );
    check(
        "f() { local x=in; echo $x $1; return 3; }; x=out; f arg; echo $? $x",
        "in arg\n3 out\n",
        0,
    );
    check(
        "function g { echo g; }; g | cat; { echo a; echo b; } | cat; (exit 4); echo $?",
        "g\na\nb\n4\n",
        0,
    );
    check(
        "false || echo or; true && echo and; ! true; echo $?; ! false && echo not",
        "or\nand\n1\nnot\n",
        0,
    );
    check("set -e; false || true; if false; then :; fi; echo on; false; echo never", "on\n", 1);
    check("set -e; f() { false; echo in; }; f || echo no", "in\n", 0);
    check(
        "set -o pipefail; false | true; echo $?; set +o pipefail; false | true; echo $?",
        "1\n0\n",
        0,
    );
    check("while true; do while true; do break 2; done; done; echo out", "out\n", 0);
    check("trap 'echo bye' EXIT; echo hi; exit 3", "hi\nbye\n", 3);
    check("trap 'echo got' TERM; kill -TERM $$; echo after", "got\nafter\n", 0);
    check("eval 'x=1; echo $x'; . /dev/stdin <<< 'echo sourced'", "1\nsourced\n", 0);
    check(
        "[[ abc == a* && ! -e /nope ]] && echo y; [[ x == \"*\" ]] || echo n; [[ ab1 =~ ([a-z]+)([0-9]) ]] && echo ${BASH_REMATCH[2]}",
        "y\nn\n1\n",
        0,
    );
    check(
        "test 3 -gt 2 -a x != y && echo y; [ -n '' ] || echo n; [ ! -d /tmp ] || echo d",
        "y\nn\nd\n",
        0,
    );
    check("select_() { return $1; }; select_ 7; echo $?; exit 300", "7\n", 44);
    check("f() { f; }; f", "bash: line 1: maximum nesting level exceeded\n", 1);
    check(
        "time true 2>&1 | cat >/dev/null; echo $?",
        "\nreal\t0m0.000s\nuser\t0m0.000s\nsys\t0m0.000s\n0\n",
        0,
    );
}

#[test]
fn redirections_pipes_and_jobs() {
    check("echo a > f; echo b >> f; cat < f; cat f | cat -n", "a\nb\n     1\ta\n     2\tb\n", 0);
    check(
        "echo err >&2 2>/dev/null; { echo out; echo err >&2; } 2>&1 | cat; echo x &> g; cat g",
        "err\nout\nerr\nx\n",
        0,
    );
    check(
        "cat <<E\na $((1+1))\nE\ncat <<'E'\na $((1+1))\nE\ncat <<-E\n\tx\n\tE\ncat <<< word",
        "a 2\na $((1+1))\nx\nword\n",
        0,
    );
    check(
        "cat nofile; cat < nofile; echo $?; echo > /nodir/x; echo $?",
        "cat: nofile: No such file or directory\nbash: line 1: nofile: No such file or directory\n1\nbash: line 1: /nodir/x: No such file or directory\n1\n",
        0,
    );
    check("sleep 1 & wait $!; echo $?; (exit 3) & wait $!; echo $?", "0\n3\n", 0);
    check("sleep 100 & kill $!; wait $!; echo $?", "143\n", 0);
    check("while read a b; do echo \"$b-$a\"; done <<E\n1 2 3\n4 5\nE", "2 3-1\n5-4\n", 0);
    check(
        "printf 'a\\nb' | while read x; do echo $x; done; echo 'x:y' | (IFS=: read a b; echo $b)",
        "a\ny\n",
        0,
    );
    check(
        "exec 3> f; echo three >&3; exec 3>&-; cat f; echo no >&3",
        "three\nbash: line 1: 3: Bad file descriptor\n",
        1,
    );
    check("x=5 sh -c 'echo $x'; echo \"[$x]\"; export y=6; sh -c 'echo $y'", "5\n[]\n6\n", 0);
    check(
        "nosuch; echo $?; ./nosuch; /tmp",
        "bash: line 1: nosuch: command not found\n127\nbash: line 1: ./nosuch: No such file or directory\nbash: line 1: /tmp: Is a directory\n",
        126,
    );
    check(
        "echo 'echo script $1' > s; chmod +x s 2>/dev/null; bash s one; . ./s two",
        "script one\nscript two\n",
        0,
    );
    check(
        "echo 'exit 5' | bash; echo $?; echo 'read x; echo got $x\nline' | bash",
        "5\ngot line\n",
        0,
    );
    check(
        "cd /usr; pwd; cd bin; pwd; cd -; cd ..; pwd; cd /nope",
        "/usr\n/usr/bin\n/usr\n/\nbash: line 1: cd: /nope: No such file or directory\n",
        1,
    );
    check("alias", "", 0);
    check(
        "type cd cat if nosuch",
        "cd is a shell builtin\ncat is /usr/bin/cat\nif is a shell keyword\nbash: line 1: type: nosuch: not found\n",
        1,
    );
    check("echo /tm* /no*; cd /usr/bin; echo b[a]s?", "/tmp /no*\nbash\n", 0);
    check("x=$(false); echo $?; y=$(exit 7) ; echo $?; echo $(echo a >&2)", "1\n7\na\n\n", 0);
}

#[test]
fn what_is_wrong_in_three_dialects() {
    for (shell, script, want, code) in [
        ("bash", "if", "bash: line 2: syntax error: unexpected end of file\n", 2),
        (
            "bash",
            "echo )",
            "bash: -c: line 1: syntax error near unexpected token `)'\nbash: -c: line 1: `echo )'\n",
            2,
        ),
        ("dash", "echo )", "dash: 1: Syntax error: \")\" unexpected\n", 2),
        ("sh", "nosuch", "sh: 1: nosuch: not found\n", 127),
        ("sh", "cd /nope", "sh: 1: cd: can't cd to /nope\n", 2),
        ("sh", "set -u; echo $nope; echo no", "sh: 1: nope: parameter not set\n", 2),
        ("bash", "set -u; echo $nope; echo no", "bash: line 1: nope: unbound variable\n", 1),
        ("sh", "cat < nope", "sh: 1: cannot open nope: No such file\n", 2),
        ("bash", "readonly x=1; x=2; echo no", "bash: line 1: x: readonly variable\n", 1),
        ("bash", "echo $((1/0))", "bash: line 1: 1/0: division by 0\n", 1),
        ("bash", "set -x; x=1; echo $x a\\ b >/dev/null", "+ x=1\n+ echo 1 'a b'\n", 0),
    ] {
        let (got, status) = run_with(shell, script);
        assert_eq!((got.as_str(), status), (want, code), "{shell}: {script}");
    }
}

#[test]
fn endless_loops_let_time_pass() {
    let (sim, machine) = host();
    let command = Command::new(["bash", "-c", "while :; do :; done"]);
    let child = machine.spawn(command).unwrap();
    let end = sim.now() + Duration::from_secs(1);
    assert!(sim.advance(end, 100_000).reached);
    assert_eq!(child.status(), None);
}

/// A terminal emulator of sorts: what is on its screen.
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    columns: usize,
    escape: String,
}

impl Screen {
    fn write(&mut self, text: &str) {
        for c in text.chars() {
            if !self.escape.is_empty() {
                self.escape.push(c);
                if self.escape.len() > 2 && ('@'..='~').contains(&c) {
                    let sequence = std::mem::take(&mut self.escape);
                    self.control(&sequence[2..]);
                }
                continue;
            }
            match c {
                '\x1b' => self.escape.push(c),
                '\r' => self.column = 0,
                '\n' => self.row += 1,
                '\x08' => self.column = self.column.saturating_sub(1),
                '\x07' => {}
                c => {
                    if self.column == self.columns {
                        (self.row, self.column) = (self.row + 1, 0);
                    }
                    let column = self.column;
                    self.line()[column] = c;
                    self.column += 1;
                }
            }
        }
    }

    fn line(&mut self) -> &mut Vec<char> {
        let columns = self.columns;
        while self.lines.len() <= self.row {
            self.lines.push(vec![' '; columns]);
        }
        &mut self.lines[self.row]
    }

    fn control(&mut self, sequence: &str) {
        let number: usize = sequence[..sequence.len() - 1].parse().unwrap_or(1);
        match sequence.chars().next_back() {
            Some('A') => self.row = self.row.saturating_sub(number),
            Some('C') => self.column += number,
            Some('J') => {
                let column = self.column;
                self.line()[column..].fill(' ');
                let row = self.row;
                self.lines.truncate(row + 1);
            }
            Some('H') => (self.row, self.column) = (0, 0),
            _ => {}
        }
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|l| l.iter().collect::<String>().trim_end().to_string());
        lines.collect::<Vec<_>>().join("\n").trim_end().to_string()
    }
}

/// Types keys, one string after another with a second between, and returns the screen.
fn type_keys(keys: &[&str]) -> String {
    let (sim, machine) = host();
    let screen =
        Screen { lines: Vec::new(), row: 0, column: 0, columns: 40, escape: String::new() };
    let screen = Rc::new(RefCell::new(screen));
    let (into, closed) = (screen.clone(), Rc::new(RefCell::new(String::new())));
    let end = closed.clone();
    let terminal = Terminal::open(
        &machine,
        host::login(),
        "pts/0",
        (40, 10),
        Rc::new(move |text| into.borrow_mut().write(text)),
        Rc::new(move |state| {
            if state == State::Closed {
                *end.borrow_mut() = "\n[closed]".into();
            }
        }),
    )
    .unwrap();
    for keys in keys {
        assert!(sim.advance(sim.now() + Duration::from_secs(1), 100_000).reached);
        terminal.keys(keys);
    }
    assert!(sim.advance(sim.now() + Duration::from_secs(1), 100_000).reached);
    let text = screen.borrow().text();
    text + &closed.borrow()
}

#[track_caller]
fn types(keys: &[&str], want: &str) {
    let want = want.replace('~', "learner@sandbar:~");
    assert_eq!(type_keys(keys), want, "{keys:?}");
}

#[test]
fn a_prompt_takes_commands() {
    types(&["echo hi\r"], "~$ echo hi\nhi\n~$");
    types(&["ehco\x1b[D\x1b[D\x1b[D\x7f\x1b[3~ec\x1b[Fo x\x01#\r"], "~$ #eccoo x\n~$");
    types(&["echo a b\x17\x17c\x15echo \x19!\r"], "~$ echo echo c!\necho c!\n~$");
    types(
        &["echo 1\r", "\x1b[A2\r", "\x1b[A\x1b[A\x1b[B\x1b[A\r"],
        "~$ echo 1\n1\n~$ echo 12\n12\n~$ echo 1\n1\n~$",
    );
    types(
        &["echo one\r", "echo two\r", "\x12on", "\r"],
        "~$ echo one\none\n~$ echo two\ntwo\n~$ echo one\none\n~$",
    );
    types(&["abc\x03", "echo $?\r"], "~$ abc^C\n~$ echo $?\n130\n~$");
    types(&["\x04"], "~$ exit\n[closed]");
    types(&["cat\r", "x\r", "\x04"], "~$ cat\nx\nx\n~$");
    types(
        &["cat\rtyped ahead\r\x04echo z\r"],
        "~$ cat\ntyped ahead\ntyped ahead\n~$ echo z\nz\n~$",
    );
    types(&["sleep 100\r", "\x03", "echo $?\r"], "~$ sleep 100\n^C\n~$ echo $?\n130\n~$");
    types(&["if true\r", "then echo y; fi\r"], "~$ if true\n> then echo y; fi\ny\n~$");
    types(&["echo a\r", "echo !! b\r"], "~$ echo a\na\n~$ echo !! b\necho echo a b\necho a b\n~$");
    types(&["\x1b[200~echo a\necho b\n\x1b[201~", "\r"], "~$ echo a\necho b\n\na\nb\n~$");
}

#[test]
fn long_lines_wrap_and_characters_have_widths() {
    types(
        &["echo 1234567890123456789012345", "\x01\x1b[C\r"],
        "~$ echo 1234567890123456\n789012345\n1234567890123456789012345\n~$",
    );
    types(
        &["echo 123456789012345678", "\x7f\x7fx\r"],
        "~$ echo 1234567890123456\nx\n1234567890123456x\n~$",
    );
    types(&["echo é日x\x1b[D\x7f\r"], "~$ echo éx\néx\n~$");
}

#[test]
fn jobs_and_interrupts() {
    types(
        &["sleep 2 &\r", "jobs\r", "\r", "\r"],
        "~$ sleep 2 &\n[1] 3\n~$ jobs\n[1]+  Running                 sleep 2 &\n~$\n[1]+  Done                    sleep 2\n~$\n~$",
    );
    types(
        &["while true; do sleep 1; done\r", "\x03", "echo ok\r"],
        "~$ while true; do sleep\n1; done\n^C\n~$ echo ok\nok\n~$",
    );
    types(
        &["while :; do :; done\r", "\x03", "echo ok\r"],
        "~$ while :; do :; done\n^C\n~$ echo ok\nok\n~$",
    );
    types(&["sleep 50 &\r", "fg\r", "\x03"], "~$ sleep 50 &\n[1] 3\n~$ fg\nsleep 50\n^C\n~$");
    types(
        &["sleep 50 &\r", "kill %1\r", "\r"],
        "~$ sleep 50 &\n[1] 3\n~$ kill %1\n[1]+  Terminated              sleep 50\n~$\n~$",
    );
    types(
        &["read x\r", "\x03", "read y\r", "v\r", "echo $y\r"],
        "~$ read x\n^C\n~$ read y\nv\n~$ echo $y\nv\n~$",
    );
}

#[test]
fn tab_completes() {
    types(&["ech\t1\r"], "~$ echo 1\n1\n~$");
    types(&["ls /usr/lo\t\r"], "~$ ls /usr/local/\nbin\n~$");
    types(&["echo $HOM\t\r"], "~$ echo $HOME\n/home/learner\n~$");
    types(&["cat /etc/host\t\t"], "~$ cat /etc/host\nhostname  hosts\n~$ cat /etc/host");
    types(&["> 'a b'\r", "cat a\t\r"], "~$ > 'a b'\n~$ cat a\\ b\n~$");
}
