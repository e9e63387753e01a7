#!/usr/bin/env bash
# Runs a command where it may be the machine of a Kubernetes node: in a network, a mount and a PID namespace of its own, with a folder and
# a control group that are removed at the end. Addresses, mounts and processes end with the namespaces, so nothing is left behind.
#   box.sh check       whether it could, and if not, why
#   box.sh COMMAND…
#
# The command finds in its environment
#   NODE_FOLDER    the folder
#   NODE_CGROUP    the name of the control group
#   NODE_PLANE     folder of etcd, kube-apiserver and kubectl
#   NODE_PARTS     folder of kube-controller-manager, kube-scheduler and kubelet
#   NODE_DEBIAN    folder in which Debian's containerd, runc and CNI plugins are laid out
#   NODE_IMAGES    image archives: of NODE_IMAGE, which names that of the controller, and of a pod's first process
set -euo pipefail

say() { echo "node: $*" >&2; }
fail() { say "$*"; exit 1; }

if [ "${1:-}" = inside ]; then
  shift
  # What containerd, the CNI plugins and the kubelet write at fixed places.
  for place in /run /var/lib /var/log; do
    mount -t tmpfs node "$place"
  done
  ip link set lo up
  # The pods' network and, since nothing translates addresses here, the node's and the API server's own address in it; and the address of
  # the service `kubernetes`, at which the API server listens itself: no kube-proxy is needed then.
  ip link add cni0 type bridge
  ip address add 10.244.0.1/24 dev cni0
  ip link set cni0 up
  ip address add 10.96.0.1/32 dev lo
  # Not exec: the first process of a PID namespace has to take in orphans, which bash does.
  "$@"
  exit
fi

[ "$(uname -s)" = Linux ] || fail "needs Linux, this is $(uname -s)"
[ "$(id -u)" = 0 ] || fail "needs root, for namespaces, mounts and control groups: try sudo"
for program in unshare mount ip go; do
  command -v "$program" >/dev/null || fail "needs the program $program, which is not there"
done
unshare --net --mount --pid --fork --mount-proc -- sh -c 'mount -t tmpfs node /run && ip link add cni0 type bridge' ||
  fail "this machine does not let root make namespaces, mounts or a bridge in them, as most containers don't: use a virtual machine"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  groups=(/sys/fs/cgroup)
else
  groups=(/sys/fs/cgroup/*/)
fi
[ -w "${groups[0]}/cgroup.procs" ] || fail "root may make no control groups below /sys/fs/cgroup: use a virtual machine"
[ "${1:-}" != check ] || exit 0
[ -f "${NODE_IMAGE:-}" ] || fail "needs the path of an image archive in NODE_IMAGE: make node sets it"

here=$(cd "$(dirname "$0")" && pwd)
NODE_IMAGE=$(realpath "$NODE_IMAGE")
NODE_CGROUP=pinpoint-import-node-$$
NODE_PLANE=$("$here/../control-plane/build.sh")
NODE_PARTS=$("$here/../control-plane/build.sh" kubelet kube-scheduler kube-controller-manager)
NODE_DEBIAN=$("$here/../debian/fetch.sh" containerd runc containernetworking-plugins libseccomp2)
NODE_IMAGES="$("$here/pause.sh") $NODE_IMAGE"
NODE_FOLDER=$(mktemp -d)
export NODE_CGROUP NODE_PLANE NODE_PARTS NODE_DEBIAN NODE_IMAGES NODE_FOLDER

# Below a group there may be groups of pods that have just ended.
remove_groups() {
  local root tries
  for root in "${groups[@]/%//$NODE_CGROUP}"; do
    for tries in $(seq 50); do
      [ -d "$root" ] || break
      find "$root" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
    [ ! -d "$root" ] || say "the control group $root is left after $tries tries: rmdir it"
  done
}
trap 'remove_groups; rm -rf "$NODE_FOLDER"' EXIT
for group in "${groups[@]}"; do
  mkdir -p "$group/$NODE_CGROUP" || fail "can't make a control group below $group"
done
unshare --net --mount --pid --fork --mount-proc --kill-child -- "$0" inside "$@"
