//! Tests of the general programs: command lines and what they print.

use std::{cell::RefCell, rc::Rc, time::Duration};

use crate::{
    machine::{Command, Fd},
    session::host,
    shell::terminal::Terminal,
    sim::{Sim, Time},
};

/// Runs a script in an empty folder; what it prints, errors too.
fn run(script: &str) -> String {
    let sim = Sim::new(1, Time::from_secs(1_800_000_000));
    let machine = host::build(&sim);
    let (out, buffer) = Fd::capture();
    let mut command = Command::new(["bash", "-c", script]).stdout(out.clone()).stderr(out);
    (command.cwd, command.env) = (Some("/home/learner".into()), Some(host::login().env));
    command.who = Some(host::LEARNER);
    machine.spawn(command).unwrap();
    assert!(sim.advance(sim.now() + Duration::from_secs(1_000), 3_000_000).reached, "{script}");
    String::from_utf8(buffer.take()).unwrap()
}

#[track_caller]
fn check(script: &str, want: &str) {
    assert_eq!(run(script), want, "{script}");
}

#[test]
fn files_are_made_copied_moved_and_removed() {
    check(
        "mkdir -p a/b; echo x > a/f; cp -r a c; ls -R c; mv c d; rm -r a; ls",
        "c:\nb\nf\n\nc/b:\nd\n",
    );
    check(
        "mkdir a; mkdir a; rmdir a; rmdir a",
        "mkdir: cannot create directory 'a': File exists\nrmdir: failed to remove 'a': No such file or directory\n",
    );
    check(
        "cp a b; touch x; cp x; rm y; rm -f y; rm /etc/passwd",
        "cp: cannot stat 'a': No such file or directory\ncp: missing destination file operand after 'x'\nTry 'cp --help' for more information.\nrm: cannot remove 'y': No such file or directory\nrm: cannot remove '/etc/passwd': Permission denied\n",
    );
    check(
        "mkdir d; rm d; cp d e",
        "rm: cannot remove 'd': Is a directory\ncp: -r not specified; omitting directory 'd'\n",
    );
    check(
        "echo a > f; ln -s f l; cat l; readlink l; ls -l l | cut -c1; rm l; cat f",
        "a\nf\nl\na\n",
    );
    check(
        "touch f; chmod 640 f; ls -l f; chmod u+x,o=r f; stat -c '%a %A' f",
        "-rw-r----- 1 learner learner 0 Jan 15 08:00 f\n744 -rwxr--r--\n",
    );
    check("echo '#!/bin/sh\necho run $1' > s; chmod +x s; ./s it; ls -F", "run it\ns*\n");
    check(
        "ls nofile; ls -d /usr/b*; ls -a",
        "ls: cannot access 'nofile': No such file or directory\n/usr/bin\n.\n..\n.bashrc\n",
    );
    check(
        "touch b a; ls -1r; ls -z",
        "b\na\nls: invalid option -- 'z'\nTry 'ls --help' for more information.\n",
    );
    check(
        "sudo touch /root/x; sudo ls /root; ls /root; sudo whoami; whoami; id -u",
        "x\nls: cannot open directory '/root': Permission denied\nroot\nlearner\n1000\n",
    );
    check(
        "mkdir t; cd t; touch a.txt b.md; mkdir c; touch c/d.txt; find . -name '*.txt'; find . -type d; find . -name b.md -delete; find . -maxdepth 1 | sort; find . -name '*.txt' -exec echo got {} \\;",
        "./a.txt\n./c/d.txt\n.\n./c\n.\n./a.txt\n./c\ngot ./a.txt\ngot ./c/d.txt\n",
    );
}

