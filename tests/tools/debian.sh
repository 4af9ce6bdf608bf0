# shellcheck shell=sh
# A root of Debian 12, made by debootstrap once and kept for the tests that need one.
# Sourced after tests/integration/lib.sh, whose words it uses.

# Kept where no build is: it takes longer to make than the tests that use it.
DEBIAN_CACHE=${FOREBAY_DEBIAN_CACHE:-/var/tmp/forebay-debian}

# Where this machine's own packages come from.
debian_mirror() {
	apt-get indextargets --format '$(CREATED_BY) $(CODENAME) $(SITE)' 2>/dev/null |
		awk '$1 == "Packages" && $2 == "bookworm" { print $3; exit }'
}

# debian_copy NAME PACKAGE,PACKAGE DIRECTORY: a copy of the root of that name
debian_copy() {
	local root=$DEBIAN_CACHE/$1 list=minbase,$2 mirror
	[ "$(id -u)" = 0 ] || skip_all "a root of Debian's is made by root only"
	command -v debootstrap >/dev/null || skip_all "no debootstrap (Debian: debootstrap)"
	(umask 022 && mkdir -p "$DEBIAN_CACHE")
	# anybody may make directories in /var/tmp
	[ "$(stat -c '%u %F' "$DEBIAN_CACHE")" = "0 directory" ] || bail "$DEBIAN_CACHE is not root's"
	exec 9>"$root.lock"
	flock 9
	if [ "$(cat "$root.packages" 2>/dev/null)" != "$list" ]; then
		rm -rf "$root" "$root.packages"
		mirror=$(debian_mirror)
		debootstrap --variant=minbase --include="$2" bookworm "$root" \
			"${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
			skip_all "debootstrap: $(tail -n 1 "$root.log")"
		rm -rf "$root"/var/cache/apt/archives/*.deb
		echo "$list" >"$root.packages"
	fi
	cp -a "$root" "$3"
	exec 9>&-
}
