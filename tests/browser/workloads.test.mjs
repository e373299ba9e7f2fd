// The workload exercises of the inventory, typed into the page as a learner would: files made in the
// terminal and changed in the editor, pages refreshed in the browser pane, a second terminal that watches.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { edit, exercises, launch, open, Pane, shot, Terminal } from "./lib.mjs";

let browser, page, terminal, pane;
const exercise = exercises(() => ({ page, terminal }));
const speed = (n) => page.getByRole("button", { name: `×${n}`, exact: true }).click();
const url = "http://192.168.49.2:30080";

const service = `
apiVersion: v1
kind: Service
metadata:
  name: nginx-service
spec:
  type: NodePort
  selector:
    app: nginx
  ports:
  - port: 80
    nodePort: 30080
`;
const workload = (kind, name, replicas, image, labels = "{app: nginx}") => `
apiVersion: apps/v1
kind: ${kind}
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  selector:
    matchLabels: ${labels}
  template:
    metadata:
      labels: ${labels}
    spec:
      containers:
      - name: nginx
        image: ${image}
`;

before(async () => {
  browser = await launch();
  page = await open(browser, { width: 1600, height: 1000 });
  terminal = new Terminal(page);
  pane = new Pane(page);
  await terminal.sees(/sandbar:~\$$/);
  // The browser pane; room for wide tables without the lesson and the cluster's picture.
  for (const key of ["Alt+3", "Alt+1", "Alt+4"]) await page.keyboard.press(key);
  await speed(10);
  await terminal.does("minikube start", /Done! kubectl is now configured/, 60);
  await terminal.file("service.yaml", service);
});
after(async () => {
  assert.deepEqual(page.complaints, []);
  await browser?.close();
});

exercise("O10 a replica set heals the page; with three replicas nobody notices", async () => {
  await terminal.file("replicaset.yaml", workload("ReplicaSet", "nginx-replicaset", 1, "nginx"));
  await terminal.does("kubectl apply -f service.yaml", /service\/nginx-service created/);
  assert.match((await pane.go(url)).status, /No answer/);
  await terminal.does("kubectl apply -f replicaset.yaml", /replicaset.apps\/nginx-replicaset created/);
  await terminal.until("kubectl get all", /pod\/nginx-replicaset-\S+ +1\/1 +Running[^]*service\/nginx-service[^]*replicaset.apps\/nginx-replicaset +1 +1 +1/);
  const welcome = await pane.refresh();
  assert.match(welcome.text, /Welcome to nginx!/);
  const [, pod] = /(nginx-replicaset-\w{5})/.exec(await terminal.does("kubectl get pods"));
  await speed(1);
  await terminal.does(`kubectl delete pod ${pod} --wait=false`, /deleted/);
  assert.match((await pane.refresh()).status, /No answer/);
  await speed(10);
  const healed = await terminal.until("kubectl get pods", /nginx-replicaset-\w{5} +1\/1 +Running(?![^]*Terminating)/);
  assert.ok(!healed.includes(pod), "the new pod has a new name");
  assert.match((await pane.refresh()).text, /Welcome to nginx!/);
  await edit(terminal, "replicaset.yaml", "replicas: 1", "replicas: 3");
  await terminal.does("kubectl apply -f replicaset.yaml", /nginx-replicaset configured/);
  await terminal.until("kubectl get rs", /nginx-replicaset +3 +3 +3/);
  await speed(1);
  await pane.keepRequesting();
  await page.waitForTimeout(500);
  await terminal.does("kubectl delete $(kubectl get pods -o name | head -1)", /deleted/);
  await speed(10);
  await terminal.until("kubectl get rs", /nginx-replicaset +3 +3 +3/);
  await page.waitForTimeout(500);
  const load = await pane.stopRequesting();
  assert.ok(load.all > 20 && load.failed === 0, `${load.failed} of ${load.all} requests failed`);
  await shot(page, "workloads-O10");
  await terminal.does("kubectl delete -f replicaset.yaml", /"nginx-replicaset" deleted/);
  await terminal.until("kubectl get pods", /No resources found/);
});

