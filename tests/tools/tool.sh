#!/usr/bin/env bash
# Prints the path of a Go program with which the tests check something, such as helm: that of the folder of its name, whose go.mod pins
# it. Builds it first if it is not there yet.
set -euo pipefail

name=$1
say() { echo "$name: $*" >&2; }

cd "$(dirname "$0")"
hash=$(cat "$name/go.mod" "$name/go.sum" tool.sh | sha256sum | cut -c1-12)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller/$name-$hash"
mkdir -p "$(dirname "$folder")"
# One at a time; an interrupted build leaves no folder of this name.
exec 9>"$folder.lock"
flock 9
if [ ! -d "$folder" ]; then
  command -v go >/dev/null || { say "Go is needed: see https://go.dev/doc/install"; exit 1; }
  say "building it from source, once: up to 4 minutes on two cores"
  started=$SECONDS
  partial=$(mktemp -d "$folder.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  (cd "$name" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOBIN="$partial" go install -trimpath -ldflags "-s -w" tool) >&2 ||
    { say "the build failed; see above"; exit 1; }
  mv -T "$partial" "$folder"
  say "built in $((SECONDS - started)) s"
fi
echo "$folder/$name"
