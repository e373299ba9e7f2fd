// What the browser tests share: a Chromium, a page, and hands for its terminal.
// `cargo xtask test browser` sets SANDBAR_URL and SANDBAR_CHROMIUM.
import { chromium } from "playwright-core";
import fs from "node:fs";
import { test } from "node:test";

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

  // Clears the screen down to a prompt. What closes at this moment, an editor say, may take the keys.
  async clear(seconds) {
    for (let left = seconds; ; left -= 2) {
      await this.focus();
      await this.page.keyboard.press("Control+l");
      try {
        return await this.sees(/^\S+@\S+:\S+\$$/, Math.min(left, 2));
      } catch (e) {
        if (left <= 2) throw e;
      }
    }
  }

  // Runs a command to its end and returns what it printed, which must match.
  async does(command, pattern = /^/, seconds = 30) {
    await this.clear(seconds);
    await this.page.keyboard.type(`${command}\n`);
    const printed = after(await this.sees(/\n\S+@\S+:\S+\$$/, seconds), command);
    if (!pattern.test(printed)) throw new Error(`${command} does not show ${pattern} but:\n${printed}`);
    return printed;
  }

  // Repeats a command until what it prints matches.
  async until(command, pattern, seconds = 30) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const printed = await this.does(command);
      if (pattern.test(printed)) return printed;
      if (Date.now() > end) throw new Error(`${command} does not come to show ${pattern} but:\n${printed}`);
      await this.page.waitForTimeout(100);
    }
  }

  // Writes a file as a here-document.
  async file(name, text) {
    await this.does(`cat > ${name} <<'EOF'\n${text.trim()}\nEOF`);
  }
}

const solid = (text) => text.replaceAll(/\s/g, "");

// What a screen shows below the typed command and above the last prompt.
function after(screen, command) {
  const lines = screen.split("\n");
  lines.pop();
  const typed = solid(lines[0].replace(/\$ .*/, "$") + command);
  for (let i = 1, above = lines[0]; typed.startsWith(solid(above)); above += lines[i++]) {
    if (solid(above) === typed) return lines.slice(i).join("\n");
    if (i >= lines.length) break;
  }
  return lines.join("\n");
}

// The page's browser pane.
export class Pane {
  constructor(page) {
    this.page = page;
  }

  // Waits for the answer to what was asked last: its status line and what it says.
  async answer() {
    const line = this.page.locator(".status-line:not(.loading)");
    const text = await line.textContent();
    const frame = this.page.locator(".browser-inner .frame");
    if (!(await frame.count())) return { status: text, text: "" };
    const page = (await frame.getAttribute("srcdoc")) ?? (await frame.textContent());
    return { status: text, text: page };
  }

  async go(url) {
    const bar = this.page.getByRole("textbox", { name: "Address" });
    await bar.fill(url);
    await bar.press("Enter");
    await this.page.waitForTimeout(60);
    return this.answer();
  }

  async refresh() {
    await this.page.getByRole("button", { name: "Refresh" }).click();
    await this.page.waitForTimeout(30);
    return this.answer();
  }

  async keepRequesting() {
    await this.page.getByRole("button", { name: "Keep requesting" }).click();
  }

  // Ends repeated requests; how many were made, and how many failed.
  async stopRequesting() {
    await this.page.getByRole("button", { name: "Stop requesting" }).click();
    const words = await this.page.locator(".load canvas").getAttribute("aria-label");
    const [, all, failed] = /^(\d+) requests\..*failed: (\d+)$/.exec(words);
    return { all: Number(all), failed: Number(failed) };
  }
}

// Tests that are rows of the inventory, done one after the other in one cluster. What a row that fails leaves
// behind is taken away, so that those after it have their ground.
export const exercises = (hands) => (name, play) => test(name, async () => {
  const { terminal, page } = hands();
  try {
    await play();
  } catch (e) {
    await shot(page, `failed-${name.split(/[ ,]/)[0]}`).catch(() => {});
    await terminal.focus();
    await page.keyboard.press("Control+c");
    const kinds = "hpa,service,cronjob,job,deployment,rs,rc,pod";
    await terminal.does(`kubectl delete ${kinds} --all -n default --now`).catch(() => {});
    throw e;
  }
});

// Opens a file in the page's editor, puts `to` in the place of `from`, saves and closes.
export async function edit(terminal, name, from, to) {
  const page = terminal.page;
  await terminal.does(`edit ${name}`);
  const text = page.getByRole("textbox", { name: `Text of /home/learner/${name}` });
  await text.click();
  await page.keyboard.press("Control+f");
  await page.keyboard.type(from);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.keyboard.type(to);
  await page.keyboard.press("Control+s");
  await page.getByText("saved", { exact: true }).waitFor();
  await page.getByRole("region", { name: "Editor" }).getByRole("button", { name: "Close" }).click();
  await text.waitFor({ state: "detached" });
}
