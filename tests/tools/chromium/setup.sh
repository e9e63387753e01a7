#!/usr/bin/env bash
# Prints the path of a headless Chromium, in which `make browser` looks at pages; fetches Debian's first if it is not there yet.
# Nothing is installed: the packages are extracted into the cache folder. CHROMIUM names another one to use instead.
set -euo pipefail

say() { echo "chromium: $*" >&2; }

if [ -n "${CHROMIUM:-}" ]; then
  command -v "$CHROMIUM" || { say "CHROMIUM=$CHROMIUM is no program"; exit 1; }
  exit 0
fi

folder="${XDG_CACHE_HOME:-$HOME/.cache}/pinpoint-import-role-controller/chromium-$(sha256sum "$0" | cut -c1-12)"
mkdir -p "$(dirname "$folder")"
# One at a time; what is interrupted leaves no folder of this name.
exec 9>"$folder.lock"
flock 9
if [ ! -d "$folder" ]; then
  for needed in apt-get dpkg; do
    command -v "$needed" >/dev/null || { say "needs Debian's $needed; elsewhere, set CHROMIUM to a headless Chromium"; exit 1; }
  done
  say "fetching Debian's headless Chromium, once: about 110 MB"
  partial=$(mktemp -d "$folder.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  mkdir -p "$partial/lists/partial" "$partial/cache/archives/partial" "$partial/files"
  # Lists and packages of its own: the machine's may be old, or not ours to write.
  apt() { apt-get -qq -o Dir::State::lists="$partial/lists" -o Dir::Cache="$partial/cache" -o APT::Sandbox::User= "$@"; }
  apt update >&2 || { say "apt-get update failed; see above"; exit 1; }
  # What the machine lacks of it, a font included.
  packages=$(apt --simulate --no-install-recommends install chromium-headless-shell fonts-dejavu-core | awk '$1 == "Inst" { print $2 }')
  # shellcheck disable=SC2086 # These are many words.
  (cd "$partial/cache" && apt download $packages chromium-headless-shell fonts-dejavu-core) >&2 ||
    { say "the packages can't be fetched; see above"; exit 1; }
  for package in "$partial"/cache/*.deb; do
    dpkg -x "$package" "$partial/files"
  done
  rm -rf "$partial/lists" "$partial/cache"
  cat >"$partial/fonts.conf" <<FONTS
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$folder/files/usr/share/fonts</dir><cachedir>$folder/fonts</cachedir></fontconfig>
FONTS
  libraries=$(cd "$partial" && find files -name 'lib*.so*' -printf "$folder/%h\n" | sort -u | paste -sd:)
  cat >"$partial/chromium" <<START
#!/bin/sh
export LD_LIBRARY_PATH="$libraries" FONTCONFIG_FILE="$folder/fonts.conf"
exec "$folder/files/usr/lib/chromium/chromium-headless-shell" "\$@"
START
  chmod +x "$partial/chromium"
  mv -T "$partial" "$folder"
fi
"$folder/chromium" --version >/dev/null || { say "it does not start; remove $folder, or set CHROMIUM to another"; exit 1; }
echo "$folder/chromium"
