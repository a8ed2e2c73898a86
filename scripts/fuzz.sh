#!/usr/bin/env bash
# Runs every fuzz test of the module, one after the other: go test takes only one
# at a time.
#
#   scripts/fuzz.sh 10s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10s}

grep -rlE --include='*_test.go' '^func Fuzz[A-Z]' . | while read -r file; do
  sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$file" | while read -r name; do
    echo "$(dirname "$file") $name"
    go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$(dirname "$file")" </dev/null
  done
done
