// The exercises that want several nodes, typed into the page: a replication controller, a scheduler at work,
// an autoscaler, a node that fails; and why things are as they are.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { exercises, launch, open, Pane, shot, Terminal } from "./lib.mjs";

let browser, page, terminal, pane;
const exercise = exercises(() => ({ page, terminal }));
const speed = (n) => page.getByRole("button", { name: `×${n}`, exact: true }).click();

before(async () => {
  browser = await launch();
  page = await open(browser, { width: 1600, height: 1000 });
  terminal = new Terminal(page);
  pane = new Pane(page);
  await terminal.sees(/sandbar:~\$$/);
  for (const key of ["Alt+3", "Alt+1", "Alt+4"]) await page.keyboard.press(key);
  await speed(10);
  await terminal.does("minikube start --nodes=4 --cpus=4 --memory=8g", /Done! kubectl is now configured/, 90);
});
after(async () => {
  assert.deepEqual(page.complaints, []);
  await browser?.close();
});

exercise("C11 a replication controller over three nodes", async () => {
  await terminal.does("kubectl taint node minikube node-role.kubernetes.io/control-plane:NoSchedule", /tainted/);
  await terminal.file("nginx-multi-label.yaml", `
apiVersion: v1
kind: ReplicationController
metadata:
  name: nginx-www
spec:
  replicas: 3
  selector:
    app: nginx
  template:
    metadata:
      name: nginx
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: nginx
        ports:
        - containerPort: 80
`);
  await terminal.does("kubectl create -f nginx-multi-label.yaml", /replicationcontroller\/nginx-www created/);
  await terminal.until("kubectl get rc", /nginx-www +3 +3 +3/);
  await terminal.does("kubectl describe replicationcontroller", /Pods Status: +3 Running \/ 0 Waiting[^]*(SuccessfulCreate[^]*){3}/);
  await terminal.does("kubectl describe pods | grep ^Node: | sort", /^Node: +minikube-m02[^]*minikube-m03[^]*minikube-m04[^\n]*$/);
  const [, pod] = /(nginx-www-\w{5})/.exec(await terminal.does("kubectl get pods"));
  await terminal.does(`kubectl delete pod ${pod}`, /deleted/);
  const after = await terminal.until("kubectl get pods", /(nginx-www-\w{5} +1\/1 +Running[^]*){3}/);
  assert.ok(!after.includes(pod), "another one in its place");
  await terminal.does("kubectl delete replicationcontroller nginx-www", /deleted/);
  await terminal.until("kubectl get pods", /No resources found/);
});

exercise("O21 a pod on its way: it waits for a node that suits, is bound, and starts", async () => {
  await terminal.file("traveller.yaml", `
apiVersion: v1
kind: Pod
metadata: {name: traveller}
spec:
  nodeSelector: {disk: ssd}
  containers: [{name: c, image: nginx:1.25, resources: {requests: {cpu: 100m}}}]
`);
  await terminal.does("kubectl apply -f traveller.yaml", /traveller created/);
  await terminal.until("kubectl get pod traveller -o wide", /traveller +0\/1 +Pending +0 +\S+ +<none> +<none>/);
  await terminal.until("kubectl describe pod traveller | tail -5", /FailedScheduling[^]*0\/4 nodes are available/);
  await terminal.does("sandbar why pod/traveller", /didn't match Pod's node affinity\/selector/);
  await terminal.does("kubectl label node minikube-m02 disk=ssd", /labeled/);
  await terminal.does("kubectl wait --for=condition=Ready pod/traveller --timeout=120s", /condition met/);
  await terminal.does("kubectl get events --field-selector involvedObject.name=traveller",
    /FailedScheduling[^]*Scheduled[^]*assigned default\/traveller to minikube-m02[^]*Pulling[^]*Pulled[^]*Created[^]*Started/);
  await terminal.does("sandbar why pod/traveller", /minikube-m02/);
  await shot(page, "nodes-O21");
  await terminal.does("kubectl delete pod traveller; kubectl label node minikube-m02 disk-", /unlabeled/);
});

