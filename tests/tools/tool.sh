#!/usr/bin/env bash
# Prints the path of a Go program with which the tests check something, such as helm: that of the folder of its name, whose go.mod pins
# it. Builds it first if it is not there yet.
set -euo pipefail

name=$1
say() { echo "$name: $*" >&2; }

cd "$(dirname "$0")"
. ./cached.sh
if ! is_cached "$name-$(hash_of "$name/go.mod" "$name/go.sum" tool.sh)"; then
  say "building it from source, once: up to 4 minutes on two cores"
  # Without inlining, as the control plane: they share what is compiled.
  go_install -C "$name" install -trimpath -gcflags=all=-l -ldflags "-s -w" tool
  keep
fi
echo "$folder/$name"
