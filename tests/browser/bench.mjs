// The browser half of `cargo xtask bench`: node bench.mjs startup|replicas|idle|frames|requests
// Prints one JSON object a line. All is measured in the real page; its worker is spoken to directly
// where a person would need too many hands.
import fs from "node:fs";
import { execSync } from "node:child_process";
import { launch, open, url } from "./lib.mjs";

const image = "trimhall/my-example:latest";
const probed = fs.readFileSync(new URL("./probed.yaml", import.meta.url), "utf8");
const print = (name, value, unit) => console.log(JSON.stringify({ name, value, unit }));
const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
const FAST = 10_000_000;

// Hands on the engine of an open page: a terminal of its own, and eyes on the picture.
async function drive(page) {
  await page.waitForFunction(() => sandbarBoot.current);
  await page.evaluate(() => {
    const rows = new Map();
    const hands = (window.hands = {
      rows, load: [0, 0], now: 0, printed: "", running: null,
      send: (message) => sandbarBoot.current.postMessage(JSON.stringify(message)),
      input: (input) => hands.send({ Input: input }),
      keys: (data) => hands.input({ TerminalKeys: { id: 4000000, data } }),
      kinds: (kind) => [...rows.values()].filter((r) => r[kind]).map((r) => r[kind]),
      ready: (name) => hands.kinds("Workload")
        .find((w) => w.kind === "Deployment" && w.name === name)?.ready ?? 0,
      nodes: () => hands.kinds("Node").filter((n) => n.status === "Ready").length,
      url: (name) => hands.kinds("Service").find((s) => s.name === name)?.urls[0],
    });
    const change = (c) => {
      if (c === "Clear") rows.clear();
      else if (c.Upsert) rows.set(Object.values(c.Upsert)[0].uid, c.Upsert);
      else if (c.Remove) rows.delete(c.Remove.uid);
    };
    const take = (o) => {
      if (o.View) o.View.forEach(change);
      else if (o.Terminal?.id === 4000000) hands.printed += o.Terminal.data;
      else if (o.TerminalState?.id === 4000000) hands.running = o.TerminalState.running;
      else if (o.Load) hands.load = [o.Load.answered.reduce((n, [, m]) => n + m, 0), o.Load.failed];
    };
    sandbarBoot.current.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.Clock) hands.now = message.Clock.now_ms;
      if (message.Outputs) message.Outputs.forEach(take);
    });
    hands.input({ TerminalOpen: { id: 4000000, place: "", cols: 120, rows: 40 } });
    // Rows that were shown before come again with the next change only, so begin anew.
  });
}

const holds = (page, condition, argument, seconds = 120) =>
  page.waitForFunction(condition, argument, { polling: 20, timeout: seconds * 1000 })
    .catch(async (e) => {
      const printed = await page.evaluate(() => hands.printed.slice(-2000));
      throw new Error(`${e.message.split("\n")[0]}: ${condition}\nprinted: ${printed}`);
    });

const speed = (page, factor) => page.evaluate((f) => hands.send({ Speed: { factor: f } }), factor);
const type = (page, text) => page.evaluate((t) => hands.keys(t), `${text}\r`);

async function cluster(browser, nodes) {
  const page = await open(browser);
  await drive(page);
  await speed(page, FAST);
  await type(page, `minikube start --nodes=${nodes}`);
  await holds(page, (n) => hands.nodes() === n, nodes);
  return page;
}

