#!/usr/bin/env bash
# Builds a release of the commit that HEAD is, in a clone of its own, into dist/:
#
#   scripts/release.sh              HEAD has a tag, which is the version
#   scripts/release.sh --snapshot   any commit, to try it
#   scripts/release.sh --into DIR   elsewhere than dist/
#
# What is not committed is not in it. It holds everything to what is promised before it
# says that it is done. Nothing is published.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."

into=dist
mode=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --snapshot) mode=(--snapshot) ;;
    --into)
      [[ -n ${2:-} ]] || { echo "release: --into wants a folder" >&2; exit 2; }
      into=$2
      shift ;;
    *) echo "release: there is no '$1'; it knows --snapshot and --into DIR" >&2; exit 2 ;;
  esac
  shift
done
if [[ ${#mode[@]} -eq 0 ]] && ! git describe --exact-match --tags HEAD >/dev/null 2>&1; then
  echo "release: HEAD has no tag. Tag it (CONTRIBUTING.md, \"A release\"), or try with 'make release-dry'." >&2
  exit 1
fi
[[ -z $(git status --porcelain) ]] || echo "release: what is not committed is left out" >&2

scripts/setup.sh goreleaser
tools=$PWD/.tools/bin
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone --quiet --no-hardlinks . "$clone/errand"
if remote=$(git remote get-url origin 2>/dev/null); then # what goreleaser publishes to
  git -C "$clone/errand" remote set-url origin "$remote"
else
  git -C "$clone/errand" remote remove origin
fi
git -C "$clone/errand" checkout --quiet --detach "$(git rev-parse HEAD)"
(
  cd "$clone/errand"
  "$tools/goreleaser" release --clean --skip=publish,announce ${mode[@]+"${mode[@]}"}
  .tools/bin/release hold dist
)

mkdir -p "$into"
find "$into" -maxdepth 1 -type f \( -name 'errand_*' -o -name 'checksums.txt*' \) -delete
for file in "$clone"/errand/dist/errand_* "$clone"/errand/dist/checksums.txt; do
  if [[ -f $file ]]; then cp -p "$file" "$into/"; fi
done
echo "release: $(git rev-parse --short HEAD) is in $into/"
