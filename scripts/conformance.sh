#!/bin/sh
# Runs Kubernetes' official conformance suite against a ktui engine of its own, on real Podman.
#     scripts/conformance.sh [FOCUS]        a regular expression; without one, every conformance spec of one node
# Builds the suite, kubectl and the images it uses from source with Go (once: about 15 minutes on 2 cores; Debian's
# debootstrap gives their base), into ~/.cache/ktui-conformance; no image registry is asked. Prints what failed, and
# leaves the suite's log and report in conformance/ under that folder. Needs root, as the images' base does.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
version=${KUBERNETES_VERSION:-v1.37.2}
library=v0.${version#v1.}
home=${CONFORMANCE_HOME:-$HOME/.cache/ktui-conformance}
source=$home/kubernetes-$version
bin=$home/bin-$version
work=$home/conformance
names=localhost/ktui-conformance
focus=${1:-'\[Conformance\]'}
workers=${CONFORMANCE_WORKERS:-4}
skip=${CONFORMANCE_SKIP:-'at least two untainted nodes'}

say() {
    echo "conformance: $*"
}

fail() {
    echo "conformance: $*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "$1 is missing; $2"
}

fetch_source() {
    [ -f "$source/ready" ] && return
    say "fetching Kubernetes $version"
    modules=$(go env GOMODCACHE)
    go mod download "k8s.io/kubernetes@$version"
    rm -rf "$source"
    cp -r "$modules/k8s.io/kubernetes@$version" "$source"
    chmod -R u+w "$source"
    rm -rf "$source/vendor" "$source/go.work" "$source/go.work.sum"
    # A module's archive has no other modules in it: what Kubernetes keeps in staging/ comes as it was published.
    sed -i -E "s#=> \./staging/src/(k8s\.io/[a-z-]+)#=> \1 $library#; s#^(\tk8s\.io/[a-z-]+) v0\.0\.0\$#\1 $library#" "$source/go.mod"
    touch "$source/ready"
}

build() {
    [ -x "$bin/$1" ] && return
    say "building $1"
    stamp="-X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(echo "$version" | cut -d. -f2)"
    case $1 in
    e2e.test) (cd "$source" && GOFLAGS=-mod=mod CGO_ENABLED=0 go test -c -ldflags "-s -w $stamp" -o "$bin/$1" "$2") ;;
    *) (cd "$source" && GOFLAGS=-mod=mod CGO_ENABLED=0 go build -ldflags "-s -w $stamp" -o "$bin/$1" "$2") ;;
    esac
}

build_all() {
    mkdir -p "$bin"
    build kubectl ./cmd/kubectl
    build e2e.test ./test/e2e
    build ginkgo github.com/onsi/ginkgo/v2/ginkgo
    images=./test/images
    build agnhost $images/agnhost
    build regression-issue-74839 $images/regression-issue-74839
    build consumer $images/resource-consumer
    build consume-cpu $images/resource-consumer/consume-cpu
    build nnp $images/nonewprivs
    [ -x "$bin/sample-apiserver" ] || GOBIN=$bin CGO_ENABLED=0 go install "k8s.io/sample-apiserver@$library"
    need etcd "scripts/setup.sh --bench installs it"
    [ -x "$bin/etcd" ] || cp "$(command -v etcd)" "$bin/etcd"
}

make_base() {
    podman image exists $names/base:1 && return
    need debootstrap "apt-get install debootstrap"
    say "making the images' base"
    root=$home/base
    rm -rf "$root"
    debootstrap --variant=minbase \
        --include=nginx-light,dnsutils,curl,netcat-openbsd,iproute2,iptables,procps,perl,socat,util-linux,net-tools,ca-certificates,busybox-static \
        bookworm "$root" >"$home/debootstrap.log" 2>&1 || fail "debootstrap failed; see $home/debootstrap.log"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar -C "$root" --exclude=./dev --exclude=./proc --exclude=./sys -cf - . | podman import -q - $names/base:1 >/dev/null
    rm -rf "$root"
}

# image NAME:TAG "DOCKERFILE" FILES...: builds one, unless it is there
image() {
    name=$names/$1
    text=$2
    shift 2
    podman image exists "$name" && return
    say "building image $name"
    folder=$(mktemp -d)
    for file in "$@"; do
        cp -rL "$file" "$folder/"
    done
    printf "%b" "$text" >"$folder/Dockerfile"
    podman build -q -t "$name" "$folder" >/dev/null
    rm -rf "$folder"
}

