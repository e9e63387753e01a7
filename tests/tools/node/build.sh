#!/usr/bin/env bash
# Prints the folder that holds kubelet, kube-scheduler and kube-controller-manager; builds them first if they are not there yet.
set -euo pipefail

say() { echo "node: $*" >&2; }

cd "$(dirname "$0")"
pinned() { awk '$1 == "k8s.io/kubernetes" { print $2; exit }' "$1"; }
version=$(pinned go.mod)
[ "$version" = "$(pinned ../control-plane/go.mod)" ] || { say "go.mod has Kubernetes $version, ../control-plane/go.mod another version: give both the same"; exit 1; }
hash=$(cat go.mod go.sum build.sh | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller/node-$version-$hash"
mkdir -p "$(dirname "$folder")"
# One at a time; an interrupted build leaves no folder of this name.
exec 9>"$folder.lock"
flock 9
if [ ! -d "$folder" ]; then
  command -v go >/dev/null || { say "Go is needed: see https://go.dev/doc/install"; exit 1; }
  say "building kubelet, kube-scheduler and kube-controller-manager from source, once: about 3 minutes on two cores after the control plane"
  started=$SECONDS
  partial=$(mktemp -d "$folder.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  minor=${version#v1.}
  meta=k8s.io/component-base/version
  # The flags of the control plane, so that what both need is compiled once.
  CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOBIN="$partial" go install -trimpath -ldflags \
    "-s -w -X $meta.gitVersion=$version -X $meta.gitMajor=1 -X $meta.gitMinor=${minor%%.*} -X $meta.gitTreeState=clean" \
    tool >&2 || { say "the build failed; see above"; exit 1; }
  mv -T "$partial" "$folder"
  say "built in $((SECONDS - started)) s"
fi
echo "$folder"
