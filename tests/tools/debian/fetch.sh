#!/usr/bin/env bash
# Prints a folder in which these packages of Debian lie as if they were installed there; fetches them first if they are not there yet.
# The machine stays as it is: nothing is installed, and its lists of packages are not touched.
set -euo pipefail

say() { echo "packages of Debian: $*" >&2; }

cd "$(dirname "$0")"
hash=$(printf '%s\n' "$@" | cat fetch.sh - | sha256sum | cut -c1-12)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller"
folder="$cache/debian-$hash"
mkdir -p "$cache"
# One at a time; an interrupted one leaves no folder of this name.
exec 9>"$folder.lock"
flock 9
if [ ! -d "$folder" ]; then
  for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || { say "there is no $program: a machine with Debian, or what is made from it, is needed"; exit 1; }
  done
  say "fetching $*, once: seconds"
  partial=$(mktemp -d "$folder.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  mkdir -p "$partial"/{root,packages,lists/partial,cache/archives/partial}
  own=(-q -o "Dir::State::Lists=$partial/lists" -o "Dir::Cache=$partial/cache" -o APT::Sandbox::User=root)
  fetch() {
    apt-get "${own[@]}" update || return
    cd "$partial/packages" || return
    apt-get "${own[@]}" download "$@"
  }
  (fetch "$@") >"$partial/log" 2>&1 || { say "apt-get could not fetch them:"; tail -n 20 "$partial/log" >&2; exit 1; }
  for package in "$partial"/packages/*.deb; do
    dpkg-deb --extract "$package" "$partial/root"
  done
  mv -T "$partial/root" "$folder"
fi
echo "$folder"