make_images() {
    make_base
    base="FROM $names/base:1"
    porter=$source/test/images/agnhost/porter
    agnhost="$base\nRUN mkdir /uploads; ln -s agnhost /agnhost-2; useradd -u 1000 user-defined-in-image; groupadd -g 50000 group-defined-in-image; usermod -aG group-defined-in-image user-defined-in-image\nADD agnhost localhost.crt localhost.key /\nEXPOSE 80 8080 8081 9376 5000\nENTRYPOINT [\"/agnhost\"]\nCMD [\"pause\"]\n"
    image agnhost:base "$agnhost" "$bin/agnhost" "$porter/localhost.crt" "$porter/localhost.key"
    "$bin/e2e.test" --list-images --kube-test-repo-list="$work/repositories.yaml" 2>/dev/null | grep "^$names/" | while read -r wanted; do
        tag=${wanted#"$names"/}
        html=$source/test/images/${tag%%:*}/html
        case $tag in
        agnhost:*) podman tag $names/agnhost:base "$wanted" ;;
        perl:* | ipc-utils:* | glibc-dns-testing:*) podman tag $names/base:1 "$wanted" ;;
        busybox:*) image "$tag" "$base\nRUN busybox --install /usr/local/bin; rm /usr/local/bin/sh; ln -sf bash /bin/sh; ln -sf /usr/local/bin/sysctl /bin/sysctl\nCMD [\"sh\"]\n" ;;
        nginx:*) image "$tag" "$base\nRUN sed -i 's/listen \\\\[::\\\\]:80.*//' /etc/nginx/sites-enabled/default; echo 'Welcome to nginx!' > /var/www/html/index.html\nEXPOSE 80\nCMD [\"nginx\",\"-g\",\"daemon off;\"]\n" ;;
        nonroot:*) image "$tag" "FROM $names/agnhost:base\nUSER 1234\n" ;;
        nautilus:* | kitten:*) image "$tag" "FROM $names/agnhost:base\nCOPY * /\nCMD [\"test-webserver\"]\n" "$html/data.json" "$html/${tag%%:*}.jpg" ;;
        pause:*) image "$tag" "FROM scratch\nADD agnhost /agnhost\nENTRYPOINT [\"/agnhost\",\"pause\"]\n" "$bin/agnhost" ;;
        regression-issue-74839:*) image "$tag" "FROM scratch\nADD regression-issue-74839 /\nENTRYPOINT [\"/regression-issue-74839\"]\n" "$bin/regression-issue-74839" ;;
        resource-consumer:*) image "$tag" "$base\nADD consumer /\nADD consume-cpu /consume-cpu/\nEXPOSE 8080\nENTRYPOINT [\"/consumer\"]\n" "$bin/consumer" "$bin/consume-cpu" ;;
        sample-apiserver:*) image "$tag" "FROM scratch\nADD sample-apiserver /\nENTRYPOINT [\"/sample-apiserver\"]\n" "$bin/sample-apiserver" ;;
        etcd:*) image "$tag" "$base\nADD etcd /usr/local/bin/\nCMD [\"etcd\"]\n" "$bin/etcd" ;;
        nonewprivs:*) image "$tag" "$base\nADD nnp /usr/local/bin/\nRUN chmod +s /usr/local/bin/nnp\nCMD [\"nnp\"]\n" "$bin/nnp" ;;
        esac
    done
}

stop_engine() {
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    .venv/bin/ktui --data-dir "$data" down >/dev/null 2>&1 || true
    rm -rf "$data"
}

# specs WORKERS SKIP [FOCUS]
specs() {
    "$bin/ginkgo" --procs="$1" --no-color --silence-skips --timeout=6h --focus="${3:-$focus}" --skip="$2" \
        "$bin/e2e.test" -- --kubeconfig="$data/kubeconfig" --provider=skeleton \
        --kubectl-path="$bin/kubectl" --repo-root="$source" --kube-test-repo-list="$work/repositories.yaml" \
        --disable-log-dump --dump-logs-on-failure=false >"$work/e2e-$1.log" 2>&1
}

run() {
    data=$(mktemp -d /tmp/ktui-conformance-XXXXXX)
    .venv/bin/ktui --data-dir "$data" serve --listen 127.0.0.1:0 >"$work/engine.out" 2>"$work/engine.log" &
    engine=$!
    trap stop_engine EXIT
    trap 'exit 130' INT TERM
    tries=0
    until grep -q "^ktui ready" "$work/engine.out"; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || fail "the engine did not start: $(cat "$work/engine.log")"
        sleep 0.1
    done
    say "running; the logs are $work/e2e-*.log"
    status=0
    # Those that want the cluster for themselves come last.
    specs "$workers" "$skip|\\[Serial\\]" || status=$?
    specs 1 "$skip" "($focus).*\\[Serial\\]|\\[Serial\\].*($focus)" || status=$?
    grep -ahE "^Ran |\[FAIL\]|\[TIMEDOUT\]" "$work"/e2e-*.log | sort -u
    exit $status
}

# crun refuses cgroup v1 beside v2, as ktui finds out by trying.
podman() {
    if [ -d /sys/fs/cgroup/unified ]; then command podman --runtime runc "$@"; else command podman "$@"; fi
}

need go "see https://go.dev/doc/install"
[ -x .venv/bin/ktui ] || fail ".venv is missing; run scripts/setup.sh"
mkdir -p "$work"
printf '%s: '"$names"'\n' promoterE2eRegistry gcRegistry gcEtcdRegistry >"$work/repositories.yaml"
.venv/bin/python -m ktui.engine.kubelet.runtime.podman_config >"$work/containers.conf"
export CONTAINERS_CONF="$work/containers.conf"
fetch_source
build_all
make_images
unset CONTAINERS_CONF
cd "$here"
run
