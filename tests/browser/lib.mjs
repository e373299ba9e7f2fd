// What the browser tests share: a Chromium, a page, and hands for its terminal.
// `cargo xtask test browser` sets SANDBAR_URL and SANDBAR_CHROMIUM.
import { chromium } from "playwright-core";
import fs from "node:fs";

export const url = process.env.SANDBAR_URL ?? "http://127.0.0.1:8080/";
export const nestedUrl = process.env.SANDBAR_NESTED_URL;
const shots = "target/screenshots";
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launch = () =>
  chromium.launch({ executablePath: process.env.SANDBAR_CHROMIUM ?? "/usr/bin/chromium", args });

// Opens the page in a fresh profile. `page.complaints` gathers what must not happen: errors, and
// requests to anywhere but the page's own host. `before` is called before the page is loaded.
export async function open(browser, { scheme = "light", width = 1280, height = 720, at = url, before, workers = "block" } = {}) {
  const context = await browser.newContext({
    colorScheme: scheme, viewport: { width, height }, serviceWorkers: workers,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (e) => page.complaints.push(`error: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error") page.complaints.push(`console: ${m.text()} ${m.location().url}`);
  });
  page.on("request", (r) => {
    if (/^https?:/.test(r.url()) && !r.url().startsWith(new URL(url).origin))
      page.complaints.push(`request: ${r.url()}`);
  });
  page.setDefaultTimeout(20_000);
  await before?.(page);
  await page.goto(at);
  return page;
}

export async function shot(page, name) {
  fs.mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: `${shots}/${name}.png` });
}

// A terminal of the page: what is typed goes through the keyboard, what is read is what is shown.
export class Terminal {
  constructor(page, index = 0) {
    this.page = page;
    this.index = index;
  }

  get element() {
    return this.page.locator(".xterm").nth(this.index);
  }

  // The visible screen, right-hand blanks removed.
  async screen() {
    const rows = this.element.locator(".xterm-rows > div");
    const lines = await rows.evaluateAll((all) => all.map((row) => row.textContent));
    return lines.map((l) => l.replaceAll("\u00a0", " ").trimEnd()).join("\n").trimEnd();
  }

  // Waits until the screen matches.
  async sees(pattern, seconds = 20) {
    const end = Date.now() + seconds * 1000;
    let screen = "";
    while (Date.now() < end) {
      screen = await this.screen();
      if (pattern.test(screen)) return screen;
      await this.page.waitForTimeout(40);
    }
    throw new Error(`the terminal does not show ${pattern} within ${seconds} s but:\n${screen}`);
  }

  async focus() {
    await this.element.locator("textarea").focus();
  }

  async type(text) {
    await this.focus();
    await this.page.keyboard.type(text);
  }

  // Clears the screen, types a command and waits for what it must show.
  async run(command, pattern, seconds) {
    await this.focus();
    await this.page.keyboard.press("Control+l");
    await this.page.keyboard.type(`${command}\n`);
    return this.sees(pattern, seconds);
  }
}
