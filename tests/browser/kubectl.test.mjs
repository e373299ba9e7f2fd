// What a learner does with kubectl in the page besides the practical: explain, edit, diff, debug, drain.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, shot, Terminal } from "./lib.mjs";

const prompt = /sandbar:~\$$/;
let browser, page, terminal;

before(async () => {
  browser = await launch();
  page = await open(browser);
  terminal = new Terminal(page);
  await terminal.sees(prompt);
  await terminal.run("minikube start", /Done! kubectl is now configured[^]*sandbar:~\$$/, 60);
  await page.getByRole("button", { name: "×10" }).click();
  await terminal.run("kubectl create deployment web --image=nginx:1.25", /web created/);
  await terminal.run("kubectl rollout status deploy/web", /successfully rolled out/, 60);
});
after(async () => { await browser?.close(); });

test("explain tells what a field is", async () => {
  await terminal.run("kubectl explain deployment.spec.replicas",
    /KIND: +Deployment[^]*FIELD: replicas <integer>[^]*DESCRIPTION:[^]*sandbar:~\$$/);
});

test("edit opens an editor on the object, and what is saved is done", async () => {
  await terminal.run("kubectl edit deployment web", /apiVersion: apps\/v1/);
  await terminal.type("/replicas: 1\n$r2:wq\n");
  await terminal.sees(/deployment.apps\/web edited[^]*sandbar:~\$$/);
  await terminal.run("kubectl get deployment web -o jsonpath='{.spec.replicas}'", /^2/m);
});

test("diff shows what apply would change, and changes nothing", async () => {
  await terminal.run("kubectl get deploy web -o yaml | sed 's/replicas: 2/replicas: 3/' > web.yaml", prompt);
  await terminal.run("kubectl diff -f web.yaml; echo code $?", /^- {2}replicas: 2$[^]*^\+ {2}replicas: 3$[^]*^code 1$/m);
  await terminal.run("kubectl get deployment web -o jsonpath='{.spec.replicas}'", /^2/m);
});

test("debug starts a container beside the one that has no shell", async () => {
  const [, pod] = /(web-[0-9a-z]+-[0-9a-z]{5})/.exec(await terminal.run("kubectl get pods", /Running/)) ?? [];
  assert.ok(pod, "there is a pod");
  await terminal.run(`kubectl debug -it ${pod} --image=busybox:1.36 --target=nginx -- sh`, /# ?$/, 60);
  await terminal.run("ps", /nginx: worker process[^]*# ?$/);
  await terminal.type("exit\n");
  await terminal.sees(/Session ended[^]*sandbar:~\$$/);
  await shot(page, "kubectl-debug");
});

test("drain empties the node and says what it leaves", async () => {
  await terminal.run("kubectl drain minikube --ignore-daemonsets --force --delete-emptydir-data",
    /evicting pod default\/web-[^]*node\/minikube drained[^]*sandbar:~\$$/, 120);
  await terminal.run("kubectl get nodes", /Ready,SchedulingDisabled/);
  await terminal.run("kubectl uncordon minikube", /node\/minikube uncordoned/);
  assert.deepEqual(page.complaints, []);
});
