#!/usr/bin/env bash
# Makes the fixture of a data format for e2e/upgrade: builds the program of a commit,
# lets it work, kills it, and keeps what it has left.
#
#   scripts/fixture.sh           of the last commit here
#   scripts/fixture.sh v0.3.0    of another one
#
# The result is e2e/upgrade/testdata/format-N.tar.gz, where N is the number of the last
# file in internal/store/sqlite/schema of that commit. One that is there is written over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=${1:-HEAD}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git clone --quiet --no-hardlinks --no-checkout . "$tree" # not an archive: it says of which commit it is
git -C "$tree" checkout --quiet --detach "$(git rev-parse --verify "$commit^{commit}")"
(cd "$tree" && CGO_ENABLED=0 go build -trimpath -buildvcs=true -o errand .)

format=$(find "$tree/internal/store/sqlite/schema" -name '*.sql' | wc -l)
to=$PWD/e2e/upgrade/testdata/format-$((format)).tar.gz
ERRAND_BINARY=$tree/errand ERRAND_FIXTURE=$to go test -count=1 -run 'TestFixture$' ./e2e/upgrade
echo "$to"