exercise("C15 a node fails, its pods are replaced, and the service answers throughout", async () => {
  await terminal.does("kubectl create deployment web --image=nginx:1.8 --replicas=6", /web created/);
  await terminal.does("kubectl expose deployment web --type=NodePort --port=80", /web exposed/);
  await terminal.does("kubectl rollout status deploy/web; sleep 2", /successfully rolled out/, 60);
  const [, port] = /80:(3\d{4})\/TCP/.exec(await terminal.does("kubectl get service web"));
  assert.match((await pane.go(`http://192.168.49.2:${port}`)).text, /Welcome to nginx!/);
  await terminal.does("minikube ssh -n minikube-m02 'sudo systemctl stop docker kubelet'");
  await terminal.does("kubectl wait --for=condition=Ready=Unknown node/minikube-m02 --timeout=120s", /condition met/);
  await terminal.does("kubectl get nodes", /minikube-m02 +NotReady/);
  await terminal.does("sleep 5");
  await pane.keepRequesting();
  await speed(60);
  await terminal.until("kubectl get pods -o wide", /minikube-m02(?=[^]*Terminating)/, 60);
  await terminal.until("kubectl get deploy web", /web +6\/6/, 60);
  const load = await pane.stopRequesting();
  assert.ok(load.all > 100 && load.failed === 0, `${load.failed} of ${load.all} requests failed`);
  await shot(page, "nodes-C15");
  await speed(10);
  await terminal.does("minikube ssh -n minikube-m02 'sudo systemctl start docker kubelet'");
  await terminal.does("kubectl wait --for=condition=Ready node/minikube-m02 --timeout=120s", /condition met/);
  await terminal.until("kubectl get pods --field-selector spec.nodeName=minikube-m02", /No resources found/, 60);
  await terminal.does("kubectl get pods --no-headers | grep -c Running", /^6$/);
});

exercise("why a pod is where it is, and what led to it", async () => {
  await terminal.does("sandbar why $(kubectl get pods -l app=web -o name | head -1)",
    /It runs and is ready[^]*default-scheduler looked at[^]*minikube-m\d+ +\d+ = /);
  await shot(page, "nodes-why");
  await terminal.does("sandbar trace deployment/web | head -20", /\$ kubectl create deployment web[^]*deployment\/web created[^]*pod\/web-\w+-\w{5} created/);
  await shot(page, "nodes-trace");
  await terminal.does("kubectl delete service,deployment web", /deployment.apps "web" deleted/);
});

// How many pods of the deployment are on nodes of each kind.
const shares = async () => {
  const on = async (kind) => {
    const nodes = await terminal.does(`kubectl get nodes -l capacity=${kind} -o name`);
    const pods = await terminal.does("kubectl get pods -l app=web --field-selector status.phase=Running -o wide --no-headers");
    return [...nodes.matchAll(/node\/(\S+)/g)].reduce((n, [, node]) => n + pods.split(` ${node} `).length - 1, 0);
  };
  return { reserved: await on("reserved"), spot: await on("spot") };
};

