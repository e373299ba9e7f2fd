// What the page needs from JavaScript packages, handed to the Rust side as `globalThis.sandbar`:
// terminals (xterm.js) at once, the editor (CodeMirror) when a file is first opened.
// No state of the sandbox lives here.

import { openTerminal } from "./terminal";
import type { EditorEvents } from "./editor";

const openEditor = async (host: HTMLElement, path: string, text: string, dirty: EditorEvents["dirty"], save: EditorEvents["save"]) =>
  (await import("./editor")).openEditor(host, path, text, { dirty, save });

Object.assign(globalThis, { sandbar: { openTerminal, openEditor } });

if ("serviceWorker" in navigator && window.isSecureContext && !location.search.includes("nosw")) {
  // After loading, so that caching never competes with the first prompt.
  addEventListener("load", () => {
    setTimeout(() => navigator.serviceWorker.register("./sw.js").catch(() => {}), 1500);
  });
} else {
  // No cache to rely on (plain http from another machine): what is loaded later is fetched while
  // the network is there, so that the page goes on working when it is cut.
  addEventListener("load", () => setTimeout(() => {
    for (const later of [import("./editor"), import("./terminal-extras")]) later.catch(() => {});
  }, 5000));
}