exercise("O11 version 1 turns to version 2 while the page is refreshed, and no refresh fails", async () => {
  await terminal.file("deployment.yaml", workload("Deployment", "nginx-deployment", 3, "vergeops/versioned-nginx:1.0"));
  await terminal.does("kubectl apply -f deployment.yaml", /nginx-deployment created/);
  await terminal.does("kubectl rollout status deployment nginx-deployment", /successfully rolled out/);
  await terminal.does("sleep 2");
  assert.match((await pane.refresh()).text, /Version 1\.0/);
  await edit(terminal, "deployment.yaml", "nginx:1.0", "nginx:2.0");
  await speed(1);
  await terminal.does("kubectl apply -f deployment.yaml", /nginx-deployment configured/);
  const seen = [];
  for (let i = 0; i < 300 && seen.slice(-10).filter((v) => v === "2.0").length < 10; i++) {
    const { status, text } = await pane.refresh();
    assert.match(status, /200 OK/, `refresh ${i} after ${seen}`);
    seen.push(/Version (\d\.\d)/.exec(text)[1]);
  }
  assert.ok(seen.includes("1.0") && seen.at(-1) === "2.0", seen.join(" "));
  await speed(10);
  await terminal.does("kubectl rollout status deployment nginx-deployment", /successfully rolled out/);
  await terminal.does("kubectl get all", /(replicaset.apps\/nginx-deployment-\w+ +(0 +0 +0|3 +3 +3)[^]*){2}/);
  await terminal.does("kubectl rollout history deployment nginx-deployment", /REVISION[^]*1 +<none>\n2 +<none>/);
  await terminal.does("kubectl rollout undo deployment nginx-deployment", /rolled back/);
  await terminal.does("kubectl rollout status deployment nginx-deployment; sleep 2", /successfully rolled out/);
  assert.match((await pane.refresh()).text, /Version 1\.0/);
  await terminal.does("kubectl rollout pause deployment nginx-deployment", /paused/);
  await terminal.does("kubectl set image deployment nginx-deployment nginx=vergeops/versioned-nginx:2.0", /image updated/);
  await terminal.does("sleep 5; kubectl get deployment nginx-deployment", /nginx-deployment +3\/3 +0 +3/);
  await terminal.does("kubectl rollout resume deployment nginx-deployment", /resumed/);
  await terminal.does("kubectl rollout status deployment nginx-deployment; sleep 2", /successfully rolled out/);
  assert.match((await pane.refresh()).text, /Version 2\.0/);
  await terminal.does("kubectl rollout restart deployment nginx-deployment", /restarted/);
  await terminal.does("kubectl rollout status deployment nginx-deployment", /successfully rolled out/);
  await terminal.does("kubectl delete -f deployment.yaml -f service.yaml", /"nginx-service" deleted/);
  await terminal.until("kubectl get pods", /No resources found/);
});

exercise("O12 blue and green: the page cuts over at once", async () => {
  const labels = (v) => `{app: nginx, version: "${v}"}`;
  for (const [name, v] of [["blue", "1.0"], ["green", "2.0"]])
    await terminal.file(`${name}.yaml`, workload("Deployment", `nginx-${name}`, 2, `vergeops/versioned-nginx:${v}`, labels(v)));
  await terminal.file("both.yaml", service.replace("app: nginx", 'app: nginx\n    version: "1.0"'));
  await terminal.does("kubectl apply -f blue.yaml -f both.yaml", /nginx-service created/);
  await terminal.does("kubectl rollout status deployment nginx-blue; sleep 2", /successfully rolled out/);
  assert.match((await pane.refresh()).text, /Version 1\.0/);
  await terminal.does("kubectl apply -f green.yaml", /nginx-green created/);
  await terminal.does("kubectl rollout status deployment nginx-green", /successfully rolled out/);
  await terminal.does("kubectl get pods --show-labels", /version=1.0[^]*version=2.0/);
  for (let i = 0; i < 5; i++) assert.match((await pane.refresh()).text, /Version 1\.0/);
  await edit(terminal, "both.yaml", 'version: "1.0"', 'version: "2.0"');
  await speed(1);
  await pane.keepRequesting();
  await terminal.does("kubectl apply -f both.yaml", /nginx-service configured/);
  await page.waitForTimeout(300);
  const versions = [];
  for (let i = 0; i < 10; i++) versions.push(/Version (\S+?)</.exec((await pane.refresh()).text)[1]);
  await speed(10);
  assert.deepEqual(new Set(versions), new Set(["2.0"]));
  assert.equal((await pane.stopRequesting()).failed, 0);
  await terminal.does("kubectl describe service nginx-service", /Selector: +app=nginx,version=2.0/);
  await terminal.does("kubectl delete -f blue.yaml -f green.yaml -f both.yaml", /"nginx-service" deleted/);
  await terminal.until("kubectl get pods", /No resources found/);
});

