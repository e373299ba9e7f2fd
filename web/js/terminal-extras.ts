// What a terminal can do without until its first prompt is up.

export { WebLinksAddon } from "@xterm/addon-web-links";
export { SearchAddon } from "@xterm/addon-search";
export { Unicode11Addon } from "@xterm/addon-unicode11";
