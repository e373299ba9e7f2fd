// One terminal emulator: xterm.js in an element, its add-ons, its links and its clipboard habits.
// The page (Rust) decides what keys and links mean; see `web/src/app/terminals/xterm.rs`.

import { Terminal, type ILink, type ITheme } from "@xterm/xterm";
import { FitAddon } from "@xterm/addon-fit";
import type { SearchAddon } from "@xterm/addon-search";

export interface TerminalEvents {
  /** Keys or pasted text, as a terminal encodes them. */
  data(text: string): void;
  /** The size in cells changed. */
  size(cols: number, rows: number): void;
  /** A URL was clicked. */
  url(address: string): void;
  /** What a word names in the cluster (`pods/default/web-1`), or "". */
  lookup(word: string): string;
  /** A word that `lookup` knew was clicked. */
  object(reference: string): void;
  /** The terminal has the keyboard. */
  focus(): void;
}

const MARK = { matchBackground: "#d9a400", matchOverviewRuler: "#d9a400", activeMatchBackground: "#ff8c1a",
  activeMatchColorOverviewRuler: "#ff8c1a" };

/** The emulator's colours are the page's: every one is a custom property of the root element. */
function theme(): ITheme {
  const css = getComputedStyle(document.documentElement);
  const get = (name: string) => css.getPropertyValue(`--term-${name}`).trim() || undefined;
  const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
  const out: Record<string, string | undefined> = {
    background: get("bg"), foreground: get("fg"), cursor: get("cursor"), cursorAccent: get("bg"),
    selectionBackground: get("selection"), selectionInactiveBackground: get("selection"),
  };
  for (const name of names) {
    out[name] = get(name);
    out["bright" + name[0].toUpperCase() + name.slice(1)] = get("bright-" + name) ?? get(name);
  }
  return out as ITheme;
}

const fontSize = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--term-size")) || 13;

export class PageTerminal {
  private term: Terminal;
  private fitter = new FitAddon();
  private finder?: SearchAddon;
  private watcher: ResizeObserver;

  constructor(private host: HTMLElement, label: string, private events: TerminalEvents) {
    const term = (this.term = new Terminal({
      allowProposedApi: true, cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      fontFamily: '"Plex Mono", ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace',
      fontSize: fontSize(), lineHeight: 1.2, scrollback: 5000, screenReaderMode: true, theme: theme(),
      macOptionIsMeta: true, minimumContrastRatio: 4.5, rightClickSelectsWord: true,
    }));
    term.loadAddon(this.fitter);
    term.open(host);
    this.label(label);
    term.onData((text) => events.data(text));
    term.onBinary((text) => events.data(text));
    term.onResize(({ cols, rows }) => events.size(cols, rows));
    term.textarea?.addEventListener("focus", () => events.focus());
    term.attachCustomKeyEventHandler((e) => this.key(e));
    host.addEventListener("mouseup", () => this.copy());
    this.watcher = new ResizeObserver(() => this.fit());
    this.watcher.observe(host);
    this.fit();
    // Cells are measured with the font that is there; measure again once ours is.
    document.fonts?.load('13px "Plex Mono"').then(() => {
      term.options.fontFamily += " ";
      this.fit();
    });
    term.registerLinkProvider({ provideLinks: (line, give) => give(this.names(line)) });
    void this.extras();
  }

  private async extras() {
    const { WebLinksAddon, SearchAddon, Unicode11Addon } = await import("./terminal-extras");
    this.term.loadAddon(new Unicode11Addon());
    this.term.unicode.activeVersion = "11";
    this.term.loadAddon(new WebLinksAddon((_e: MouseEvent, address: string) => this.events.url(address)));
    this.finder = new SearchAddon();
    this.term.loadAddon(this.finder);
  }

  /** Ctrl-Shift-C and -V copy and paste, Ctrl-V pastes; all else goes to the machine. */
  private key(e: KeyboardEvent): boolean {
    if (e.type !== "keydown" || !e.ctrlKey || e.altKey || e.metaKey) return true;
    const key = e.key.toLowerCase();
    if (e.shiftKey && key === "c") {
      e.preventDefault();
      this.copy();
      return false;
    }
    return key !== "v"; // the browser pastes by itself, and xterm brackets what is pasted
  }

  private copy() {
    const text = this.term.getSelection();
    if (text) navigator.clipboard?.writeText(text).catch(() => document.execCommand("copy"));
  }

  /** Words of a line that name something in the cluster. */
  private names(line: number): ILink[] | undefined {
    const text = this.term.buffer.active.getLine(line - 1)?.translateToString(true) ?? "";
    const links: ILink[] = [];
    for (const match of text.matchAll(/[a-z0-9][a-z0-9./-]*[a-z0-9]/g)) {
      const reference = this.events.lookup(match[0]);
      if (!reference) continue;
      const x = match.index! + 1;
      links.push({
        text: match[0], range: { start: { x, y: line }, end: { x: x + match[0].length - 1, y: line } },
        activate: () => this.events.object(reference), decorations: { underline: true, pointerCursor: true },
      });
    }
    return links.length ? links : undefined;
  }

  write(text: string) { this.term.write(text); }
  focus() { this.term.focus(); }
  paste(text: string) { this.term.paste(text); }
  clear() { this.term.clear(); }
  reset() { this.term.reset(); }
  cols() { return this.term.cols; }
  rows() { return this.term.rows; }
  label(text: string) { this.term.textarea?.setAttribute("aria-label", text); }

  fit() {
    if (this.host.clientWidth < 40 || this.host.clientHeight < 20) return;
    this.fitter.fit();
  }

  /** Colours or the size of type changed. */
  restyle() {
    this.term.options.theme = theme();
    this.term.options.fontSize = fontSize();
    this.fit();
  }

  find(query: string, back: boolean): boolean {
    if (!this.finder) return false;
    if (!query) { this.finder.clearDecorations(); return false; }
    const options = { decorations: MARK };
    return back ? this.finder.findPrevious(query, options) : this.finder.findNext(query, options);
  }

  /** What is on the screen, for tests and for reading aloud. */
  text(): string {
    const buffer = this.term.buffer.active;
    const lines: string[] = [];
    for (let y = 0; y < buffer.length; y++) lines.push(buffer.getLine(y)?.translateToString(true) ?? "");
    return lines.join("\n").trimEnd();
  }

  dispose() {
    this.watcher.disconnect();
    this.term.dispose();
  }
}

export function openTerminal(host: HTMLElement, label: string, data: TerminalEvents["data"], size: TerminalEvents["size"],
  url: TerminalEvents["url"], lookup: TerminalEvents["lookup"], object: TerminalEvents["object"], focus: TerminalEvents["focus"]) {
  const terminal = new PageTerminal(host, label, { data, size, url, lookup, object, focus });
  (host as any).terminal = terminal;
  return terminal;
}
