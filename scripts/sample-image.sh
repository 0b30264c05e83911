#!/bin/sh
# Builds localhost/ktui-sample:1 and :2 with Podman from this machine's static busybox: no registry is asked.
# Each serves /www on port 8080 (a page that names its version, and /healthz). Does nothing when both are there.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
name=localhost/ktui-sample

fail() {
    echo "sample-image: $1" >&2
    exit 1
}

command -v podman >/dev/null || fail "podman is not installed; run scripts/setup.sh"
[ -x "$python" ] || fail "$python is missing; run scripts/setup.sh"

# A changed script makes new images.
revision=$(cksum "$0" | cut -d' ' -f1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
"$python" -m ktui.engine.kubelet.runtime.podman_config >"$work/containers.conf"
export CONTAINERS_CONF="$work/containers.conf"

found=$(podman image inspect --format '{{index .Labels "dev.ktui.sample"}}' "$name:1" "$name:2" 2>/dev/null | tr '\n' ' ' || true)
[ "$found" = "$revision $revision " ] && exit 0

busybox=$(command -v busybox) || fail "busybox is not installed; run scripts/setup.sh"
if ldd "$busybox" >/dev/null 2>&1; then
    fail "$busybox needs shared libraries; install a static one (Debian: busybox-static)"
fi

root="$work/root"
mkdir -p "$root/bin" "$root/etc" "$root/www" "$root/tmp" "$root/home/app" "$root/var/log" "$root/usr" "$root/lib"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
ln -s ../bin "$root/usr/bin"
printf 'root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\napp:x:1000:\nnogroup:x:65534:\n' >"$root/etc/group"
echo ok >"$root/www/healthz"
# A process with pid 1 has no default signal actions: without the trap every stop would take the whole grace period.
cat >"$root/bin/serve" <<'SERVE'
#!/bin/sh
trap 'kill $server; exit 0' TERM INT
httpd -f -v -p "${PORT:-8080}" -h /www &
server=$!
wait $server
SERVE
chmod +x "$root/bin/serve"

for version in 1 2; do
    case $version in
        1) colour=steelblue greeting="Hello from ktui" ;;
        2) colour=seagreen greeting="Hello again, now in green" ;;
    esac
    echo "$version" >"$root/etc/ktui-sample-version"
    cat >"$root/www/index.html" <<PAGE
<!doctype html>
<title>ktui sample $version</title>
<body style="background: $colour; color: white; font-family: sans-serif">
<h1>$greeting</h1>
<p>This is version $version.</p>
PAGE
    podman build --quiet --label "dev.ktui.sample=$revision" --tag "$name:$version" --file - "$root" >/dev/null <<BUILD || fail "podman could not build $name:$version"
FROM scratch
COPY . /
ENV PATH=/bin SAMPLE_VERSION=$version
EXPOSE 8080
CMD ["serve"]
BUILD
    echo "sample-image: built $name:$version"
done

# What these replaced, unless a container still uses it.
for old in $(podman images --quiet --filter dangling=true --filter label=dev.ktui.sample); do
    podman rmi "$old" >/dev/null 2>&1 || true
done
