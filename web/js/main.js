// The page's entry for the bundler: styles, then the program.
import "@xterm/xterm/css/xterm.css";
import "../../static/style.css";
import init from "gen/app/app.js";

init({ module_or_path: sandbar.app });
