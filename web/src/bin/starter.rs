//! The worker's first program: a small engine without a cluster, which shows a prompt while the whole
//! one ([`engine.rs`](engine.rs)) is on its way.

mod glue;

use sandbar_web::worker::Settled;
use wasm_bindgen::prelude::*;

/// Real milliseconds for the first prompt to get to the screen before the processor has other work.
const PAINT_MS: f64 = 150.0;

/// After how many milliseconds to fetch the whole engine; negative for not yet.
#[wasm_bindgen]
pub fn settled() -> f64 {
    match glue::with_host(|host| host.settled()) {
        Some(Settled::Shown) => PAINT_MS,
        Some(Settled::Stuck) => 0.0,
        None => -1.0,
    }
}

/// Ends this session: what the whole engine needs to go on with it, as JSON.
#[wasm_bindgen]
pub fn hand_over() -> String {
    glue::with_host(|host| serde_json::to_string(&host.hand_over())).unwrap_or_default()
}

fn main() {
    glue::with_host(|host| host.be_starter());
    glue::start();
}
