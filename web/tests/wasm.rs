//! What is specific to WebAssembly: the engine in a real worker, and the same run as natively.
#![cfg(target_arch = "wasm32")]

#[path = "../../tests/src/determinism.rs"]
mod determinism;

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// `cargo xtask test wasm` plays the journal natively first and passes its digest to the compiler.
#[wasm_bindgen_test]
fn the_same_run_as_natively() {
    let native = option_env!("SANDBAR_NATIVE_DIGEST").unwrap_or("run this with cargo xtask test");
    let lines = |text: &str| text.split(';').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&determinism::digest()), lines(native));
}

/// Numbers beyond 2^53 survive the way through JSON texts between page and worker.
#[wasm_bindgen_test]
fn messages_keep_large_numbers() {
    use sandbar_web::protocol::ToEngine;
    for n in [u64::MAX, (1 << 53) + 1] {
        let text = serde_json::to_string(&ToEngine::Ping(n)).expect("serialises");
        let text = String::from(js_sys::JsString::from(text));
        assert_eq!(serde_json::from_str::<ToEngine>(&text).expect("parses"), ToEngine::Ping(n));
    }
}
