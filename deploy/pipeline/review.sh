#!/usr/bin/env bash
# Reviews a change of manifests: review.sh FOLDER COMMENT
#
# Writes to the file COMMENT what a pull request should show. Exit code 0: sound; 1: it is not to be merged as it is. A change that
# widens access is sound only with ALLOW_WIDENING=1, which is for a person to set.
#
# Needs the controller's binary in PATH, AWS credentials that may read IAM, and either a kubeconfig or PIR_CLUSTER_ID.
set -euo pipefail

folder=$1
comment=$2
tool=pinpoint-import-role-controller

if ! problems=$("$tool" validate -f "$folder"); then
  # A comment may have 65,536 characters.
  [ "${#problems}" -le 60000 ] || problems="${problems:0:60000}"$'…\nNot all is here: see validate itself.'
  printf '### Pinpoint import roles: the manifests have problems\n\n~~~text\n%s\n~~~\n' "$problems" >"$comment"
  exit 1
fi
options=(--output markdown)
[ -n "${ALLOW_WIDENING:-}" ] || options+=(--fail-on-widening)
code=0
"$tool" plan -f "$folder" "${options[@]}" >"$comment" || code=$?
# 0: nothing would change, 2: changes, 1: an error, or a change that widens access.
[ "$code" -eq 0 ] || [ "$code" -eq 2 ]
