// The page's entry for the bundler: styles, what Rust needs from npm packages, then the program,
// which index.html began to fetch before anything else.
import "./page.css";
import "./page.ts";
import init from "gen/app/app.js";

init({ module_or_path: sandbarBoot.app });
