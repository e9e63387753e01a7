#!/usr/bin/env bash
# Prints the folder that holds Flux' source-controller and kustomize-controller, their CRDs (crds) and a server of git repositories; builds
# them first if they are not there yet.
set -euo pipefail

say() { echo "flux: $*" >&2; }

cd "$(dirname "$0")"
hash=$(cat build.sh ./*/go.mod ./*/go.sum git-server/main.go | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller/flux-$hash"
mkdir -p "$(dirname "$folder")"
# One at a time; an interrupted build leaves no folder of this name.
exec 9>"$folder.lock"
flock 9
if [ ! -d "$folder" ]; then
  command -v go >/dev/null || { say "Go is needed: see https://go.dev/doc/install"; exit 1; }
  say "building Flux from source, once: about 10 minutes on two cores"
  started=$SECONDS
  partial=$(mktemp -d "$folder.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  mkdir "$partial/crds"
  export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOBIN="$partial"
  go -C git-server install -trimpath . >&2
  for name in source kustomize; do
    go -C "$name" install -trimpath -ldflags "-s -w" tool >&2 || { say "the build of $name-controller failed; see above"; exit 1; }
    cp "$(go -C "$name" list -m -f '{{.Dir}}' "github.com/fluxcd/$name-controller")"/config/crd/bases/*.yaml "$partial/crds"
    say "$name-controller is there after $((SECONDS - started)) s"
  done
  # The module cache is read-only, and so would be its copies.
  chmod -R u+w "$partial"
  mv -T "$partial" "$folder"
fi
echo "$folder"
