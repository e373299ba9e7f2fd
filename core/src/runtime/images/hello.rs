//! `hello-world`: prints what happened and ends.

use super::super::{ImageDef, LayerDef};
use crate::{
    machine::{Proc, Program},
    sim::Time,
};

/// `/hello`
pub const PROGRAM: Program = Program {
    name: "hello",
    summary: "says hello from a container",
    run: |proc| Box::pin(main(proc)),
    complete: None,
};

async fn main(proc: Proc) -> i32 {
    proc.print(
        "\nHello from Docker!\nThis message shows that your installation works.\n\n\
         What it took to print it:\n \
         1. The Docker client asked the Docker daemon for a container.\n \
         2. The daemon pulled the image \"hello-world\" from the registry.\n \
         3. It made a container of that image, whose program wrote these lines.\n \
         4. It passed them on to the client, which shows them in your terminal.\n\n\
         To go further, run an Ubuntu container:\n $ docker run -it ubuntu bash\n\n",
    )
    .await;
    0
}

/// `hello-world`
pub static IMAGE: ImageDef = ImageDef {
    repository: "hello-world",
    tags: &["latest", "linux"],
    layers: &[LayerDef {
        id: "hello-world",
        arg: "",
        size: 10_072,
        created_by: "COPY hello / # buildkit",
        build: |cx| cx.program("/hello", "hello"),
    }],
    cmd: &["/hello"],
    created: Time::from_secs(1_754_600_000),
    ..ImageDef::EMPTY
};
