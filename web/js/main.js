// The page's entry for the bundler: styles, what Rust needs from npm packages, then the program,
// which index.html began to fetch before anything else.
import "../../static/style.css";
import "@xterm/xterm/css/xterm.css";
import "./page.ts";
import init from "gen/app/app.js";

init({ module_or_path: sandbarBoot.app });
