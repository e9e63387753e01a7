#!/usr/bin/env bash
# Prints a folder in which these packages of Debian lie as if they were installed there; fetches them first if they are not there yet.
# The machine stays as it is: nothing is installed, and its lists of packages are not touched.
#   fetch.sh [--with-dependencies] PACKAGE…    those that the machine lacks, too
set -euo pipefail

say() { echo "packages of Debian: $*" >&2; }

cd "$(dirname "$0")"
. ../cached.sh
if ! is_cached "debian-$(printf '%s\n' "$@" | hash_of fetch.sh -)"; then
  for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || { say "there is no $program: a machine with Debian, or what is made from it, is needed"; exit 1; }
  done
  say "fetching $*, once"
  mkdir -p "$partial"/{root,packages,lists/partial,cache/archives/partial}
  own=(-q -o "Dir::State::Lists=$partial/lists" -o "Dir::Cache=$partial/cache" -o APT::Sandbox::User=root)
  lacking() { apt-get "${own[@]}" --simulate --no-install-recommends install "$@" | awk '$1 == "Inst" { print $2 }'; }
  fetch() {
    apt-get "${own[@]}" update || return
    local more=
    if [ "$1" = --with-dependencies ]; then
      shift
      more=$(lacking "$@") || return
    fi
    cd "$partial/packages" || return
    # shellcheck disable=SC2086 # These are many words.
    apt-get "${own[@]}" download "$@" $more
  }
  (fetch "$@") >"$partial/log" 2>&1 || { say "apt-get could not fetch them:"; tail -n 20 "$partial/log" >&2; exit 1; }
  for package in "$partial"/packages/*.deb; do
    dpkg-deb --extract "$package" "$partial/root"
  done
  keep "$partial/root"
fi
echo "$folder"
