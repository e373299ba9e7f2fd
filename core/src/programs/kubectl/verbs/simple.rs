//! A verb that only says what the sandbox does not have: `certificate`.

use crate::programs::kubectl::{Error, flags::Command};

/// Verbs that exist and whose subject is not simulated.
macro_rules! absent {
    ($($constant:ident $name:literal $short:literal $what:literal;)*) => {
        $(#[doc = concat!("`kubectl ", $name, "`")]
        pub static $constant: Command = Command {
            name: $name,
            usage: $name,
            short: $short,
            examples: concat!("# Not simulated\nkubectl ", $name),
            run: Some(|_, _| Box::pin(async {
                Err(Error::plain(concat!($what, " not simulated in this sandbox")))
            })),
            ..Command::EMPTY
        };)*
    };
}

absent! {
    CERTIFICATE "certificate" "Approve or deny requests for certificates" "certificate requests are";
}
