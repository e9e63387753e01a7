#!/usr/bin/env bash
# Prints the path of an image archive that holds pinpoint-import.dev/pause:1; makes it first if it is not there yet.
set -euo pipefail

say() { echo "pause: $*" >&2; }

cd "$(dirname "$0")"
. ../cached.sh
if ! is_cached "pause-$(hash_of pause.sh pause/*)"; then
  go_install -C pause install -trimpath -ldflags "-s -w" .
  # The form of `docker save`: a layer, what is to be run in it, and a name.
  tar -C "$partial" --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$partial/layer.tar" pause
  layer=$(sha256sum <"$partial/layer.tar" | cut -d ' ' -f 1)
  cat >"$partial/config.json" <<END
{"architecture": "$(go env GOARCH)", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65532:65532"},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
END
  cat >"$partial/manifest.json" <<'END'
[{"Config": "config.json", "RepoTags": ["pinpoint-import.dev/pause:1"], "Layers": ["layer.tar"]}]
END
  tar -C "$partial" -cf "$partial/pause.tar" manifest.json config.json layer.tar
  keep
fi
echo "$folder/pause.tar"
