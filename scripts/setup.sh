#!/bin/sh
# Makes this machine ready for ktui: Debian packages (through sudo when not root), .venv, ktui itself.
# Says what it does; does nothing, quickly, when all is there. On other systems it says what to install.
# With --bench also what the benchmarks compare with and the conformance suite is built with (etcd: its Debian package starts a daemon where systemd runs,
# so it is left out of a plain setup there).
set -eu
cd "$(dirname "$0")/.."

runtime_packages="podman runc crun conmon netavark catatonit nftables conntrack iptables iproute2 busybox-static uidmap fuse-overlayfs slirp4netns"
python_packages="python3-venv"
test_packages="tmux"
bench_packages="etcd-server"
other_bench_packages="nginx-light wrk iperf3 dnsperf dnsmasq-base debootstrap"
with_bench=no
[ "${1:-}" = --bench ] && with_bench=yes

say() {
    echo "setup: $*"
}

fail() {
    echo "setup: $*" >&2
    exit 1
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root and no sudo; run as root: $*"
    fi
}

install_debian_packages() {
    missing=""
    wanted_packages="$runtime_packages $python_packages $test_packages"
    # Any kubectl will do for the tests; Debian's is old.
    command -v kubectl >/dev/null || wanted_packages="$wanted_packages kubernetes-client"
    if [ "$with_bench" = yes ] || [ ! -d /run/systemd/system ]; then
        wanted_packages="$wanted_packages $bench_packages"
    fi
    [ "$with_bench" = no ] || wanted_packages="$wanted_packages $other_bench_packages"
    for package in $wanted_packages; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -z "$missing" ] && return
    say "installing Debian packages:$missing"
    as_root apt-get update -q || say "apt-get update failed; trying with the lists at hand"
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ||
        fail "apt-get could not install:$missing"
}

check_other_system() {
    missing=""
    for program in podman conmon nft ip conntrack busybox tmux kubectl; do
        PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing="$missing $program"
    done
    command -v runc >/dev/null || command -v crun >/dev/null || missing="$missing crun"
    [ -z "$missing" ] && return
    say "not a Debian system: install with your package manager:$missing"
    say "(what Debian calls: $runtime_packages $python_packages $test_packages; for benchmarks: $bench_packages $other_bench_packages)"
    say "ktui --runtime sim works without them"
}

find_python() {
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "ktui needs Python 3.11 or newer"
}

make_venv() {
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$(find_python)
        say "making .venv with $python"
        "$python" -m venv --clear .venv || fail "$python can't make a virtual environment (Debian: python3-venv)"
    fi
    # What is installed stands for these files; when they are the same there is nothing to do.
    wanted=$(cat pyproject.toml requirements.lock 2>/dev/null | cksum)
    stamp=.venv/.ktui-setup
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && [ -x .venv/bin/ktui ] && return
    if [ -f requirements.lock ]; then
        say "installing the locked Python packages"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
        say "installing ktui"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
    else
        say "installing ktui and its Python packages"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
    fi
    echo "$wanted" >"$stamp"
}

# etcd's own load generator, of the release that Debian has; benchmarks/store.py uses it where it is there.
build_etcd_benchmark() {
    [ -x .venv/bin/etcd-benchmark ] && return
    command -v go >/dev/null || return 0
    say "building etcd's own benchmark"
    folder=$(mktemp -d)
    if GOBIN="$folder" go install go.etcd.io/etcd/tools/benchmark@v0.5.0-alpha.5.0.20200910180754-dd1b699fc489; then
        mv "$folder/benchmark" .venv/bin/etcd-benchmark
    else
        say "it could not be built; the other figures come without it"
    fi
    rm -rf "$folder"
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    install_debian_packages
else
    check_other_system
fi
make_venv
[ "$with_bench" = no ] || build_etcd_benchmark
say "ready"
