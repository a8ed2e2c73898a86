#!/usr/bin/env bash
# Builds the release of HEAD once more and compares it, byte for byte, with one that is
# there: with dist/, or with the checksums.txt that somebody has published.
#
#   scripts/reproduce.sh                     of dist/checksums.txt
#   scripts/reproduce.sh FILE                of another one
#   scripts/reproduce.sh --snapshot [FILE]   of one that was made with --snapshot
#   scripts/reproduce.sh --cached …          in a minute
#
# It builds at another path and in another time zone, and compiles everything anew: its
# build cache is its own, unless --cached takes over what was compiled before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=()
own=true
while [[ ${1:-} == --* ]]; do
  case $1 in
    --snapshot) mode=(--snapshot) ;;
    --cached) own=false ;;
    *) echo "reproduce: there is no '$1'; it knows --snapshot and --cached" >&2; exit 2 ;;
  esac
  shift
done
published=${1:-dist/checksums.txt}
[[ -f $published ]] || { echo "reproduce: there is no $published to compare with" >&2; exit 2; }

again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
mkdir "$again/another path" "$again/cache"
if $own; then export GOCACHE="$again/cache"; fi
TMPDIR="$again/another path" TZ=Pacific/Chatham LC_ALL=C \
  scripts/release.sh ${mode[@]+"${mode[@]}"} --into "$again/dist" >"$again/log" 2>&1 || { cat "$again/log" >&2; exit 1; }

if ! diff <(sort -k2 "$published") <(sort -k2 "$again/dist/checksums.txt"); then
  echo "reproduce: not the same: < is $published, > was built now with $(go version)" >&2
  exit 1
fi
echo "reproduce: $(wc -l <"$published") files are the same, byte for byte"
