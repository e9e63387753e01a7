#!/usr/bin/env bash
# step.sh NAME COMMAND…: runs what takes long the first time and no time later on, and says how long it took if it did.
set -euo pipefail

name=$1
shift
started=$SECONDS
"$@" >/dev/null
took=$((SECONDS - started))
if ((took >= 5)); then echo "$name: ready after $took s" >&2; fi
