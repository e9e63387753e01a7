#!/usr/bin/env bash
# Makes FOLDER a root file system as the Dockerfile's base image has it: glibc, libgcc, the certificates of authorities, and a user 65532;
# no shell, no package manager.
#   base.sh FOLDER
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(realpath -m "$1")
packages=$("$here/../debian/fetch.sh" libc6 libgcc-s1 ca-certificates)
mkdir -p "$root"/{etc/ssl/certs,home/nonroot,tmp}
chmod 1777 "$root/tmp"
(cd "$packages" && cp -a --parents lib lib64 usr/lib "$root")
# Converters of character sets, of which a program in UTF-8 has no need.
rm -rf "$root"/usr/lib/*/gconv
# A package's own script would do this once it is installed.
find "$packages/usr/share/ca-certificates" -name '*.crt' -print0 | sort -z | xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
END
printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
chown -R 65532:65532 "$root/home/nonroot"
