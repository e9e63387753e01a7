#!/usr/bin/env bash
# Prints the path of a headless Chromium, in which `make browser` looks at pages; fetches Debian's first if it is not there yet.
# Nothing is installed. CHROMIUM names another one to use instead.
set -euo pipefail

say() { echo "chromium: $*" >&2; }

if [ -n "${CHROMIUM:-}" ]; then
  command -v "$CHROMIUM" || { say "CHROMIUM=$CHROMIUM is no program"; exit 1; }
  exit 0
fi

cd "$(dirname "$0")"
. ../cached.sh
# About 110 MB, a font included.
files=$(../debian/fetch.sh --with-dependencies chromium-headless-shell fonts-dejavu-core) ||
  { say "elsewhere, set CHROMIUM to a headless Chromium"; exit 1; }
if ! is_cached "chromium-$(echo "$files" | hash_of setup.sh -)"; then
  cat >"$partial/fonts.conf" <<FONTS
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$files/usr/share/fonts</dir><cachedir>$folder/fonts</cachedir></fontconfig>
FONTS
  libraries=$(find "$files" -name 'lib*.so*' -printf '%h\n' | sort -u | paste -sd:)
  cat >"$partial/chromium" <<START
#!/bin/sh
export LD_LIBRARY_PATH="$libraries" FONTCONFIG_FILE="$folder/fonts.conf"
exec "$files/usr/lib/chromium/chromium-headless-shell" "\$@"
START
  chmod +x "$partial/chromium"
  keep
fi
"$folder/chromium" --version >/dev/null || { say "it does not start; remove $folder and $files, or set CHROMIUM to another"; exit 1; }
echo "$folder/chromium"