exercise("O14 two namespaces side by side, and what is in one goes with it", async () => {
  await terminal.does("kubectl create namespace dev; kubectl create namespace test", /test created/);
  await terminal.does("kubectl create deployment web --image=nginx -n dev", /web created/);
  await terminal.does("kubectl create deployment web --image=nginx -n test --replicas=2", /web created/);
  await terminal.does("kubectl rollout status deployment web -n test", /successfully rolled out/);
  await terminal.does("kubectl get pods", /No resources found in default namespace/);
  await terminal.does("kubectl get deployments -A", /dev +web +1\/1[^]*kube-system +coredns[^]*test +web +2\/2/);
  await terminal.does("kubectl config set-context --current --namespace=test", /Context "minikube" modified/);
  await terminal.does("kubectl get pods", /(web-\S+ +1\/1 +Running[^]*){2}/);
  await terminal.does("kubectl get pods -n kube-system", /etcd-minikube/);
  await terminal.does("kubectl delete namespace test", /"test" deleted/, 60);
  await terminal.does("kubectl get pods", /No resources found in test namespace/);
  await terminal.does("kubectl config set-context --current --namespace=default", /modified/);
  await terminal.does("kubectl get namespaces", /dev +Active(?![^]*test)/);
  await terminal.does("kubectl delete namespace dev", /"dev" deleted/, 60);
});

exercise("O18, O19 a job completes, a cron job makes jobs", async () => {
  await terminal.file("job.yaml", `
apiVersion: batch/v1
kind: Job
metadata:
  name: countdown
spec:
  template:
    spec:
      containers:
      - name: counter
        image: busybox
        command: ["sh", "-c", "for i in 3 2 1; do echo $i; done; echo done"]
      restartPolicy: Never
`);
  await terminal.does("kubectl apply -f job.yaml", /countdown created/);
  await terminal.does("kubectl wait --for=condition=Complete job/countdown --timeout=60s", /condition met/);
  await terminal.does("kubectl logs job/countdown", /^3\n2\n1\ndone$/);
  await terminal.does("kubectl get pods", /countdown-\S+ +0\/1 +Completed/);
  await terminal.does("sed -e 's/^spec:/spec:\\n  completions: 4\\n  parallelism: 2/' -e 's/countdown/four/' job.yaml | kubectl apply -f -", /four created/);
  await terminal.does("kubectl wait --for=condition=Complete job/four --timeout=60s", /condition met/);
  await terminal.does("kubectl get job four", /four +Complete +4\/4/);
  await terminal.does("sed -e 's/^spec:/spec:\\n  backoffLimit: 1/' -e 's/countdown/broken/' -e 's/echo done/exit 1/' job.yaml | kubectl apply -f -", /broken created/);
  await terminal.does("kubectl wait --for=condition=Failed job/broken --timeout=90s", /condition met/);
  await terminal.does("kubectl get job broken", /broken +Failed +0\/1/);
  await terminal.does("kubectl delete job countdown four broken", /"broken" deleted/);
  await terminal.does("kubectl create cronjob hello --image=busybox --schedule='* * * * *' -- echo Hello from the cluster", /hello created/);
  await speed(60);
  await terminal.until("kubectl get jobs", /(hello-\d+ +Complete +1\/1[^]*){3}/, 60);
  await terminal.does("sleep 61; kubectl get jobs --no-headers | grep -c Complete", /^3$/);
  await terminal.does("kubectl patch cronjob hello -p '{\"spec\":{\"suspend\":true}}'", /patched/);
  await terminal.does("kubectl get cronjob hello", /hello +\* \* \* \* \* +<none> +True +0/);
  await terminal.does("kubectl create job by-hand --from=cronjob/hello", /by-hand created/);
  await terminal.does("kubectl wait --for=condition=Complete job/by-hand --timeout=60s", /condition met/);
  await terminal.does("kubectl logs job/by-hand", /^Hello from the cluster$/);
  await terminal.does("kubectl delete cronjob hello; sleep 5; kubectl get jobs,pods", /No resources found/);
  await speed(10);
});