#[test]
fn text_is_cut_sorted_and_counted() {
    check(
        "seq 5 | head -2; seq 5 | tail -n 2; seq 5 | head -n -3; seq 5 | tail -n +4",
        "1\n2\n4\n5\n1\n2\n4\n5\n",
    );
    check(
        "printf 'a b c\\n' | wc; seq 3 | wc -l; printf 'x' > f; wc -c f",
        "      1       3       6\n3\n1 f\n",
    );
    check(
        "printf '10\\n9\\n1\\n' | sort; printf '10\\n9\\n1\\n' | sort -rn; printf 'b 1\\na 2\\n' | sort -k2; printf 'a\\nb\\na\\n' | sort | uniq -c",
        "1\n10\n9\n10\n9\n1\nb 1\na 2\n      2 a\n      1 b\n",
    );
    check(
        "echo a:b:c | cut -d: -f1,3; echo abcdef | cut -c2-4; echo 'a b' | cut -d' ' -f2",
        "a:c\nbcd\nb\n",
    );
    check(
        "echo hello | tr a-y b-z; echo 'a  b' | tr -s ' '; echo abc | tr -d b; echo x | tr '[:lower:]' '[:upper:]'",
        "ifmmp\na b\nac\nX\n",
    );
    check(
        "echo a b | tee f; cat f; echo 1 2 3 | xargs -n 1 echo n; echo x | xargs -I{} echo '<{}>'",
        "a b\na b\nn 1\nn 2\nn 3\n<x>\n",
    );
    check(
        "echo hi | base64; echo aGkK | base64 -d; echo -n abc | md5sum; printf abc | sha256sum | cut -c1-8",
        "aGkK\nhi\n900150983cd24fb0d6963f7d28e17f72  -\nba7816bf\n",
    );
    check(
        "seq 1 2 7; seq -s, 3; seq 3 1; seq 0 0.5 1; yes | head -2; basename /a/b.c .c; dirname /a/b; expr 3 \\* 4",
        "1\n3\n5\n7\n1,2,3\n0.0\n0.5\n1.0\ny\ny\nb\n/a\n12\n",
    );
    check(
        "date; date +%F; date -d @0 +%Y; sleep 61; date +%T",
        "Fri Jan 15 08:00:00 UTC 2027\n2027-01-15\n1970\n08:01:01\n",
    );
    check(
        "timeout 2 sleep 10; echo $?; env -i A=1 env; A=2 printenv A; which ls nosuch; echo $?",
        "124\nA=1\n2\n/usr/bin/ls\n1\n",
    );
    check(
        "(for i in 1 2 3; do echo $i; sleep 1; done > f) & sleep 0.5; timeout 5 tail -f f",
        "1\n2\n3\n",
    );
}

#[test]
fn grep_finds_lines() {
    let text = "printf 'one\\ntwo\\nThree\\nfour\\nfive\\n'";
    for (command, want) in [
        ("grep o", "one\ntwo\nfour\n"),
        ("grep -n t", "2:two\n"),
        ("grep -i t", "two\nThree\n"),
        ("grep -v o", "Three\nfive\n"),
        ("grep -c o", "3\n"),
        ("grep -E 'one|five'", "one\nfive\n"),
        ("grep 'one\\|five'", "one\nfive\n"),
        ("grep -o 'f.'", "fo\nfi\n"),
        ("grep -A1 two", "two\nThree\n"),
        ("grep -B1 -n Three", "2-two\n3:Three\n"),
        ("grep -C1 -e one -e five", "one\ntwo\n--\nfour\nfive\n"),
        ("grep -w on; echo $?", "1\n"),
        ("grep -x one", "one\n"),
        ("grep -q one && echo yes", "yes\n"),
        ("grep -F .; echo $?", "1\n"),
        ("grep '^f.*e$'", "five\n"),
        ("grep -m1 o", "one\n"),
        ("grep '['; echo $?", "grep: Unmatched [, [^, [:, [., or [=\n2\n"),
    ] {
        check(&format!("{text} | {command}"), want);
    }
    check(
        "mkdir d; cd d; echo a > f; echo b > g; grep a f g; grep -l a *; grep -r a .; grep a nofile",
        "f:a\nf\n./f:a\ngrep: nofile: No such file or directory\n",
    );
}

