#!/usr/bin/env bash
# Prints the Python of a virtual environment that holds moto's server and the linters; makes it first if it is not there yet.
set -euo pipefail

say() { echo "python: $*" >&2; }

cd "$(dirname "$0")"
. ../cached.sh
folder="$cache/python-$(hash_of requirements.txt setup.sh)"
mkdir -p "$cache"

# One at a time; an interrupted set-up lacks the mark and is made anew.
exec 9>"$folder.lock"
flock 9
if [ ! -e "$folder/complete" ]; then
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { say "Python 3.10 or later is needed"; exit 1; }
  say "installing moto, a server that speaks IAM's protocol, and linters, once: about a minute"
  started=$SECONDS
  rm -rf "$folder"
  python3 -m venv "$folder" >&2 || { say "python3 -m venv failed (Debian has it in the package python3-venv)"; exit 1; }
  # Compiled when it is first imported: 16 s instead of 31.
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-compile --only-binary :all: \
    -r requirements.txt >&2 || { say "pip could not install requirements.txt; see above"; exit 1; }
  touch "$folder/complete"
  say "installed in $((SECONDS - started)) s"
fi
echo "$folder/bin/python"
