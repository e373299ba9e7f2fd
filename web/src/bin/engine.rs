//! The worker's program: the whole engine.

mod glue;

use sandbar_web::worker::Handover;
use wasm_bindgen::prelude::*;

/// Goes on where a starter left (JSON, as it gave it); answers as `wake` does.
#[wasm_bindgen]
pub fn take_over(text: &str) -> f64 {
    match serde_json::from_str::<Handover>(text) {
        Ok(left) => glue::with_host(|host| glue::delay(host.take_over(left))),
        Err(_) => -1.0, // the starter is of the same build
    }
}

fn main() {
    glue::start();
}
