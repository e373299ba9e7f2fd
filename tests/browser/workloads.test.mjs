// The workload exercises, typed into the page: a rollout under traffic, jobs, a node that fails, and why.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, shot, Terminal } from "./lib.mjs";

const prompt = /sandbar:~\$$/;
let browser, page, terminal;
const speed = (n) => page.getByRole("button", { name: `×${n}`, exact: true }).click();

before(async () => {
  browser = await launch();
  page = await open(browser);
  terminal = new Terminal(page);
  await terminal.sees(prompt);
  await speed(10);
  await terminal.run("minikube start --nodes 3", /Done! kubectl is now configured[^]*sandbar:~\$$/, 60);
});
after(async () => { await browser?.close(); });

test("O11 a new version takes over while the page is refreshed, and no request fails", async () => {
  await terminal.run("kubectl create deployment web --image=vergeops/versioned-nginx:1.0 --replicas=3", /web created/);
  await terminal.run("kubectl expose deployment web --type=NodePort --port=80", /web exposed/);
  await terminal.run("kubectl rollout status deploy/web", /successfully rolled out/, 60);
  await terminal.run("U=$(minikube service web --url); sleep 3; curl -s $U | grep -o '<h1>.*</h1>'", /^<h1>Version 1.0<\/h1>$/m);
  const seen = await terminal.run(
    "kubectl set image deploy/web versioned-nginx=vergeops/versioned-nginx:2.0; " +
    "for i in $(seq 60); do curl -s $U | grep -o '<h1>.*</h1>' || echo failed; sleep 0.2; done | sort | uniq -c",
    /Version 2.0[^]*sandbar:~\$$/, 60);
  assert.match(seen, /\d+ <h1>Version 1.0<\/h1>/);
  assert.doesNotMatch(seen, /^ +\d+ failed$/m);
  await terminal.run("kubectl get rs", /web-[0-9a-z]+ +0 +0 +0[^]*web-[0-9a-z]+ +3 +3 +3|web-[0-9a-z]+ +3 +3 +3[^]*web-[0-9a-z]+ +0 +0 +0/);
  await terminal.run("kubectl rollout undo deploy/web", /deployment.apps\/web rolled back/);
  await terminal.run("kubectl rollout status deploy/web", /successfully rolled out/, 60);
  await terminal.run("sleep 2; curl -s $U | grep -o '<h1>.*</h1>'", /^<h1>Version 1.0<\/h1>$/m);
});

test("O18, O19 a job completes, a cron job makes jobs", async () => {
  await terminal.run("kubectl create job once --image=busybox:1.36 -- sh -c 'echo it is done'", /once created/);
  await terminal.run("kubectl wait --for=condition=complete job/once --timeout=60s", /condition met/, 30);
  await terminal.run("kubectl logs job/once", /^it is done$/m);
  await terminal.run("kubectl create cronjob tick --image=busybox:1.36 --schedule='* * * * *' -- date", /tick created/);
  await speed(60);
  await terminal.run("sleep 130; kubectl get jobs", /(tick-\d+ +Complete +1\/1[^]*){2}sandbar:~\$$/, 60);
  await terminal.run("kubectl delete cronjob tick", /deleted/);
});

test("C15 a node fails, its pods are replaced, and the service answers throughout", async () => {
  const [, node] = /(minikube-m0\d)/.exec(await terminal.run("kubectl get pods -l app=web -o wide | awk '{print $7}'", /minikube-m0\d[^]*sandbar:~\$$/));
  await terminal.run(`minikube ssh -n ${node} 'sudo systemctl stop docker kubelet'`, prompt);
  await terminal.run(`kubectl wait --for=condition=Ready=Unknown node/${node} --timeout=120s`, /condition met/, 30);
  await terminal.run("kubectl get nodes", new RegExp(`${node} +NotReady`));
  const told = await terminal.run("for i in $(seq 6); do curl -s -m 2 $U > /dev/null && echo answered || echo failed; sleep 60; done",
    /((answered|failed)\n){6}/, 60);
  assert.doesNotMatch(told, /^failed$/m);
  await terminal.run("kubectl get pods -l app=web -o wide", /Terminating/);
  await terminal.run("kubectl get deploy web", /web +3\/3/);
  await terminal.run(`minikube ssh -n ${node} 'sudo systemctl start docker kubelet'`, prompt);
  await terminal.run(`kubectl wait --for=condition=Ready node/${node} --timeout=120s`, /condition met/, 30);
  await terminal.run("sleep 30; kubectl get pods -l app=web --no-headers | wc -l", /^3$/m, 30);
});

test("why a pod is where it is, and what led to it", async () => {
  await terminal.run("sandbar why $(kubectl get pods -l app=web -o name | head -1)",
    /It runs and is ready[^]*default-scheduler looked at[^]*minikube +\d+ = [^]*sandbar:~\$$/);
  await shot(page, "workloads-why");
  await terminal.run("sandbar trace job/once",
    /\$ kubectl create job once[^]*job\/once created[^]*pod\/once-[0-9a-z]{5} created[^]*started[^]*sandbar:~\$$/);
  await shot(page, "workloads-trace");
  assert.deepEqual(page.complaints, []);
});