exercise("C10 production and development from one file, changed apart", async () => {
  await terminal.file("nginx-prod.yaml", workload("Deployment", "nginx-prod", 1, "nginx:1.7.9", "{app: nginx-prod}"));
  await terminal.does("kubectl create -f nginx-prod.yaml", /nginx-prod created/);
  await terminal.does("sed s/prod/dev/ nginx-prod.yaml > nginx-dev.yaml; kubectl create -f nginx-dev.yaml", /nginx-dev created/);
  await terminal.does("kubectl rollout status deployment nginx-dev", /successfully rolled out/);
  await terminal.until("kubectl get deployments", /nginx-dev +1\/1[^]*nginx-prod +1\/1/);
  await terminal.does("kubectl label deployment nginx-dev app=nginx-dev", /labeled/);
  await terminal.does("kubectl describe deployments -l app=nginx-dev | grep -E 'RollingUpdate|ScalingReplicaSet'",
    /RollingUpdateStrategy: +25% max unavailable, 25% max surge[^]*Scaled up replica set nginx-dev-/);
  await edit(terminal, "nginx-dev.yaml", "nginx:1.7.9", "nginx:1.8");
  await terminal.does("kubectl apply -f nginx-dev.yaml", /nginx-dev configured/);
  await terminal.does("kubectl rollout status deployment nginx-dev", /successfully rolled out/);
  await terminal.does("kubectl get deployments -o wide", /nginx-dev .*nginx:1\.8 [^]*nginx-prod .*nginx:1\.7\.9 /);
  await terminal.does("kubectl delete deployment nginx-dev nginx-prod", /"nginx-prod" deleted/);
});

exercise("T6 an update that works, one that hangs, and the way back, watched from a second terminal", async () => {
  await terminal.does("kubectl create deployment first-app --image=trueberryless/kub-first-app --replicas=3", /first-app created/);
  await terminal.does("kubectl rollout status deployment first-app", /successfully rolled out/, 60);
  await terminal.focus();
  await page.keyboard.press("Alt+s");
  await page.waitForFunction(() => document.querySelectorAll(".xterm").length === 2);
  const beside = new Terminal(page, 1);
  await beside.sees(/sandbar:~\$$/);
  await beside.type("watch kubectl get pods\n");
  await beside.sees(/(first-app-\S+ +1\/1 +Running[^]*){3}/);
  await terminal.does("kubectl set image deployment/first-app kub-first-app=trueberryless/kub-first-app:v2", /image updated/);
  await terminal.does("kubectl rollout status deployment/first-app", /successfully rolled out/, 60);
  await terminal.does("kubectl set image deployment/first-app kub-first-app=trueberryless/kub-first-app:not-exist", /image updated/);
  await beside.sees(/(ErrImagePull|ImagePullBackOff)[^]*/, 60);
  await beside.sees(/(first-app-\S+ +1\/1 +Running[^]*){3}/);
  await terminal.run("kubectl rollout status deployment/first-app", /Waiting for deployment "first-app" rollout to finish/);
  await page.keyboard.press("Control+c");
  await terminal.sees(/sandbar:~\$$/);
  await shot(page, "workloads-T6");
  await terminal.does("kubectl rollout undo deployment/first-app", /rolled back/);
  await terminal.does("kubectl rollout status deployment/first-app", /successfully rolled out/, 60);
  await beside.sees(/^(?![^]*(ImagePull|Terminating))[^]*(first-app-\S+ +1\/1 +Running[^]*){3}/, 60);
  await terminal.does("kubectl rollout history deployment/first-app", /\n1 [^]*\n3 [^]*\n4 /);
  await terminal.does("kubectl rollout history deployment/first-app --revision=3", /kub-first-app:not-exist/);
  await terminal.does("kubectl rollout undo deployment/first-app --to-revision=1", /rolled back/);
  await terminal.does("kubectl rollout status deployment/first-app", /successfully rolled out/, 60);
  await terminal.does("kubectl get deployment first-app -o jsonpath='{..image}{\"\\n\"}'", /^trueberryless\/kub-first-app$/);
  await terminal.does("kubectl delete deployment first-app", /deleted/);
  await beside.focus();
  await page.keyboard.press("Control+c");
  await beside.type("exit\n");
  await page.waitForFunction(() => document.querySelectorAll(".xterm").length === 1);
});

