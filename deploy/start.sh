#!/bin/sh
# Starts a node in a container: the key that all nodes share is mounted as a secret, and
# the server looks for it in its data directory.
set -eu
umask 077
mkdir -p "$ERRAND_DATA"
for secret in /run/secrets/seal_key /etc/errand/seal_key; do
  if [ -f "$secret" ] && [ ! -f "$ERRAND_DATA/seal.key" ]; then
    cp "$secret" "$ERRAND_DATA/seal.key.new"
    mv "$ERRAND_DATA/seal.key.new" "$ERRAND_DATA/seal.key"
  fi
done
exec errand "$@"