exercise("O22 a scheduler of one's own: reserved and spot nodes", async () => {
  await terminal.does("kubectl taint node minikube node-role.kubernetes.io/control-plane:NoSchedule-", /untainted/);
  await terminal.does("kubectl label node minikube minikube-m02 capacity=reserved", /labeled/);
  await terminal.does("kubectl label node minikube-m03 minikube-m04 capacity=spot", /labeled/);
  await terminal.does("kubectl apply -f spot/web.yaml", /web created/);
  await terminal.does("sleep 5; kubectl get pods", /(web-\S+ +0\/1 +Pending[^]*){5}/);
  await terminal.does("kubectl create configmap spot-scheduler -n kube-system --from-file=spot/schedule.sh --from-literal=reserved-percent=40", /created/);
  await terminal.does("kubectl apply -f spot/scheduler.yaml", /deployment.apps\/spot-scheduler created/);
  await terminal.until("kubectl get deployment web", /web +5\/5/, 60);
  assert.deepEqual(await shares(), { reserved: 2, spot: 3 });
  await terminal.does("kubectl logs -n kube-system deployment/spot-scheduler", /(web-\S+ -> (reserved|spot)[^]*){5}/);
  await terminal.does("kubectl scale deployment web --replicas=10", /scaled/);
  await terminal.until("kubectl get deployment web", /web +10\/10/, 60);
  assert.deepEqual(await shares(), { reserved: 4, spot: 6 });
  await shot(page, "nodes-O22");
  // The provider takes a machine back.
  await terminal.does("kubectl delete node minikube-m04", /"minikube-m04" deleted/);
  await speed(60);
  await terminal.until("kubectl get pods --field-selector spec.nodeName=minikube-m04", /No resources found/, 60);
  await terminal.until("kubectl get deployment web", /web +10\/10/, 60);
  assert.deepEqual(await shares(), { reserved: 4, spot: 6 });
  await speed(10);
  await terminal.does("kubectl delete -f spot/ && kubectl delete configmap spot-scheduler -n kube-system", /"web" deleted/, 60);
});

exercise("C14 an autoscaler keeps its limits, and replicas follow the load", async () => {
  await terminal.does("kubectl create deployment web --image=nginx", /created/);
  await terminal.does("kubectl autoscale deployment web --min=2 --max=6", /autoscaled/);
  await terminal.does("kubectl autoscale deployment web --min=4 --max=6", /error: failed to create autoscaling\/v2 HPA/);
  await terminal.until("kubectl get deployment web", /web +2\/2/, 60);
  await terminal.does("kubectl scale --current-replicas=2 --replicas=4 deployment/web", /scaled/);
  await terminal.until("kubectl get deployment web", /web +4\/4/);
  await terminal.does("kubectl scale --replicas=1 deployment/web", /scaled/);
  await terminal.until("kubectl get deployment web", /web +2\/2/, 60);
  await terminal.does("kubectl delete hpa,deployment web", /"web" deleted/);
  await terminal.does("minikube addons enable metrics-server", /'metrics-server' addon is enabled/, 60);
  await terminal.does("kubectl create deployment php-apache --image=registry.k8s.io/hpa-example", /created/);
  await terminal.does("kubectl set resources deployment php-apache --requests=cpu=200m --limits=cpu=500m", /updated/);
  await terminal.does("kubectl expose deployment php-apache --port=80", /exposed/);
  await terminal.does("kubectl autoscale deployment php-apache --cpu=50% --min=1 --max=10", /autoscaled/);
  await speed(60);
  await terminal.until("kubectl get hpa php-apache", /cpu: \d+%\/50% +1 +10 +1 /, 60);
  await terminal.until("kubectl top pods", /php-apache-\S+ +\dm/);
  await terminal.does("kubectl run load-generator --image=busybox:1.28 --restart=Never -- /bin/sh -c 'while sleep 0.01; do wget -q -O- http://php-apache; done'", /created/);
  await terminal.until("kubectl get hpa php-apache", /cpu: \d+%\/50% +1 +10 +[4-9] /, 90);
  await terminal.does("kubectl describe hpa php-apache", /SuccessfulRescale[^]*New size: \d; reason: cpu resource utilization \(percentage of request\) above target/);
  await shot(page, "nodes-C14");
  await terminal.does("kubectl delete pod load-generator --now", /deleted/);
  await terminal.until("kubectl get hpa php-apache", /cpu: 0%\/50% +1 +10 +1 /, 120);
  await terminal.does("kubectl delete hpa,service,deployment php-apache", /deployment.apps "php-apache" deleted/);
});
