// The details drawer: every tab of pods that run, wait and crash, of a workload and of a node has its answer,
// and what it says can be read on a laptop and on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, shot, Terminal } from "./lib.mjs";

let browser, page, terminal;
const drawer = () => page.locator("#drawer");
const text = () => page.locator(".drawer-text");

before(async () => {
  browser = await launch();
  page = await open(browser, { width: 1440, height: 900 });
  terminal = new Terminal(page);
  await terminal.sees(/sandbar:~\$$/);
  await page.getByRole("button", { name: "×10", exact: true }).click();
  await terminal.does("minikube start --nodes=2", /Done!/, 60);
  await terminal.does("kubectl create deployment web --image=nginx --replicas=3", /created/);
  await terminal.does("kubectl run crash --image=busybox -- sh -c 'echo no configuration found; exit 3'", /created/);
  await terminal.does(`kubectl run nowhere --image=nginx --overrides='{"spec":{"nodeSelector":{"disk":"ssd"}}}'`, /created/);
  await terminal.until("kubectl get pods", /crash +0\/1 +CrashLoopBackOff(?=[^]*(web-\S+ +1\/1 +Running[^]*){3})/, 60);
  await page.getByRole("button", { name: "×1", exact: true }).click();
});
after(async () => {
  assert.deepEqual(page.complaints, []);
  await browser?.close();
});

// Opens an object's details through the command palette.
async function look(name) {
  await terminal.focus();
  await page.keyboard.press("Control+k");
  await page.locator("#palette-input").fill(name);
  await page.locator(".palette li").first().waitFor();
  await page.keyboard.press("Enter");
  await drawer().waitFor();
}

async function tab(name, pattern) {
  await drawer().getByRole("tab", { name, exact: true }).click();
  const end = Date.now() + 10_000;
  for (;;) {
    const shown = await text().textContent();
    if (pattern.test(shown)) return;
    if (Date.now() > end) throw new Error(`${name} does not show ${pattern} but:\n${shown}`);
    await page.waitForTimeout(50);
  }
}

for (const [name, tabs] of [
  ["crash", {
    Describe: /Name: +crash[^]*Exit Code: +3[^]*Events:/,
    YAML: /kind: Pod[^]*restartPolicy: Always/,
    Events: /BackOff.*Back-off restarting failed container/,
    Why: /It runs and is not ready; kube-scheduler chose minikube\S* for it.*What holds it back.*CrashLoopBackOff.*exited with code 3.*default-scheduler chose minikube.*points/,
    Trace: /\$ kubectl run crash.*pod\/crash created · minikube-user.*bound to minikube.*container crash exited with code 3/,
    Logs: /no configuration found/,
  }],
  ["nowhere", {
    Describe: /Status: +Pending[^]*FailedScheduling/,
    Events: /FailedScheduling.*0\/2 nodes are available/,
    Why: /It has no node: none fits.*found no node.*minikube-m02.*ruled out.*NodeAffinity.*didn't match/,
    Trace: /pod\/nowhere created/,
    Logs: /does not have a host assigned/,
  }],
  ["deployment web", {
    Describe: /StrategyType: +RollingUpdate/,
    YAML: /kind: Deployment/,
    Events: /ScalingReplicaSet.*Scaled up replica set web-\w+ from 0 to 3/,
    Why: /3 of 3 pods that it wants are ready/,
    Trace: /\$ kubectl create deployment web.*replicaset\/web-\w+ created · deployment-controller.*container nginx started/,
  }],
  ["minikube-m02", {
    Describe: /Roles: +<none>[^]*Allocated resources/,
    YAML: /kind: Node/,
    Events: /RegisteredNode|NodeReady/,
    Why: /It is ready/,
    Trace: /\$ minikube start --nodes=2/,
  }],
]) {
  test(`every tab of ${name} has its answer`, async () => {
    await look(name);
    for (const [kind, pattern] of Object.entries(tabs)) {
      await tab(kind, pattern);
      await shot(page, `drawer-${name.split(" ").at(-1)}-${kind}`);
    }
    await page.keyboard.press("Escape");
    await drawer().waitFor({ state: "detached" });
  });
}

for (const [width, height] of [[1024, 768], [390, 844]]) {
  test(`the drawer can be read at ${width}×${height}`, async () => {
    await look("crash");
    await page.setViewportSize({ width, height });
    for (const kind of ["Events", "Why", "Trace"]) {
      await tab(kind, /\w/);
      await page.waitForTimeout(200);
      const [over, tabs] = await page.evaluate(() => {
        const t = document.querySelector(".drawer-text");
        const edge = Math.max(...[...document.querySelectorAll("#drawer [role=tab]")].map((b) => b.getBoundingClientRect().right));
        return [t.scrollWidth - t.clientWidth, edge];
      });
      assert.ok(over <= 0, `${kind} is ${over} pixels too wide`);
      assert.ok(tabs <= width, `the tabs end at ${tabs}`);
      await shot(page, `drawer-${width}-${kind}`);
    }
    // Nothing in the bar lies on something else.
    const boxes = await page.locator(".bar button, .bar time").evaluateAll((all) =>
      all.map((e) => e.getBoundingClientRect()).filter((r) => r.width > 0).map((r) => [r.left, r.right]));
    boxes.sort((a, b) => a[0] - b[0]);
    for (let i = 1; i < boxes.length; i++)
      assert.ok(boxes[i][0] >= boxes[i - 1][1] - 0.5, `the bar's parts overlap at ${boxes[i][0]}`);
    await drawer().focus();
    await page.keyboard.press("Escape");
    if (width < 1000) await page.getByRole("tab", { name: "Browser" }).click();
    else await page.keyboard.press("Alt+3");
    const bar = await page.getByRole("textbox", { name: "Address" }).boundingBox();
    assert.ok(bar.width > 180, `the address has ${bar.width} pixels`);
    await shot(page, `browser-${width}`);
    if (width < 1000) await page.getByRole("tab", { name: "Terminal" }).click();
    else await page.keyboard.press("Alt+3");
    await page.setViewportSize({ width: 1440, height: 900 });
  });
}