#[test]
fn sed_edits_lines() {
    for (command, want) in [
        ("sed s/a/b/", "bbc\nxb\ny\n"),
        ("sed -n 2p", "xa\n"),
        ("sed 2d", "abc\ny\n"),
        ("sed '1,2s/a/&&/g'", "aabc\nxaa\ny\n"),
        ("sed -n '/x/,$p'", "xa\ny\n"),
        ("sed -E 's/(a)(.)?/<\\1>/'", "<a>c\nx<a>\ny\n"),
        ("sed 's/\\(b\\)c/\\1\\1/;$d'", "abb\nxa\n"),
        ("sed -e 1i\\\\top -e '$a end'", "top\nabc\nxa\ny\nend\n"),
        ("sed '/x/c changed'", "abc\nchanged\ny\n"),
        ("sed -n '$='", "3\n"),
        ("sed 'N;s/\\n/+/'", "abc+xa\ny\n"),
        ("sed '/x/!d'", "xa\n"),
        ("sed 2q", "abc\nxa\n"),
        ("sed 's,a,/,'", "/bc\nx/\ny\n"),
        ("sed 's/A/z/I;y/xy/XY/'", "zbc\nXz\nY\n"),
        ("sed -n '1!G;h;$p'", "y\nxa\nabc\n"),
        ("sed ':a;s/^.\\{1,4\\}$/.&/;ta'", "..abc\n...xa\n....y\n"),
        ("sed 's/.*/\\U&/'", "ABC\nXA\nY\n"),
        ("sed 's/a'", "sed: -e expression #1, char 3: unterminated `s' command\n"),
        ("sed k", "sed: -e expression #1, char 1: unknown command: `k'\n"),
    ] {
        check(&format!("printf 'abc\\nxa\\ny\\n' | {command}"), want);
    }
    check(
        "echo one > f; sed -i s/one/two/ f; cat f; sed -i.bak s/two/3/ f; cat f f.bak; sed p nofile",
        "two\n3\ntwo\nsed: can't read nofile: No such file or directory\n",
    );
}

#[test]
fn diff_shows_changes() {
    check(
        "seq 5 > a; seq 5 | sed '2d;s/4/four/' > b; diff a b; echo $?; diff -u a b | tail -n +3; diff a a; diff -q a b; diff a nofile",
        "2d1\n< 2\n4c3\n< 4\n---\n> four\n1\n@@ -1,5 +1,4 @@\n 1\n-2\n 3\n-4\n+four\n 5\nFiles a and b differ\ndiff: nofile: No such file or directory\n",
    );
}

#[test]
fn awk_processes_fields() {
    let input = "printf 'web 1/1 Running 5\\ndb 0/1 Pending 10\\napi 1/1 Running 7\\n'";
    for (command, want) in [
        ("awk '{print $1}'", "web\ndb\napi\n"),
        ("awk '$3 == \"Running\" {n++} END {print n}'", "2\n"),
        ("awk 'NR>1 {print $1, $NF}'", "db 10\napi 7\n"),
        ("awk '{s += $4} END {printf \"%d %.1f\\n\", s, s/NR}'", "22 7.3\n"),
        ("awk -F/ '{print $1}' OFS=-", "web 1\ndb 0\napi 1\n"),
        ("awk '/Running/ && $4 > 5'", "api 1/1 Running 7\n"),
        ("awk 'BEGIN {x=\"a\"; print x \"b\" 1+2}'", "ab3\n"),
        ("awk '{a[$3]++} END {for (k in a) print k, a[k]}'", "Pending 1\nRunning 2\n"),
        ("awk -v n=2 'NR==n {print toupper($1), length($1), substr($3, 2, 3)}'", "DB 2 end\n"),
        ("awk '{gsub(/n/, \"N\"); $2=\"\"} NR==1'", "web  RuNNiNg 5\n"),
        ("awk '/db/,/api/ {print NR\":\"$1}'", "2:db\n3:api\n"),
        (
            "awk 'BEGIN {for (i=0; i<3; i++) {if (i==1) continue; print i}; while (i-- > 1); print i}'",
            "0\n2\n0\n",
        ),
        ("awk '{print $1 > \"out\"} END {close(\"out\"); system(\"cat out\")}'", "web\ndb\napi\n"),
        (
            "awk 'BEGIN{print split(\"a:b\",p,\":\"), p[2]; print 1e3, 0.1+0.2, 1/3; exit 3}'; echo $?",
            "2 b\n1000 0.3 0.333333\n3\n",
        ),
        ("awk '{print $1 | \"sort\"}'", "api\ndb\nweb\n"),
        ("awk '{print'", "awk: syntax error: unexpected end of program\n"),
    ] {
        check(&format!("{input} | {command}"), want);
    }
}

