# Shared by scripts/demo and scripts/test: installs what is missing, builds, and says what it does. Sourced, not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_packages=(g++ cmake ninja-build pkg-config nlohmann-json3-dev libcpp-httplib-dev libssh2-1-dev libexpected-dev
                catch2 libssl-dev libsqlite3-dev libarchive-dev libcli11-dev libcmark-gfm-dev
                libcmark-gfm-extensions-dev libyaml-dev libtomlplusplus-dev libpcre2-dev libtree-sitter-dev
                libvalijson-dev)
# What the sandbox's machines are made of, and what people type at them.
run_packages=(openssh-server openssh-client screen rsync python3 curl procps util-linux zstd iproute2)
# What only tests need: the browser that looks at the pages, 16 s of download and unpacking.
test_packages=(chromium)
# What scripts/package and its test need beside cmake.
pack_packages=(dpkg-dev file binutils python3)

say() { printf '%s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else say "cannot install packages: neither root nor sudo. Install by hand: $*"; return 1
  fi
}

missing_packages() {
  local p
  for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || printf '%s\n' "$p"
  done
}

install_missing() {
  if ! command -v dpkg-query >/dev/null; then
    say "this is not a Debian-like system; the libraries must be there already: $*"
    return 0
  fi
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  say "installing:" $missing
  export DEBIAN_FRONTEND=noninteractive
  # A freshly installed sshd must not start listening on a machine that only wanted its binary.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy"; made=yes; fi
  as_root apt-get update -qq
  local status=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 || status=$?
  [ -z "$made" ] || as_root rm -f $policy
  return $status
}

# build TARGET...: configures once, then builds; without a change this is a no-op of a moment.
build() {
  [ -f build/dev/build.ninja ] || cmake --preset dev >&2
  cmake --build build/dev --target "$@" >&2
}
