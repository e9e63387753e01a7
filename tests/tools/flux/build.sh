#!/usr/bin/env bash
# Prints the folder that holds Flux' source-controller and kustomize-controller, their CRDs (crds) and a server of git repositories; builds
# them first if they are not there yet.
set -euo pipefail

say() { echo "flux: $*" >&2; }

cd "$(dirname "$0")"
. ../cached.sh
if ! is_cached "flux-$(hash_of build.sh ./*/go.mod ./*/go.sum git-server/main.go)"; then
  say "building Flux from source, once: about 10 minutes on two cores"
  mkdir "$partial/crds"
  go_install -C git-server install -trimpath .
  for name in source kustomize; do
    go_install -C "$name" install -trimpath -ldflags "-s -w" tool
    cp "$(go -C "$name" list -m -f '{{.Dir}}' "github.com/fluxcd/$name-controller")"/config/crd/bases/*.yaml "$partial/crds"
    say "$name-controller is there after $((SECONDS - started)) s"
  done
  # The module cache is read-only, and so would be its copies.
  chmod -R u+w "$partial"
  keep
fi
echo "$folder"
