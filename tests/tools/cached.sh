# shellcheck shell=bash
# Sourced by what makes something once and keeps it in the cache folder. `say` tells people what goes on.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller"

# A hash of what these files hold, for the name of what is made of them.
hash_of() { cat "$@" | sha256sum | cut -c1-12; }

# Whether the folder of this name is there; waits for whoever is making it. If it is not, `partial` is a new folder in which to make it, for
# `keep`: what is interrupted leaves no folder of the name. `folder` is its path either way.
is_cached() {
  folder="$cache/$1"
  mkdir -p "$cache" || exit
  exec 9>"$folder.lock" || exit
  flock 9 || exit
  [ ! -d "$folder" ] || return 0
  started=$SECONDS
  partial=$(mktemp -d "$folder.partial.XXXXXX") || exit
  trap 'rm -rf "$partial"' EXIT
  return 1
}

# Gives the name to what is made: `partial`, or a folder in it.
keep() {
  mv -T "${1:-$partial}" "$folder"
  say "made in $((SECONDS - started)) s"
}

# go, with a module cache that is checked and a toolchain that is there.
go_install() {
  command -v go >/dev/null || { say "Go is needed: see https://go.dev/doc/install"; exit 1; }
  CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly GOBIN="$partial" go "$@" >&2 || { say "the build failed; see above"; exit 1; }
}
