// The page by itself: it comes up complete, in both colour schemes and both sizes, from any path.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, nestedUrl, open, shot, Terminal, url } from "./lib.mjs";

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

for (const scheme of ["light", "dark"]) {
  for (const [width, height] of [[1280, 720], [820, 1180]]) {
    test(`comes up ${scheme} at ${width}×${height} without a complaint`, async () => {
      const page = await open(browser, { scheme, width, height });
      await page.locator("main").first().waitFor();
      await page.waitForTimeout(500);
      await shot(page, `start-${scheme}-${width}x${height}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `the page is ${wide} pixels wide`);
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    });
  }
}

// Resolves once the worker's next message of this kind is there.
const next = (page, kind) => page.evaluate((kind) => new Promise((done) =>
  sandbarBoot.current.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (kind in message) done(message[kind]);
  })), kind);

test("the engine answers", async () => {
  const page = await open(browser);
  await page.waitForFunction(() => sandbarBoot.current);
  const pong = next(page, "Pong");
  await page.evaluate(() => sandbarBoot.current.postMessage('{"Ping":7}'));
  assert.equal(await pong, 7);
  await page.context().close();
});

test("the first prompt does not wait for the whole engine, and what is typed is not lost", async () => {
  let release, asked = false;
  const held = new Promise((done) => { release = done; });
  const page = await open(browser, { before: (page) => page.route(/engine-.*\.wasm/, async (route) => {
    asked = true;
    await held;
    await route.continue();
  }) });
  const terminal = new Terminal(page);
  await terminal.sees(/[$#]$/);
  await terminal.type("echo a$((6*7))\nls /usr/local/bin; minikube version; echo done\n");
  await terminal.sees(/^a42\n[^]*^docker +helm|^a42\n[^]*^docker +kubectl/m);
  assert.ok(asked, "it is asked for by itself");
  const before = await terminal.screen();
  assert.doesNotMatch(before, /minikube version: v/);
  release();
  const after = await terminal.sees(/minikube version: v[^]*^done$/m);
  assert.ok(after.startsWith(before), `only what is new is written:\n${before}\n---\n${after}`);
  await terminal.type("echo b$((7*8))\n");
  await terminal.sees(/^b56$/m);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("works from a path of another host", { skip: !nestedUrl }, async () => {
  const page = await open(browser, { at: nestedUrl });
  await page.waitForFunction(() => sandbarBoot.current);
  assert.equal(await next(page, "Pong"), 0, "the page asks its worker every second");
  assert.deepEqual(page.complaints.filter((c) => !c.startsWith("request:")), []);
  await page.context().close();
});

for (const [what, end] of [
  ["traps", () => sandbarBoot.current.dispatchEvent(new ErrorEvent("error", { message: "unreachable" }))],
  ["hangs", () => sandbarBoot.current.terminate()],
]) {
  test(`a worker that ${what} is replaced and the learner is told`, async () => {
    const page = await open(browser);
    await page.waitForFunction(() => sandbarBoot.current);
    await next(page, "Pong");
    await page.evaluate(() => { window.before = sandbarBoot.current; });
    await page.evaluate(end);
    await page.waitForFunction(() => sandbarBoot.current !== before);
    await page.getByText("was started anew").first().waitFor();
    await next(page, "Pong");
    await page.context().close();
  });
}

test("everything it loads has a name that is relative or its own", async () => {
  const html = await (await fetch(url)).text();
  for (const [, name] of html.matchAll(/(?:src|href)="([^"]+)"/g))
    assert.doesNotMatch(name, /^(\/|https?:)/, `index.html names ${name}`);
});

test("works on with the network cut: the engine runs, the editor opens, a reload comes up", async () => {
  const page = await open(browser, { workers: "allow" });
  const terminal = new Terminal(page);
  await terminal.sees(/[$#]$/);
  await page.waitForFunction(() => navigator.serviceWorker.controller, null, { timeout: 60_000 });
  await page.context().setOffline(true);
  await terminal.run("edit notes.yaml", /[$#]$/);
  await page.locator(".cm-content").first().waitFor();
  await page.reload();
  await terminal.run("minikube start", /Done! kubectl is now configured[^]*[$#]$/, 60);
  await terminal.run("kubectl get nodes", /minikube +(Not)?Ready/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
