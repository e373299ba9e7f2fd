//! Runs wasm-bindgen tests; cargo calls it as the runner of the wasm32 target. The library behind
//! wasm-bindgen's own tool, so that its version can't drift from the crate's.

fn main() -> anyhow::Result<()> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(std::env::args_os())
}
