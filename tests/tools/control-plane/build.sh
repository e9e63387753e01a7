#!/usr/bin/env bash
# Prints the folder that holds kube-apiserver, etcd and kubectl, or the programs of Kubernetes that are named; builds there first what
# is not there yet.
#
# KUBERNETES=1.32 takes that minor version, of which there is a folder here, instead of go.mod's beside this file.
# KUBEBUILDER_ASSETS (the convention of envtest) names a folder to use instead. What envtest does not have, such as
# kube-controller-manager, is built where that folder lacks it.
set -euo pipefail

say() { echo "control plane: $*" >&2; }

plane=(kube-apiserver etcd kubectl)
programs=("$@")
[ $# -gt 0 ] || programs=("${plane[@]}")

# The programs that a folder lacks.
lacking() {
  for program in "${programs[@]}"; do
    [ -x "$1/$program" ] || echo "$program"
  done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -z "${KUBERNETES:-}" ]; then
  lacks=$(lacking "$KUBEBUILDER_ASSETS")
  [ -n "$lacks" ] || { echo "$KUBEBUILDER_ASSETS"; exit 0; }
  for program in "${plane[@]}"; do
    ! grep -qx "$program" <<<"$lacks" || { say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no $program"; exit 1; }
  done
fi

script=$(readlink -f "$0")
cd "$(dirname "$script")"
pinned() { awk '$1 == "k8s.io/kubernetes" { print $2; exit }' go.mod; }
if [ -n "${KUBERNETES:-}" ] && [[ $(pinned) != v$KUBERNETES.* ]]; then
  [ -d "$KUBERNETES" ] || { say "KUBERNETES=$KUBERNETES: there are $(pinned) and" 1.*; exit 1; }
  cd "$KUBERNETES"
fi
version=$(pinned)
hash=$(cat go.mod go.sum "$script" | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller/control-plane-$version-$hash"
mkdir -p "$folder"
# One at a time.
exec 9>"$folder.lock"
flock 9
mapfile -t missing < <(lacking "$folder")
[ ${#missing[@]} -gt 0 ] || { echo "$folder"; exit 0; }

command -v go >/dev/null || { say "Go is needed to build Kubernetes $version: see https://go.dev/doc/install"; exit 1; }
say "building ${missing[*]} from source, once: 1 to 4 minutes on two cores, more on a first download"
# Built beside and moved at the end: an interrupted build is never taken for a whole one.
partial=$(mktemp -d "$folder.partial.XXXXXX")
trap 'rm -rf "$partial"' EXIT
minor=${version#v1.}
meta=k8s.io/component-base/version
packages=()
for program in "${missing[@]}"; do
  case "$program" in
    etcd) packages+=(go.etcd.io/etcd/server/v3) ;;
    *) packages+=("k8s.io/kubernetes/cmd/$program") ;;
  esac
done
started=$SECONDS
# Nothing is inlined: built with a fifth less CPU, which is most of the first minutes, for programs that are hardly slower.
CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOBIN="$partial" go install -trimpath -gcflags=all=-l -ldflags \
  "-s -w -X $meta.gitVersion=$version -X $meta.gitMajor=1 -X $meta.gitMinor=${minor%%.*} -X $meta.gitTreeState=clean" \
  "${packages[@]}" >"$partial/log" 2>&1 9>&- &
build=$!
while kill -0 "$build" 2>/dev/null; do
  # A second a look, a line each 20.
  sleep 1
  (((SECONDS - started) % 20 == 0)) && say "still building, $((SECONDS - started)) s"
done
wait "$build" || { say "the build failed:"; tail -n 20 "$partial/log" >&2; exit 1; }
[ ! -e "$partial/server" ] || mv "$partial/server" "$partial/etcd"
for program in "${missing[@]}"; do
  mv "$partial/$program" "$folder/$program"
done
say "built in $((SECONDS - started)) s"
echo "$folder"
