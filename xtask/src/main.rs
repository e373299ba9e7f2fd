//! `cargo xtask`: sets up what is missing, builds, serves, tests and measures.
//!
//! Every step says what it does, is left out when its inputs did not change, and fails with one
//! sentence that names the remedy. What a step needs it fetches through cargo, npm or apt; nothing
//! has to be installed by hand but Rust, Node and Python.

mod bench;
mod bundle;
mod serve;
mod setup;
mod shell;
mod targets;
mod test;
mod toolchain;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  serve [--dev] [--port N]   build the page and serve it on http://127.0.0.1:8080
                             (--dev: quick build, no optimisation)
  build [--dev]              leave a static site in dist/
  test [NAME...]             run all tests, or those named: fmt native kubectl clippy wasm browser
  bench [--native] [NAME...] measure all, or: bundle startup replicas idle frames api schedule
                             requests (--native: only what needs no page)
";

/// What went wrong, in one sentence, with the remedy.
type Res<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Res {
    match args {
        ["serve", rest @ ..] => {
            let mut options = Options::parse(rest)?;
            let port: u16 = match options.take_value("--port") {
                Some(port) => port.parse().map_err(|_| format!("{port:?} is no port number"))?,
                None => 8080,
            };
            let profile = profile(&mut options);
            options.finish()?;
            serve::serve(profile, port)
        }
        ["build", rest @ ..] => {
            let mut options = Options::parse(rest)?;
            let profile = profile(&mut options);
            options.finish()?;
            bundle::dist(profile)
        }
        ["bench", names @ ..] => bench::bench(names),
        ["test", names @ ..] => test::test(names),
        [] | ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            Ok(())
        }
        [other, ..] => Err(format!("there is no command {other:?}; cargo xtask help lists them")),
    }
}

fn profile(options: &mut Options) -> bundle::Profile {
    if options.take_flag("--dev") { bundle::Profile::Dev } else { bundle::Profile::Release }
}

/// Flags of a command; what is not taken is refused.
struct Options(Vec<String>);

impl Options {
    fn parse(args: &[&str]) -> Res<Self> {
        let split = |a: &&str| match a.split_once('=') {
            Some((flag, value)) if a.starts_with("--") => vec![flag.to_owned(), value.to_owned()],
            _ => vec![(*a).to_owned()],
        };
        Ok(Options(args.iter().flat_map(split).collect()))
    }

    fn take_flag(&mut self, flag: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|a| a != flag);
        self.0.len() < before
    }

    fn take_value(&mut self, flag: &str) -> Option<String> {
        let at = self.0.iter().position(|a| a == flag)?;
        self.0.remove(at);
        (at < self.0.len()).then(|| self.0.remove(at))
    }

    fn finish(self) -> Res {
        match self.0.first() {
            Some(a) => Err(format!("{a:?} is not understood here; cargo xtask help lists all")),
            None => Ok(()),
        }
    }
}
