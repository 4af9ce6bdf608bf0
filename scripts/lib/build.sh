# shellcheck shell=bash
# The services' user may be unable to read or write the clone, so the source is
# copied to DATA/src, built in DATA/build and installed into DATA/prog.

# Paths of the source, relative to HERE, without what a build in the tree has made:
# make would find that, too, and take it for its own.
build_files() {
	(cd "$HERE" && find . -mindepth 1 \( -name .git -o -path ./run -o -path ./build-aux \
	    -o -name autom4te.cache -o -name .deps -o -name __pycache__ \
	    -o -type d -exec test -e '{}/config.status' \; \) -prune -o \
	    -type f ! -name '*.o' ! -name '*.a' ! -name '*.so' ! -name '*.trs' ! -name '*.log' \
	    ! -name .dirstamp \( ! -perm /111 -o -exec grep -qI '^#!' {} \; \) -print |
	    grep -vxE '\./(aclocal\.m4|config\.[a-z.]+~?|configure~?|Makefile(\.in)?|stamp-h1)' | LC_ALL=C sort)
}

build_manifest() {
	(cd "$HERE" && build_files | xargs -d '\n' sha256sum)
}

# build_sync: makes DATA/src what the clone is; only what differs is touched, so
# that make builds only what it must. Sets BUILD_ID, which names this source.
build_sync() {
	local old=$DATA/src/.manifest new
	new=$(build_manifest) || return 1
	BUILD_ID=$(sha256sum <<<"$new")
	[ ! -f "$old" ] || [ "$new" != "$(cat "$old")" ] || return 0
	# lines that only one side has: what went, what came or changed
	diff "$old" - <<<"$new" 2>/dev/null | sed -n 's/^< [0-9a-f]*  //p' |
	    (cd "$DATA/src" && as xargs -r -d '\n' rm -f) || return 1
	if [ -f "$old" ]; then
		diff "$old" - <<<"$new" | sed -n 's/^> [0-9a-f]*  //p'
	else
		cut -c67- <<<"$new"
	fi | tar -C "$HERE" -cf - --no-recursion --verbatim-files-from -T - |
	    as tar -C "$DATA/src" -xmf - || return 1
	as tee "$old" <<<"$new" >/dev/null
}

build_current() {	# does DATA/prog hold this source?
	BUILD_ID=$(build_manifest | sha256sum) &&
	[ "$BUILD_ID" = "$(cat "$DATA/prog/.built" 2>/dev/null)" ]
}

build_make() {	# in DATA/build
	as sh -c '
		cd "$1/src" && { [ -x configure ] || ./bootstrap; } &&
		cd "$1/build" && { [ -f Makefile ] || ../src/configure --prefix="$1/prog"; } &&
		make -j"$(nproc)" && make -s install
	' build "$DATA"
}

build_programs() {
	build_sync || return 1
	if ! build_make; then
		[ -f "$DATA/build/Makefile" ] || return 1
		echo "--- again, from nothing"
		as find "$DATA/build" "$DATA/src" -mindepth 1 -delete
		build_sync && build_make || return 1
	fi
	as tee "$DATA/prog/.built" <<<"$BUILD_ID" >/dev/null
}
