#!/usr/bin/env bash
# Installs what building, testing and measuring need, on Debian and Ubuntu.
#
#   tools/setup.sh          install what is missing (does nothing, quickly, when all is there)
#   tools/setup.sh --run    only what `make run` needs: compiler, CMake, Ninja, Python
#   tools/setup.sh --check  install nothing; list what is missing; exit 1 if something required is
#
# Required packages that cannot be had end the script with status 1 after everything else was tried.
# Optional ones are named and skipped: the tests that need them skip themselves.
# The tests of rust/ need a newer Rust than Debian has, from https://rustup.rs; without, they are skipped.
# No service is started: package scripts that try are refused for the time of the installation.
set -u

build=(build-essential cmake ninja-build pkg-config python3)
required=("${build[@]}" libcmocka-dev python3-pytest python3-venv python3-dev clang-format git)
optional=(
    python3-pytest-timeout python3-matplotlib clang libclang-rt-dev clang-tidy valgrind libc6-dbg gcovr gdb
    spin                                                     # second opinion on the protocols
    libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4         # peers in bench/, as scudo of libclang-rt-dev is
    redis-server redis-tools sqlite3 perl lua5.4 nodejs      # real programs under LD_PRELOAD
    ghostscript z3 stress-ng
    qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross musl-tools  # other targets
    doxygen man-db                                           # documents
    rustc cargo                                              # the oldest compiler that rust/ is for
)

policy=/usr/sbin/policy-rc.d
policy_made=no

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing_of() {
    local name
    for name in "$@"; do installed "$name" || printf '%s\n' "$name"; done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "setup: neither root nor sudo: cannot run: $*" >&2
        return 1
    fi
}

refuse_services() {
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && policy_made=yes
    as_root chmod 755 "$policy"
}

allow_services() {
    [ "$policy_made" = yes ] && as_root rm -f "$policy"
    policy_made=no
}

install_now() {
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -q --no-install-recommends "$@"
}

mode=${1:-all}
case "$mode" in
all | --check) ;;
--run) required=("${build[@]}") optional=() ;;
*)
    sed -n '2,11p' "$0" | sed 's/^# \{0,1\}//'
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this script knows Debian and Ubuntu only. Install the equivalents of:"
    printf '    %s\n' "${required[*]}"
    for tool in cc cmake ninja pkg-config; do
        command -v "$tool" >/dev/null || { echo "setup: missing: $tool" >&2; exit 1; }
    done
    exit 0
fi

# CPython's own tests are packaged for the version of the system's python3.
if [ "$mode" != --run ] && [ -x /usr/bin/python3 ]; then
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    optional+=("libpython$version-testsuite")
fi

mapfile -t need < <(missing_of "${required[@]}")
mapfile -t want < <(missing_of ${optional[@]+"${optional[@]}"})
if [ ${#need[@]} -eq 0 ] && [ ${#want[@]} -eq 0 ]; then
    exit 0
fi

if [ "$mode" = --check ]; then
    [ ${#want[@]} -gt 0 ] && echo "setup: optional, missing: ${want[*]}"
    [ ${#need[@]} -gt 0 ] && echo "setup: required, missing: ${need[*]}" && exit 1
    exit 0
fi

echo "setup: installing: ${need[*]} ${want[*]}"
trap allow_services EXIT
trap 'exit 130' INT TERM
refuse_services

as_root apt-get update -q || echo "setup: apt-get update failed; trying with the lists at hand" >&2

# All at once is quickest; when one package is unknown, go one by one and name it.
if ! install_now "${need[@]}" ${want[@]+"${want[@]}"}; then
    for name in "${need[@]}" ${want[@]+"${want[@]}"}; do
        [ -n "$name" ] && install_now "$name" >/dev/null 2>&1
    done
fi

mapfile -t want < <(missing_of ${want[@]+"${want[@]}"})
mapfile -t need < <(missing_of ${need[@]+"${need[@]}"})
[ ${#want[@]} -gt 0 ] && echo "setup: optional, could not be installed: ${want[*]}"
if [ ${#need[@]} -gt 0 ]; then
    echo "setup: required, could not be installed: ${need[*]}" >&2
    exit 1
fi
echo "setup: done"
