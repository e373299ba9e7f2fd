//! Prints the digest of the determinism journal; the same journal in WebAssembly must give the same.

fn main() {
    println!("{}", sandbar_tests::determinism::digest());
}