exercise("T7 the same application by commands and by files", async () => {
  await terminal.does("kubectl create deployment first-app --image=trueberryless/kub-first-app", /created/);
  await terminal.does("kubectl expose deployment first-app --type=LoadBalancer --port=8080", /exposed/);
  await terminal.does("kubectl rollout status deployment first-app; sleep 2", /successfully rolled out/, 60);
  await terminal.does("kubectl get services", /first-app +LoadBalancer +\S+ +<pending> +8080:3\d{4}\/TCP/);
  await terminal.does("minikube service first-app", /http:\/\/192\.168\.49\.2:3\d{4}/);
  assert.match((await pane.answer()).status, /200 OK.*first-app-/);
  await terminal.does("kubectl delete service,deployment first-app", /deployment.apps "first-app" deleted/);
  await terminal.file("deployment.yaml", workload("Deployment", "first-app", 1, "trueberryless/kub-first-app", "{app: first-app}"));
  await terminal.file("lb.yaml", service.replace("nginx-service", "first-app").replace("NodePort", "LoadBalancer")
    .replace("app: nginx", "app: first-app").replace("port: 80\n    nodePort: 30080", "port: 8080"));
  await terminal.does("kubectl apply -f deployment.yaml -f lb.yaml", /deployment.apps\/first-app created\nservice\/first-app created/);
  await terminal.does("kubectl rollout status deployment first-app; sleep 2", /successfully rolled out/, 60);
  await terminal.does("minikube service first-app", /http:\/\/192\.168\.49\.2:3\d{4}/);
  assert.match((await pane.answer()).status, /200 OK.*first-app-/);
  await edit(terminal, "deployment.yaml", "replicas: 1", "replicas: 3");
  await terminal.does("kubectl apply -f deployment.yaml", /configured/);
  await terminal.until("kubectl get deployment first-app", /first-app +3\/3/);
  await terminal.does("kubectl delete -f deployment.yaml -f lb.yaml", /service "first-app" deleted/);
});

exercise("L3, L6 a pod is relabelled, replaced and adopted again; what is deleted comes back", async () => {
  await terminal.does("kubectl create deployment hello-kiamol-2 --image=kiamol/ch02-hello-kiamol", /created/);
  await terminal.does("kubectl rollout status deployment hello-kiamol-2", /successfully rolled out/, 60);
  await terminal.does("kubectl get deploy hello-kiamol-2 -o jsonpath='{.spec.template.metadata.labels}{\"\\n\"}'", /^{"app":"hello-kiamol-2"}$/);
  await terminal.does("kubectl label pods -l app=hello-kiamol-2 --overwrite app=hello-kiamol-x", /labeled/);
  await terminal.until("kubectl get pods -L app", /(?=[^]*1\/1 .* hello-kiamol-x$)(?=[^]*1\/1 .* hello-kiamol-2$)/m);
  await terminal.does("kubectl label pods -l app=hello-kiamol-x --overwrite app=hello-kiamol-2", /labeled/);
  await terminal.until("kubectl get pods --no-headers | wc -l", /^1$/, 60);
  const [, pod] = /(hello-kiamol-2-\S+)/.exec(await terminal.does("kubectl get pods"));
  await terminal.does("kubectl delete pods --all", new RegExp(`"${pod}" deleted`), 60);
  const back = await terminal.until("kubectl get pods", /hello-kiamol-2-\S+ +1\/1 +Running/);
  assert.ok(!back.includes(pod));
  await terminal.does("kubectl delete deploy --all", /"hello-kiamol-2" deleted/);
  await terminal.until("kubectl get all", /^(?![^]*hello)[^]*service\/kubernetes/, 60);
});
