# A scheduler in a few lines. It puts a share of each app's pods on reserved nodes and the rest on
# spot nodes. It looks at labels only; a scheduler for real work also looks at CPU, memory and taints.
#
# A node's kind is its label `capacity`: reserved or spot. A pod's app is its label `app`.

# Nodes of kind $1 that are ready and take pods, the one with the fewest pods first.
nodes() {
  kubectl get nodes -l capacity=$1 --no-headers 2> /dev/null | awk '$2 == "Ready" {print $1}' | while read node; do
    echo "$(kubectl get pods -A --field-selector spec.nodeName=$node -o name | wc -l) $node"
  done | sort -n | awk '{print $2}'
}

# How many pods of app $2 in namespace $1 are on nodes of kind $3.
count() {
  n=0
  for node in $(kubectl get nodes -l capacity=$3 -o name | cut -d/ -f2); do
    on=$(kubectl get pods -n $1 -l app=$2 --field-selector spec.nodeName=$node -o name | wc -l)
    n=$((n + on))
  done
  echo $n
}

# Finds a node for pod $2 of app $3 in namespace $1, and tells the API server.
place() {
  all=$(kubectl get pods -n $1 -l app=$3 -o name | wc -l)
  # The share in percent, rounded up.
  wanted=$(( (all * $(cat /config/reserved-percent) + 99) / 100 ))
  if [ $(count $1 $3 reserved) -lt $wanted ]; then order="reserved spot"; else order="spot reserved"; fi
  for kind in $order; do
    node=$(nodes $kind | head -n 1)
    if [ -n "$node" ]; then break; fi
  done
  if [ -z "$node" ]; then
    echo "$2 waits: no node is ready"
    return
  fi
  # To bind a pod is to create an object of kind Binding that names the pod and the node.
  echo "{\"apiVersion\":\"v1\",\"kind\":\"Binding\",\"metadata\":{\"name\":\"$2\"},
    \"target\":{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"$node\"}}" |
    kubectl create --raw /api/v1/namespaces/$1/pods/$2/binding -f - > /dev/null &&
    echo "$2 -> $kind ($node)"
}

# Every pod that names this scheduler and has no node yet.
waiting() {
  kubectl get pods -A --field-selector spec.schedulerName=spot-scheduler,spec.nodeName= \
    -o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name} {.metadata.labels.app}{"\n"}{end}'
}

# Whenever such a pod or a node changes, all pods that wait are looked at again.
{
  kubectl get pods -A --watch -o name --field-selector spec.schedulerName=spot-scheduler,spec.nodeName= &
  kubectl get nodes --watch -o name
} | while read changed; do
  waiting | while read namespace pod app; do
    place $namespace $pod $app
  done
done
