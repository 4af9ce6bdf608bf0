#!/bin/sh
# The images of docker/, built and run: an event posted over TLS to nginx in the one
# stands in the journal of the collector in the other. There need be neither a daemon
# nor a registry: buildah works in a chroot, on a base made by debootstrap.
. "$(dirname "$0")/../integration/lib.sh"
. "$(dirname "$0")/../tools/debian.sh"

[ "$(id -u)" = 0 ] || skip_all "images are built by root here"
command -v buildah >/dev/null || skip_all "no buildah (Debian: buildah)"
command -v curl >/dev/null || skip_all "no curl"
cd "$top_srcdir" || exit 1
AS=
STORE=${FOREBAY_IMAGE_STORE:-/var/tmp/forebay-images}
BASE=docker.io/library/debian:bookworm-slim	# what FROM names
[ -d "$STORE" ] || mkdir -m 0700 "$STORE"
[ "$(stat -c '%u %F' "$STORE")" = "0 directory" ] || bail "$STORE is not root's"
W=$(mktemp -d /var/tmp/forebay-image-XXXXXX) || exit 1
mkdir "$W/log" "$W/run" "$W/tls" "$W/state"

images() { buildah --storage-driver vfs --root "$STORE" --runroot "$W/storage" "$@"; }
end() {
	local rc=$? f
	trap - EXIT INT TERM HUP
	for f in "$W"/*.pid; do
		[ -e "$f" ] && kill -TERM "-$(cat "$f")" 2>/dev/null
	done
	for f in "$W"/*.pid; do
		[ -e "$f" ] || continue
		wait_until 30 gone "$(cat "$f")"
		kill -KILL "-$(cat "$f")" 2>/dev/null
	done
	[ "$FAILED" = 0 ] && [ $rc = 0 ] || for f in "$W"/log/*; do
		note "--- ${f##*/}, the end:" && note "$(tail -n 25 "$f" | cut -c 1-300)"
	done
	images rm --all >/dev/null 2>&1
	images rmi --prune >/dev/null 2>&1	# the three that have names keep their layers
	rm -rf "$W"
	exit $rc
}
trap end EXIT
trap 'exit 130' INT TERM HUP
exec 8>"$STORE.lock"
flock 8

base() {
	local c
	! images inspect --type image "$BASE" >/dev/null 2>&1 || return 0
	debian_copy base apt "$W/root"	# says so where it cannot
	{ c=$(images from scratch) && images add -q "$c" "$W/root" / && images commit -q "$c" "$BASE"; } \
		>"$W/log/base.log" 2>&1 || bail "no base image"
	rm -rf "$W/root"
}
build() {
	timeout 500 buildah --storage-driver vfs --root "$STORE" --runroot "$W/storage" bud --isolation chroot \
		--format docker --layers --pull-never -f docker/Dockerfile --target "$1" -t "$2" . \
		>"$W/log/$2.log" 2>&1
}
base
ok "the build stage is built" build build forebay-build
ok "the image of the programs is built" build forebay forebay
ok "the image of nginx is built" build nginx forebay-nginx
[ "$FAILED" = 0 ] || exit 1
like "it runs as its own user" "$(images inspect --format '{{.OCIv1.Config.User}}' forebay)" '^forebay$'
like "with a health check" "$(images inspect --type image forebay)" 'share/forebay/healthcheck'

# As docker/compose.yaml has it: a socket and a journal that outlive the containers,
# and no network but a loopback, where port 8443 is free.
chown 10001:10001 "$W/run" "$W/state"
chown www-data "$W/tls"
chmod 0755 "$W"
spawn net unshare --net sh -c 'ip link set lo up; exec sleep 600'
netns() { nsenter -t "$(pid_of net)" -n -- "$@"; }
wait_until 30 netns grep -q lo /proc/net/fib_trie
COLLECT=$(images from --pull-never forebay) && NGINX=$(images from --pull-never forebay-nginx) || bail "no containers"
# buildah mounts these of its own over the ones given below, or under them, as it happens
images config --volume /run/forebay- --volume /var/lib/forebay- "$COLLECT" &&
	images config --volume /etc/forebay/tls- "$NGINX" || bail "volumes stay"
# in the images: $IN CONTAINER -- COMMAND ...; two words of a command are never one here
IN="nsenter -t $(pid_of net) -n -- buildah --storage-driver vfs --root $STORE --runroot $W/storage run
	--isolation chroot -e FOREBAY_COLLECT_KEYS= -e FOREBAY_JOURNAL_FLOOR_BYTES=64M
	-v $W/run:/run/forebay -v $W/state:/var/lib/forebay -v $W/tls:/etc/forebay/tls"
health() { $IN "$COLLECT" -- /usr/share/forebay/healthcheck; }

unhealthy() { ! health; }
ok "it is not healthy before it runs" unhealthy
# shellcheck disable=SC2086	# words
spawn collector $IN "$COLLECT" -- forebayd
ok "the collector is healthy" wait_until 60 health
# A container's user may open its standard output, for runtimes see to that; buildah
# does not, so here it is a file.
# shellcheck disable=SC2086	# words
spawn nginx $IN "$NGINX" -- sh -c 'exec /usr/share/forebay/nginx-start >/tmp/stdout'
up() { netns curl -fsS -o /dev/null --cacert "$W/tls/cert.pem" https://localhost:8443/readyz; }
ok "nginx answers, with the certificate that it has made" wait_until 60 up
is "an event is taken" "$(netns curl -sS -o "$W/answer" -w '%{http_code}' --cacert "$W/tls/cert.pem" \
	-d '{"id":"boxed","type":"hello"}' https://localhost:8443/v1/events)" 202
is "it stands in the journal" "$($IN "$COLLECT" -- forebay query \
	"select id, type from event" 2>&1)" "boxed|hello"
like "the flusher is there" "$($IN "$COLLECT" -- forebay-flusher --version)" '^forebay-flusher '
done_testing