/// Types keys into a terminal, a second apart; everything the emulator got, and what a command
/// prints afterwards.
fn typed(keys: &[&str], then: &str) -> (String, String) {
    let sim = Sim::new(1, Time::from_secs(1_800_000_000));
    let machine = host::build(&sim);
    let screen = Rc::new(RefCell::new(String::new()));
    let into = screen.clone();
    let output = Rc::new(move |text: &str| into.borrow_mut().push_str(text));
    let state = Rc::new(|_| {});
    let terminal =
        Terminal::open(&machine, host::login(), "pts/0", (80, 24), output, state).unwrap();
    let run = |secs| assert!(sim.advance(sim.now() + Duration::from_secs(secs), 100_000).reached);
    for keys in keys {
        run(1);
        terminal.keys(keys);
    }
    run(1);
    let (out, buffer) = Fd::capture();
    let mut command = Command::new(["bash", "-c", then]).stdout(out.clone()).stderr(out);
    command.cwd = Some("/home/learner".into());
    machine.spawn(command).unwrap();
    run(1);
    let text = screen.borrow().clone();
    (text, String::from_utf8(buffer.take()).unwrap())
}

#[test]
fn vi_edits_files() {
    for (keys, want) in [
        (&["vi f\r", "ione\rtwo\x1b", ":wq\r"][..], "one\ntwo\n"),
        (&["seq 5 > f; vi f\r", "jddGp:wq\r"], "1\n3\n4\n5\n2\n"),
        (&["echo 'a b c' > f; vi f\r", "wcwX\x1b0x.:x\r"], "X c\n"),
        (&["seq 3 > f; vi f\r", "yyPoend\x1bu:w\r:q\r"], "1\n1\n2\n3\n"),
        (&["seq 5 > f; vi f\r", ":2,4s/$/!/\r:wq\r"], "1\n2!\n3!\n4!\n5\n"),
        (&["seq 12 > f; vi f\r", "/11\rDZZ"], "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n\n12\n"),
        (&["echo keep > f; vi f\r", "dd:q\r:q!\r"], "keep\n"),
        (&["echo 'image: nginx:1.25' > f; vi f\r", "f:wct:\"x\"\x1b:wq\r"], "image: \"x\":1.25\n"),
        (&["printf 'a\\nb\\nc\\nd\\n' > f; vi f\r", "jVjd:wq\r"], "a\nd\n"),
        (&["echo one two > f; vi f\r", "A!\x1bIx\x1b3>>:wq\r"], "  xone two!\n"),
        (&["seq 3 > f; vi f\r", "2ddGJ:%s/3/three/g\rZZ"], "three\n"),
    ] {
        let (screen, file) = typed(keys, "cat f");
        assert_eq!(file, want, "{keys:?}\n{screen}");
        assert!(screen.contains("\x1b[?1049l"), "{keys:?}: the screen was not put back");
    }
}

#[test]
fn nano_edits_files() {
    for (keys, want) in [
        (&["nano f\r", "hello\rworld\x18", "y\r"][..], "hello\nworld\n"),
        (&["seq 4 > f; nano f\r", "\x0b\x0b\x1b[B\x15\x0f\r\x18"], "3\n1\n2\n4\n"),
        (&["echo abc > f; nano f\r", "\x1b[3~\x05d\x18n"], "abc\n"),
        (
            &["seq 20 > f; nano f\r", "\x1715\r-\x13\x18"],
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n-15\n16\n17\n18\n19\n20\n",
        ),
    ] {
        let (screen, file) = typed(keys, "cat f");
        assert_eq!(file, want, "{keys:?}\n{screen}");
        assert!(screen.contains("^X\x1b[m Exit"));
    }
}

#[test]
fn full_screen_programs_show_and_end() {
    let (screen, _) = typed(&["watch -n 1 date +%T\r", "", "", "\x03", "echo after\r"], "true");
    let title = "Every 1.0s: date +%T                           sandbar: Fri Jan 15 08:00:01 2027";
    assert!(screen.contains(title), "{screen}");
    for time in ["08:00:01", "08:00:02", "08:00:03"] {
        assert!(screen.contains(&format!("\n\x1b[K\r\n{time}\x1b[K")), "{time}: {screen}");
    }
    assert!(screen.contains("\x1b[?1049l") && screen.contains("after\r\n"), "{screen}");
    let (screen, _) = typed(&["seq 100 | less\r", " /77\r", "Gq", "echo after\r"], "true");
    for text in ["\n23\x1b[K\r\n:", "\x1b[H24\x1b[K", "\x1b[7m77\x1b[m", "(END)", "after\r\n"] {
        assert!(screen.contains(text), "{text:?}: {screen}");
    }
    let (screen, _) = typed(&["top\r", "q", "man grep\r", "q"], "true");
    assert!(screen.contains("PID USER") && screen.contains("GREP(1)"), "{screen}");
}
