//! The page's program.

fn main() {
    sandbar_web::app::run();
}
