#!/usr/bin/env bash
# Builds the image without a container engine and without a registry, and prints the path of its archive (OCI), beside which its bill of
# materials lies (CycloneDX). The Dockerfile's last stage is used as it is; what it takes from elsewhere is put in its place from here:
# the stage `build` is the binary that cargo builds on this machine, the base image is made of Debian's packages.
set -euo pipefail

AUDITABLE=0.7.7
AUDITABLE2CDX=0.1.0
BASE=gcr.io/distroless/cc-debian12:nonroot
NAME=pinpoint-import-role-controller

say() { echo "image: $*" >&2; }
fail() { say "$*"; exit 1; }

cd "$(dirname "$0")/../../.."
here=tests/tools/image
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/$NAME"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
[ "$(id -u)" = 0 ] || fail "buildah as it is used here needs root; docker build does not"

# A program of crates.io, by name and version.
tool() {
  local root="$cache/$1-$2"
  if [ ! -x "$root/bin/$1" ]; then
    say "installing $1 $2, once: a minute"
    cargo install --quiet --locked --version "$2" --root "$root" "$1" >&2
  fi
  PATH="$root/bin:$PATH"
}
tool cargo-auditable "$AUDITABLE"
tool auditable2cdx "$AUDITABLE2CDX"

say "building the release binary: about 6 minutes on two cores the first time"
cargo auditable build --quiet --release --locked --bin "$NAME"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{base,empty,stage/src/target/release} "$target/image"
cp "$target/release/$NAME" "$work/stage/src/target/release/"
sbom="$target/image/$NAME-$version.cdx.json"
auditable2cdx "$target/release/$NAME" >"$sbom"
parts=$(grep -o '"purl"' "$sbom" | wc -l)
[ "$parts" -gt 100 ] || fail "$sbom lists $parts packages: does the binary carry its dependency list?"

debian=$("$here/../debian/fetch.sh" buildah golang-github-containers-common libgpgme11 libassuan0 libgpg-error0 libdevmapper1.02.1 libseccomp2)
"$here/base.sh" "$work/base"
cat >"$work/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$work/images"
runroot = "$work/run"
END
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"
buildah() {
  LD_LIBRARY_PATH="$debian/usr/lib/$(uname -m)-linux-gnu:$debian/lib/$(uname -m)-linux-gnu" \
    CONTAINERS_STORAGE_CONF="$work/storage.conf" BUILDAH_ISOLATION=chroot "$debian/usr/bin/buildah" "$@"
}
bud() { buildah bud --quiet --no-cache --timestamp 0 --signature-policy "$work/policy.json" "$@"; }

grep -q "^FROM $BASE\$" Dockerfile || fail "the Dockerfile's last stage does not begin with $BASE: say here what it begins with"
bud --tag localhost/base -f "$here/Dockerfile.base" "$work/base" >/dev/null
for turn in first second; do
  ids+=("$(bud --build-context "build=$work/stage" --build-context "$BASE=container-image://localhost/base" \
    --tag "localhost/$NAME" -f Dockerfile "$work/empty")")
  say "built for the $turn time: ${ids[-1]}"
  touch "$work"/stage/src/target/release/*
done
[ "${ids[0]}" = "${ids[1]}" ] || fail "two builds of the same made two images: ${ids[*]}"

config=$(buildah inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}' "localhost/$NAME")
[ "$config" = "65532:65532 [/$NAME] $version" ] || fail "user, entrypoint and version are: $config"
archive="$target/image/$NAME-$version.tar"
rm -f "$archive"
buildah push --quiet --signature-policy "$work/policy.json" "localhost/$NAME" "oci-archive:$archive:docker.io/library/$NAME:$version" >&2
say "$archive: $(du -h "$archive" | cut -f1), of which the binary is $(du -h "$target/release/$NAME" | cut -f1) unpacked; $parts packages in $sbom"
echo "$archive"
