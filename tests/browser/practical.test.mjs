// The minikube practical, rows P1 to P16 of the inventory, typed into the real page in one sitting,
// without a reload. What is typed is what the document says, in today's form.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, shot, Terminal } from "./lib.mjs";

const image = "trimhall/my-example:latest";
let browser, page, first, second;

before(async () => {
  browser = await launch();
  page = await open(browser);
  first = new Terminal(page, 0);
});
after(async () => {
  assert.deepEqual(page.complaints, []);
  await browser?.close();
});

// One row of the inventory. A row that fails leaves the ones after it without their ground.
let broken = "";
const row = (name, play) => test(name, async (t) => {
  if (broken) return t.skip(`after ${broken}`);
  broken = name;
  try {
    await play();
    broken = "";
  } finally {
    await shot(page, name.split(" ")[0]).catch(() => {});
  }
});

const speed = (factor) => page.getByRole("button", { name: `×${factor}`, exact: true }).click();
const prompt = /[$#] ?$/;

// The names of the pods that a plain `kubectl get pods` lists with this status.
async function pods(status = "Running") {
  const screen = await first.run("kubectl get pods", /NAME +READY[^]*[$#] ?$|No resources[^]*[$#] ?$/);
  return screen.split("\n").map((l) => l.trim().split(/ +/))
    .filter((words) => words[2] === status).map(([name]) => name);
}

async function podsUntil(count, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const names = await pods();
    if (names.length === count) return names;
    if (Date.now() > end) throw new Error(`not ${count} pods but ${names.join(" ")}`);
    await page.waitForTimeout(300);
  }
}

const answeredBy = async () => (await page.locator(".status-line b.mono").textContent()).trim();

row("P4 start the cluster", async () => {
  await first.sees(prompt);
  // Room for 80 columns: without the lesson, and later without the cluster's picture.
  await page.keyboard.press("Alt+1");
  await speed(10);
  await first.run("minikube start", /Done! kubectl is now configured[^]*[$#] ?$/, 60);
  const screen = await first.run("docker ps -a", /NAMES[^]*minikube[^]*[$#] ?$/);
  assert.match(screen, /kicbase/);
});

row("P2 kubectl's shape", async () => {
  await first.run("kubectl version", /Client Version: v1\.\d+[^]*Server Version: v1\.36/);
  await first.run("kubectl cluster-info", /Kubernetes control plane.* is running at .*https:\/\//);
  await first.run("kubectl -h | head -n 12", /Basic Commands \(Beginner\)/);
  await first.run("minikube kubectl -- get nodes", /minikube +Ready/);
  await first.run("minikube kubectl get nodes", /minikube +Ready/);
});

row("P3 kubectl's configuration", async () => {
  const screen = await first.run("kubectl config view", /current-context: minikube[^]*[$#] ?$/);
  for (const part of ["clusters:", "users:", "contexts:"]) assert.ok(screen.includes(part), part);
});

row("P5 the dashboard", async () => {
  await first.run("minikube dashboard", /[Oo]pening|Verifying/);
  await page.getByRole("region", { name: "Cluster" }).getByText("minikube").first().waitFor();
  await first.focus();
  await page.waitForTimeout(1500);
  await page.keyboard.press("Control+c");
  await first.sees(prompt);
});

row("P6 look around", async () => {
  await first.run("kubectl get pods", /No resources found in default namespace\./);
  const screen = await first.run("kubectl get pods -A", /kube-system +storage-provisioner[^]*[$#] ?$/);
  for (const part of ["coredns", "etcd-minikube", "kube-apiserver-minikube", "kube-proxy",
    "kube-controller-manager-minikube", "kube-scheduler-minikube"])
    assert.ok(screen.includes(part), part);
  await first.run("kubectl get --help | tail -n 15", /Usage:/);
});

row("P7 the watch terminal", async () => {
  await page.keyboard.press("Alt+4");
  await page.keyboard.press("Alt+s");
  await page.waitForFunction(() => document.querySelectorAll(".xterm").length === 2);
  second = new Terminal(page, 1);
  await second.sees(prompt);
  await second.type("watch kubectl get pods\n");
  await second.sees(/Every 2\.0s: kubectl get pods[^]*No resources found/);
});

row("P8 create a deployment", async () => {
  await speed(1);
  await first.run(`kubectl create deployment hello-node --image=${image}`, /deployment\.apps\/hello-node created/);
  await second.sees(/hello-node-\w+-\w+ +0\/1 +(Pending|ContainerCreating)/);
  await speed(10);
  await second.sees(/hello-node-\w+-\w+ +1\/1 +Running/, 60);
  await podsUntil(1);
});

row("P9 every pod status", async () => {
  // Pending and ContainerCreating, Running: a pod that no node suits; hello-node's own in P8.
  await first.run(`kubectl run nowhere --image=busybox --overrides='{"spec":{"nodeSelector":{"disk":"none"}}}'`, /pod\/nowhere created/);
  await second.sees(/nowhere +0\/1 +Pending/);
  await speed(1);
  await first.run("kubectl create deployment wrong --image=trimhall/no-such-image:latest", /wrong created/);
  await second.sees(/wrong-\S+ +0\/1 +ErrImagePull/, 60);
  await speed(10);
  await second.sees(/wrong-\S+ +0\/1 +ImagePullBackOff/, 60);
  await first.run("kubectl run once --image=busybox --restart=Never -- sh -c 'echo done'", /pod\/once created/);
  await second.sees(/once +0\/1 +Completed/, 60);
  await first.run("kubectl run crash --image=busybox -- sh -c 'exit 3'", /pod\/crash created/);
  await second.sees(/crash +0\/1 +CrashLoopBackOff +\d/, 60);
  // The back-off grows: 10 s, 20 s, 40 s.
  const waiting = "'{.status.containerStatuses[0].state.waiting.message}'";
  for (const wait of ["20s", "40s"]) {
    for (let tries = 0; ; tries++) {
      const screen = await first.run(`kubectl get pod crash -o jsonpath=${waiting}`, /jsonpath=[^]*\n[^]*[$#] ?$/);
      if (screen.includes(`back-off ${wait} restarting failed container`)) break;
      assert.ok(tries < 200, `the back-off never is ${wait}`);
      await page.waitForTimeout(200);
    }
  }
  await first.run("kubectl run sleeper --image=busybox -- sleep 3600", /pod\/sleeper created/);
  await second.sees(/sleeper +1\/1 +Running/, 60);
  await speed(1);
  // `sleep` does not hear SIGTERM: it is Terminating until the grace period of 30 s ends it.
  await first.run("kubectl delete pod sleeper --wait=false", /pod "sleeper" deleted/);
  await second.sees(/sleeper +1\/1 +Terminating/, 30);
  await shot(page, "P9-statuses");
  await first.run("kubectl delete deployment wrong; kubectl delete pod once crash nowhere --wait=false", /pod "nowhere" deleted/);
  await speed(10);
  await second.sees(/^(?![^]*(sleeper|wrong|once|crash|nowhere))[^]*hello-node-\S+ +1\/1 +Running/, 60);
  await podsUntil(1);
});

row("P10 describe a pod", async () => {
  const [pod] = await podsUntil(1);
  const top = await first.run(`kubectl describe pod ${pod} | head -n 30`, /Image ID:[^]*[$#] ?$/);
  for (const part of ["Node:", "minikube/192.168.49.2", "pod-template-hash=", "Controlled By:", "Container ID:"])
    assert.ok(top.includes(part), part);
  const events = await first.run(`kubectl describe pod ${pod} | tail -n 20`, /Events:[^]*Started[^]*[$#] ?$/);
  for (const part of ["Scheduled", "Pulling", "Pulled", "Created", "QoS Class", "Tolerations"])
    assert.ok(events.includes(part), part);
});

row("P11 expose it", async () => {
  await first.run("kubectl expose deployment hello-node --type=NodePort --port=3000", /service\/hello-node exposed/);
  await first.run("kubectl get services", /hello-node +NodePort +10\.\S+ +<none> +3000:3\d{4}\/TCP/);
  const screen = await first.run("kubectl describe service hello-node", /Endpoints:[^]*Events:[^]*[$#] ?$/);
  assert.match(screen, /NodePort: +<unset> +3\d{4}\/TCP/);
  assert.match(screen, /Endpoints: +10\.244\.\S+:3000/);
});

row("P12 see it", async () => {
  const [pod] = await podsUntil(1);
  await first.run("minikube service hello-node", /http:\/\/192\.168\.49\.2:3\d{4}/);
  await page.locator(".status-line").getByText("200 OK").waitFor();
  assert.equal(await answeredBy(), pod);
});

row("P13 scale up", async () => {
  await first.run("kubectl scale deployments/hello-node --replicas=3", /deployment\.apps\/hello-node scaled/);
  await podsUntil(3);
  const seen = new Set();
  for (let i = 0; i < 40 && seen.size < 2; i++) {
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.waitForTimeout(80);
    seen.add(await answeredBy());
  }
  assert.ok(seen.size >= 2, "refreshing shows different pods");
});

row("P14 scale down, and no request fails", async () => {
  await speed(1);
  await page.getByRole("button", { name: "Keep requesting" }).click();
  await page.waitForTimeout(1000);
  await first.run("kubectl scale deployments/hello-node --replicas=1", /scaled/);
  await second.sees(/Terminating/, 30);
  await speed(10);
  await second.sees(/^(?![^]*Terminating)[^]*hello-node-\S+ +1\/1 +Running/, 60);
  await page.getByRole("button", { name: "Stop requesting" }).click();
  const picture = page.locator(".load canvas");
  assert.match(await picture.getAttribute("aria-label"), /^\d{2,} requests\..*failed: 0$/);
  await podsUntil(1);
});

// The rows of a service's routing table: address and whether it is ready.
async function routes(service) {
  const path = `'{range .items[*].endpoints[*]}{.addresses[0]}={.conditions.ready};{"\\n"}{end}'`;
  const screen = await first.run(
    `kubectl get endpointslices -l kubernetes.io/service-name=${service} -o jsonpath=${path}`,
    /end}'\n[^]*[$#] ?$/);
  return Object.fromEntries([...screen.matchAll(/^(10\.244\S+)=(true|false);$/gm)].map((m) => [m[1], m[2] === "true"]));
}

async function routesUntil(what, holds, seconds = 90) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const table = await routes("api");
    if (holds(table)) return table;
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(table)}`);
    await page.waitForTimeout(200);
  }
}

row("P1 a slow pod is restarted, a deleted one replaced, and the routing table shows it", async () => {
  const allReady = (table) => Object.values(table).length === 3 && Object.values(table).every(Boolean);
  await first.run("kubectl apply -f api.yaml", /deployment\.apps\/api created[^]*service\/api created/);
  const before = await routesUntil("three ready rows", allReady);
  const [leaking] = (await podsUntil(4)).filter((name) => name.startsWith("api-"));
  await speed(1);
  await first.run(`sandbar fault leak pod/${leaking}`, prompt);
  const broken = await routesUntil("a row that is not ready", (t) => Object.values(t).includes(false));
  assert.deepEqual(Object.keys(broken).sort(), Object.keys(before).sort(), "no pod went, none came");
  await speed(10);
  await second.sees(new RegExp(`${leaking} +1/1 +Running +[1-9]`), 90);
  const mended = await routesUntil("three ready rows again", allReady);
  assert.deepEqual(Object.keys(mended).sort(), Object.keys(before).sort(), "the restarted pod keeps its address");
  // One that is deleted is replaced by another, at another address.
  await first.run(`kubectl delete pod ${leaking} --wait=false`, /deleted/);
  const after = await routesUntil("another address", (t) => allReady(t) && Object.keys(t).some((a) => !(a in before)));
  assert.equal(Object.keys(after).filter((a) => a in before).length, 2, "the other two stay");
  await page.keyboard.press("Alt+4");
  await page.getByRole("region", { name: "Cluster" }).getByText("hello-node").first().waitFor();
  await shot(page, "cluster");
  await page.keyboard.press("Alt+4");
  await first.run("kubectl delete -f api.yaml", /service "api" deleted[^]*[$#] ?$/);
  await podsUntil(1);
});

row("P15 auto healing", async () => {
  const [pod] = await podsUntil(1);
  const outside = await first.run("docker ps", /minikube[^]*[$#] ?$/);
  const [, id] = /^([0-9a-f]{12}) /m.exec(outside);
  await first.run(`docker exec -it ${id} /bin/sh`, /# ?$/);
  const inside = await first.run("docker ps -a | grep hello-node", /k8s_my-example[^]*# ?$/);
  assert.ok(inside.includes("k8s_POD"), "the pause container is there");
  // The rows are wider than the terminal: names are on the line below.
  const [, container] = /^([0-9a-f]{12}) +trimhall\/my-example/m.exec(inside);
  await first.run(`docker rm -f ${container}`, new RegExp(`^${container}$`, "m"));
  await first.run("exit", /[$] ?$/);
  await second.sees(new RegExp(`${pod} +1/1 +Running +[12] `), 60);
  assert.deepEqual(await podsUntil(1), [pod], "it is the same pod, repaired");
});

row("P16 look inside", async () => {
  const [pod] = await podsUntil(1);
  await first.run(`kubectl exec -it ${pod} -- /bin/sh`, /^# ?$/m);
  await first.run("hostname", new RegExp(pod));
  await first.run("exit", /[$] ?$/);
  // The document's own form, which today's kubectl refuses (in a line wider than the terminal).
  const screen = await first.run(`kubectl exec -it ${pod} /bin/sh`, /See 'kubectl exec -h'/);
  // A blank where the row ends is not told apart from an empty rest: compared without blanks.
  const refused = "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead";
  const solid = (text) => text.replaceAll(/\s/g, "");
  assert.ok(solid(screen).includes(solid(refused)), screen);
});

row("P7 the watch terminal ends with Ctrl-C", async () => {
  await second.focus();
  await page.keyboard.press("Control+c");
  await second.sees(prompt);
});