async function startup(browser) {
  const times = [], echoes = [];
  let bytes = 0;
  for (let i = 0; i < 5; i++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, serviceWorkers: "block" });
    const page = await context.newPage();
    await page.addInitScript(() => {
      const shown = () => document.querySelector(".xterm-rows")?.textContent.trimEnd() ?? "";
      const look = () => {
        if (/[$#]$/.test(shown())) window.promptAt = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.goto(url);
    times.push(await (await page.waitForFunction(() => window.promptAt, null, { timeout: 20_000 })).jsonValue());
    const before = Date.now();
    await page.locator(".xterm textarea").first().focus();
    await page.keyboard.type("x");
    await page.waitForFunction(() => /[$#] x$/.test(document.querySelector(".xterm-rows").textContent.trimEnd()));
    echoes.push(Date.now() - before);
    // All that was asked for before the prompt was there, headers included.
    bytes = await page.evaluate(() => performance.getEntries()
      .filter((e) => e.transferSize && e.startTime <= window.promptAt)
      .reduce((sum, e) => sum + e.transferSize, 0));
    await context.close();
  }
  print("startup/prompt", median(times), "ms");
  print("startup/echo", median(echoes), "ms");
  print("startup/transfer", bytes, "bytes");
}

async function replicas(browser) {
  for (const n of [10, 100, 1000]) {
    const page = await cluster(browser, 10);
    const [start, before] = [Date.now(), computed()];
    await type(page, `kubectl create deployment web --image=${image} --replicas=${n}`);
    await holds(page, (n) => hands.ready("web") === n, n, 600);
    print(`replicas/browser/${n}/wall`, (Date.now() - start) / 1000, "s");
    print(`replicas/browser/${n}/computing`, computed() - before, "s");
    const memory = await page.evaluate(async () =>
      (await performance.measureUserAgentSpecificMemory?.().catch(() => null))?.bytes ?? null);
    if (memory) print(`replicas/browser/${n}/memory`, memory, "bytes");
    else print(`replicas/browser/${n}/memory`, rendererMemory(), "bytes");
    await page.context().close();
  }
}

// Whether this process, or what it started, started that one.
function ours(pid) {
  while (pid > 1 && pid !== process.pid) {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
    pid = Number(stat[1]);
  }
  return pid === process.pid;
}

// Our Chromium's processes that show pages: [pid, CPU ticks, peak bytes].
function renderers() {
  const found = [];
  for (const pid of fs.readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
    try {
      if (!fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) continue;
      if (!ours(Number(pid))) continue;
      const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
      const peak = /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
      found.push({ pid, ticks: Number(stat[11]) + Number(stat[12]), peak: Number(peak[1]) * 1024 });
    } catch {
      // It ended while it was looked at.
    }
  }
  return found;
}

// CPU seconds of all workers: what the engine computed, however busy the machine is.
function computed() {
  let ticks = 0;
  for (const { pid } of renderers()) {
    try {
      for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
        const stat = fs.readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8");
        if (!/\(DedicatedWorker/.test(stat)) continue;
        const fields = stat.replace(/^.*\) /, "").split(" ");
        ticks += Number(fields[11]) + Number(fields[12]);
      }
    } catch {
      // It ended while it was looked at.
    }
  }
  return ticks / Number(execSync("getconf CLK_TCK"));
}

const rendererMemory = () => Math.max(...renderers().map((r) => r.peak));
const rendererTicks = () => renderers().reduce((n, r) => n + r.ticks, 0);

async function idle(browser) {
  const page = await cluster(browser, 10);
  await page.evaluate((text) => hands.input({ FileSave: { path: "/home/learner/probed.yaml", text } }), probed);
  await type(page, "kubectl apply -f /home/learner/probed.yaml");
  await holds(page, () => hands.ready("probed") === 100);
  const from = await page.evaluate(() => hands.now);
  const [start, before] = [Date.now(), computed()];
  await page.waitForTimeout(3000);
  await speed(page, 1);
  const wall = (Date.now() - start) / 1000;
  const computing = computed() - before;
  await page.waitForTimeout(500);
  const passed = (await page.evaluate(() => hands.now)) - from;
  print("idle/browser/speed", passed / 1000 / wall, "simulated s/s");
  print("idle/browser/speed-computing", passed / 1000 / computing, "simulated s/CPU s");
  await page.waitForTimeout(5000);
  const hertz = Number(execSync("getconf CLK_TCK"));
  const [ticks, engine] = [rendererTicks(), computed()];
  await page.waitForTimeout(20_000);
  // The cluster alone, and with all that the browser does to show it.
  print("idle/browser/cpu", (100 * (computed() - engine)) / 20, "% of a core");
  print("idle/browser/cpu-page", (100 * (rendererTicks() - ticks)) / hertz / 20, "% of a core");
}

async function frames(browser) {
  const page = await cluster(browser, 10);
  await page.evaluate(() => {
    window.longest = 0;
    window.task = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.task = Math.max(window.task, duration);
    }).observe({ type: "longtask" });
    let last = performance.now();
    const frame = (now) => {
      window.longest = Math.max(window.longest, now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame((now) => { last = now; requestAnimationFrame(frame); });
  });
  await type(page, `kubectl create deployment web --image=${image} --replicas=1000`);
  await holds(page, () => hands.ready("web") === 1000, null, 600);
  await page.waitForTimeout(500);
  print("frames/longest", await page.evaluate(() => window.longest), "ms");
  // Tasks are noticed from 50 ms on.
  print("frames/longest-task", await page.evaluate(() => window.task), "ms");
}

async function requests(browser) {
  const page = await cluster(browser, 1);
  await type(page, `kubectl create deployment web --image=${image} --replicas=3`);
  await holds(page, () => hands.ready("web") === 3);
  await type(page, "kubectl expose deployment web --type=NodePort --port=3000");
  await holds(page, () => hands.url("web"));
  await page.evaluate(() => hands.input({ LoadStart: { id: 4000001, url: hands.url("web"), every_ms: 1 } }));
  await page.waitForTimeout(500);
  const count = () => page.evaluate(() => [...hands.load, performance.now()]);
  const [first, , begun] = await count();
  await page.waitForTimeout(3000);
  const [last, failed, ended] = await count();
  if (last === first || failed > 0)
    throw new Error(`${last - first} requests were answered and ${failed} failed`);
  print("requests/browser", (1000 * (last - first)) / (ended - begun), "requests/s");
}

const browser = await launch();
let failed = false;
for (const name of process.argv.slice(2)) {
  try {
    await { startup, replicas, idle, frames, requests }[name](browser);
  } catch (e) {
    console.error(`bench ${name} (browser): ${e.message}`);
    failed = true;
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
