#!/usr/bin/env bash
# Prints the folder that holds kube-apiserver, etcd and kubectl; builds them there first if they are not there yet.
#
# KUBEBUILDER_ASSETS (the convention of envtest) names a folder to use instead.
set -euo pipefail

say() { echo "control plane: $*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for binary in kube-apiserver etcd kubectl; do
    [ -x "$KUBEBUILDER_ASSETS/$binary" ] || { say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no $binary"; exit 1; }
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

cd "$(dirname "$0")"
version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' go.mod)
hash=$(cat go.mod go.sum build.sh | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller/control-plane-$version-$hash"
if [ -d "$folder" ]; then
  echo "$folder"
  exit 0
fi

command -v go >/dev/null || { say "Go is needed to build Kubernetes $version: see https://go.dev/doc/install"; exit 1; }
say "building kube-apiserver, kubectl and etcd from source, once: about 3 minutes on two cores, more on a first download"
mkdir -p "$(dirname "$folder")"
# Built beside and renamed at the end: an interrupted build is never taken for a whole one.
partial=$(mktemp -d "$folder.partial.XXXXXX")
trap 'rm -rf "$partial"' EXIT
minor=${version#v1.}
meta=k8s.io/component-base/version
started=$SECONDS
CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOBIN="$partial" go install -trimpath -ldflags \
  "-s -w -X $meta.gitVersion=$version -X $meta.gitMajor=1 -X $meta.gitMinor=${minor%%.*} -X $meta.gitTreeState=clean" \
  tool >"$partial/log" 2>&1 &
build=$!
while kill -0 "$build" 2>/dev/null; do
  # A second a look, a line each 20.
  sleep 1
  (((SECONDS - started) % 20 == 0)) && say "still building, $((SECONDS - started)) s"
done
wait "$build" || { say "the build failed:"; tail -n 20 "$partial/log" >&2; exit 1; }
mv "$partial/server" "$partial/etcd"
mv -T "$partial" "$folder" 2>/dev/null || [ -d "$folder" ] || { say "can't write $folder"; exit 1; }
say "built in $((SECONDS - started)) s"
echo "$folder"
