#!/usr/bin/env bash
# Installs what the tests use from outside Go, where it is missing:
#
#   scripts/setup.sh gcc curl postgresql chromium python node sdk
#
# node is Node.js 22, sdk the npm packages of e2e/sdk, which need it; goreleaser is
# what a release is made with. All three have one version, and come with checksums.
# It says nothing when nothing is missing. It installs only where it may: as
# root, with apt. Elsewhere it names what is missing and how to get it, installs what
# needs no root, and the tests that need the rest are skipped; in CI, which has to run
# them all, it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

have() { command -v "$1" >/dev/null 2>&1; }

# The newest that the Go of go.mod compiles. Compiling it takes minutes, once.
goreleaser=v2.16.0

# present NAME: is it here? Debian keeps PostgreSQL's own programs off the PATH.
present() {
  case $1 in
    gcc) have gcc && echo 'int main(void){return 0;}' | gcc -xc - -o /dev/null 2>/dev/null ;;
    curl) have curl ;;
    postgresql) have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
    chromium) have chromium || have chromium-browser || have google-chrome ;;
    python) /usr/bin/python3 -c 'import requests' 2>/dev/null || { have python3 && python3 -c 'import requests' 2>/dev/null; } ;;
    node) [[ $(.tools/bin/node --version 2>/dev/null || node --version 2>/dev/null) =~ ^v(2[2-9]|[3-9][0-9])\. ]] ;;
    goreleaser) go version -m .tools/bin/goreleaser 2>/dev/null | grep "github.com/goreleaser/goreleaser/v2[[:space:]]${goreleaser}[[:space:]]" >/dev/null ;;
    # npm writes its own lock file when it has installed everything; ours is kept beside it.
    sdk) cmp -s e2e/sdk/package-lock.json e2e/sdk/node_modules/.installed-lock.json ;;
    *) echo "setup: nothing is known about '$1'; it knows gcc, curl, postgresql, chromium, python, node, sdk and goreleaser" >&2; exit 2 ;;
  esac
}

# packages NAME: what apt calls it.
packages() {
  case $1 in
    gcc) echo gcc libc6-dev ;; # for the race detector, which needs cgo
    curl) echo curl ;; # the guide's commands
    postgresql) echo postgresql ;;
    chromium) echo chromium ;;
    python) echo python3 python3-requests ;; # the robots API's document has examples in it
    node | sdk) have npm || echo npm ;;
  esac
}

# quietly COMMAND…: its output only when it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    echo "setup: this failed: $*" >&2
    return 1
  fi
  rm -f "$log"
}

# The tests start clusters of their own, so Debian need not make and start one.
no_cluster() {
  [[ -e /etc/postgresql-common/createcluster.conf ]] && return
  mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
}

# node_22 puts Node.js 22 into .tools/bin: Debian's is older than the clients ask for.
# What is installed is what scripts/node/package-lock.json has the checksum of.
node_22() (
  mkdir -p .tools/node .tools/bin
  cp scripts/node/package.json scripts/node/package-lock.json .tools/node/
  cd .tools/node
  quietly npm ci --ignore-scripts --no-audit --no-fund
  ln -sf ../node/node_modules/node-*/bin/node ../bin/node
)

# go_releaser compiles goreleaser; what it is made of is held to Go's checksum database.
go_releaser() (
  mkdir -p .tools/bin
  export GOBIN="$PWD/.tools/bin" CGO_ENABLED=0
  quietly go install "github.com/goreleaser/goreleaser/v2@$goreleaser"
)

# sdk_packages installs exactly what e2e/sdk/package-lock.json names. No script of
# a package is run: none of them needs one, and whoever publishes one is not asked.
sdk_packages() (
  export PATH="$PWD/.tools/bin:$PATH"
  cd e2e/sdk
  quietly npm ci --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.installed-lock.json
)

missing=()
for name in "$@"; do
  present "$name" || missing+=("$name")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

wanted=$(for name in "${missing[@]}"; do packages "$name"; done | xargs)
if [[ -n $wanted ]]; then
  if [[ $(id -u) -ne 0 ]] || ! have apt-get; then
    apart=() # what needs no package of the system
    for name in "${missing[@]}"; do
      if [[ -n $(packages "$name") ]]; then
        echo "setup: $name is not found. Tests that need it are skipped. To have it: install $(packages "$name" | xargs), as root."
      else
        apart+=("$name")
      fi
    done
    [[ ${CI:-} == true ]] && exit 1
    [[ ${#apart[@]} -eq 0 ]] && exit 0
    missing=("${apart[@]}")
  else
    echo "setup: installing $wanted"
    [[ " ${missing[*]} " == *' postgresql '* ]] && no_cluster
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -o DPkg::Lock::Timeout=300 update -qq
    # shellcheck disable=SC2086 # one word for each package
    quietly apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $wanted
  fi
fi
if [[ " ${missing[*]} " == *' node '* ]]; then
  echo "setup: installing Node.js 22 into .tools"
  node_22
fi
if [[ " ${missing[*]} " == *' sdk '* ]]; then
  echo "setup: installing the packages of e2e/sdk"
  sdk_packages
fi

if [[ " ${missing[*]} " == *' goreleaser '* ]]; then
  echo "setup: compiling goreleaser $goreleaser into .tools: this takes some minutes"
  go_releaser
fi

for name in "${missing[@]}"; do
  present "$name" || { echo "setup: $name was installed and still is not found" >&2; exit 1; }
done
