# shellcheck shell=sh disable=SC2034,SC1010	# variables for those who source this
# What every integration test begins with: a private world of PostgreSQL, nginx and
# our programs in a directory of its own, TAP, and an end that leaves nothing
# behind. Sourced by the *.t files; POSIX sh with `local`.
#
#   . "$(dirname "$0")/lib.sh"
#   world                       a directory, settings, PostgreSQL
#   database                    the schema in it, which only the flusher needs
#   collector; nginx; flusher   the programs; collector and flusher may get more
#                               "-o section.key=value"
#   ok "what" command ...       is "what" "$got" "$want"
#   done_testing
#
# W is the world's directory, J the journal, URL where nginx answers, SERVER the socket
# directory of the PostgreSQL that is asked, PG and PG_SERVER where its programs are. FULL=1 makes
# the long versions, KEEP=1 keeps the directory, SEED=... repeats a run.
# Run as root it drops to another user (FOREBAY_TEST_USER) for every program.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top_builddir=${top_builddir:-.}
export LC_ALL=C.UTF-8 TZ=UTC
unset FOREBAY_CONF FOREBAY_URL PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSERVICE PGOPTIONS

# --- TAP -------------------------------------------------------------------------

T=0 FAILED=0

pass() { T=$((T + 1)); echo "ok $T - $1"; }
fail() { T=$((T + 1)); FAILED=$((FAILED + 1)); echo "not ok $T - $1"; }
note() { printf '%s\n' "$*" | sed 's/^/# /'; }

ok() {				# ok WHAT COMMAND ...
	local what=$1 rc=0 out
	shift
	out=$("$@" 2>&1) || rc=$?
	if [ $rc = 0 ]; then
		pass "$what"
	else
		fail "$what"
		note "$* => $rc"
		note "$(printf '%s' "$out" | head -c 3000)"
	fi
}

is() {				# is WHAT GOT WANT
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1"
		note "got      $(printf '%s' "$2" | head -c 1000)"
		note "expected $(printf '%s' "$3" | head -c 1000)"
	fi
}

like() {			# like WHAT GOT PATTERN, an extended regular expression
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		pass "$1"
	else
		fail "$1"
		note "got        $(printf '%s' "$2" | head -c 1000)"
		note "expected ~ $3"
	fi
}

unlike() {			# unlike WHAT GOT PATTERN
	if printf '%s\n' "$2" | grep -Eq -- "$3"; then
		fail "$1"
		note "got          $(printf '%s' "$2" | head -c 1000)"
		note "expected not $3"
	else
		pass "$1"
	fi
}

skip() { T=$((T + 1)); echo "ok $T # SKIP $1"; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
bail() { echo "Bail out! $*"; FAILED=1; exit 1; }
done_testing() { echo "1..$T"; [ "$FAILED" = 0 ]; exit; }

# --- time ------------------------------------------------------------------------

# wait_until SECONDS COMMAND ...: polls until the command succeeds
wait_until() {
	local end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -le "$end" ] || return 1
		sleep 0.05
	done
}

# Two deliveries are one event only on the same UTC day: waits past midnight when it
# is nearer than SECONDS.
not_at_midnight() {
	local left=$((86400 - $(date +%s) % 86400))
	[ "$left" -gt "$1" ] || { note "waiting for midnight to pass"; sleep "$((left + 1))"; }
}

now_ms() { date +%s%3N; }

# Faults come from the seed, so that a failure can be had again.
SEED=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
RANDOM_STATE=$SEED
# draw N: sets DRAWN to a number from 0 to N-1
draw() {
	RANDOM_STATE=$(((RANDOM_STATE * 1103515245 + 12345) % 2147483648))
	DRAWN=$((RANDOM_STATE / 65536 % $1))
}

# --- processes -------------------------------------------------------------------

USER_NAME=$(id -un) AS=
if [ "$(id -u)" = 0 ]; then
	for USER_NAME in ${FOREBAY_TEST_USER:-} forebay nobody; do
		id "$USER_NAME" >/dev/null 2>&1 && break
	done
	AS="setpriv --reuid=$USER_NAME --regid=$(id -g "$USER_NAME") --clear-groups --"
fi
as() { $AS "$@"; }

# spawn NAME COMMAND ...: in the background, in a process group of its own, its
# output in log/NAME.log, its pid in NAME.pid
spawn() {
	local name=$1
	shift
	(exec $AS setsid "$@") >>"$W/log/$name.log" 2>&1 </dev/null &
	echo $! >"$W/$name.pid"
}

pid_of() { cat "$W/$1.pid"; }

alive() {			# alive PID: there, and not a zombie in each of its threads
	local stat thread
	for thread in "/proc/$1/task"/*/stat; do
		{ read -r stat <"$thread"; } 2>/dev/null || continue
		case ${stat##*) } in Z*|X*) ;; *) return 0 ;; esac
	done
	return 1
}
gone() { ! alive "$1"; }
running() { alive "$(pid_of "$1")"; }

children() { cat "/proc/$1/task/$1/children" 2>/dev/null; }

# stop NAME [SIGNAL [SECONDS]]: false when it does not end in time
stop() {
	local pid
	pid=$(pid_of "$1")
	kill -"${2:-TERM}" "$pid" 2>/dev/null
	wait_until "${3:-30}" gone "$pid"
}

# supervise NAME COMMAND ...: spawn, again and again, until unsupervise NAME
supervise() {
	local name=$1
	shift
	rm -f "$W/$name.stop"
	while [ ! -e "$W/$name.stop" ]; do
		spawn "$name" "$@"
		wait $! 2>/dev/null	# or the shell tells of every kill
		sleep 0.1
	done &
	echo $! >"$W/$name.super"
	wait_until 5 test -s "$W/$name.pid"
}
unsupervise() {
	: >"$W/$1.stop"
	stop "$@"
}

cleanup() {
	local rc=$? f pid
	trap - EXIT INT TERM HUP
	[ -n "${W:-}" ] || exit $rc
	for f in "$W"/*.super; do
		[ -e "$f" ] && : >"${f%.super}.stop"
	done
	for f in "$W"/*.pid; do
		[ -e "$f" ] && kill -TERM "-$(cat "$f")" 2>/dev/null
	done
	for f in "$W"/pg*/postmaster.pid; do
		[ -e "$f" ] && kill -QUIT "$(head -n 1 "$f")" 2>/dev/null
	done
	for f in "$W"/*.pid "$W"/*.super; do
		[ -e "$f" ] || continue
		pid=$(cat "$f")
		wait_until 5 gone "$pid" || kill -KILL "$pid" 2>/dev/null
		kill -KILL "-$pid" 2>/dev/null	# what is left of its group
	done
	if [ "$FAILED" != 0 ] || [ $rc != 0 ]; then
		for f in "$W"/log/* "$W"/nginx/log/*error*; do
			[ -s "$f" ] && note "--- ${f##*/}, the end:" && note "$(tail -n 40 "$f" | cut -c 1-400)"
		done
	fi
	if [ -n "${KEEP:-}" ]; then note "kept $W"; else rm -rf "$W"; fi
	exit $rc
}

# --- programs --------------------------------------------------------------------

# pg_bin PROGRAM: the folder of PostgreSQL's that has it, of the newest version.
# FOREBAY_TEST_PG_BINDIR names that of another server, which may come without psql.
pg_bin() {
	local d
	for d in ${FOREBAY_TEST_PG_BINDIR:-} $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr) \
		"$(pg_config --bindir 2>/dev/null)"; do
		[ -x "$d/$1" ] && echo "$d" && return
	done
	return 1
}

# pg_dump and its like refuse a server of a later version than their own.
pg_clients_fit() {
	local ours theirs
	ours=$("$PG/psql" --version | tr -dc '0-9.')
	theirs=$("$PG_SERVER/postgres" --version | tr -dc '0-9.')
	[ "${ours%%.*}" -ge "${theirs%%.*}" ]
}

need() {
	PG_SERVER=$(pg_bin initdb) && PG=$(pg_bin psql) || skip_all "no PostgreSQL server (Debian: postgresql)"
	NGINX=${NGINX_PROGRAM:-$(unset -f nginx; PATH=$PATH:/usr/sbin command -v nginx)} || skip_all "no nginx (Debian: nginx)"
	command -v curl >/dev/null || skip_all "no curl"
	command -v openssl >/dev/null || skip_all "no openssl"
	[ -x "$top_builddir/forebayd" ] || bail "not built: $top_builddir/forebayd"
	[ -x "$top_builddir/tests/tools/load" ] || skip_all "no tests/tools/load: libssl is missing"
	BIN=$(cd "$top_builddir" && pwd)
	SQL=$top_srcdir/sql
	# where the other user cannot reach the build: copies
	if ! as test -x "$BIN/forebayd" || ! as test -r "$SQL/0001-schema.sql"; then
		mkdir -p "$W/bin/tests/tools"
		cp "$BIN/forebayd" "$BIN/forebay-flusher" "$BIN/forebay" "$W/bin/"
		find "$BIN/tests/tools" -maxdepth 1 -type f -perm -u+x -exec cp {} "$W/bin/tests/tools/" \;
		cp -r "$SQL" "$W/sql"
		BIN=$W/bin SQL=$W/sql
	fi
	TOOLS=$BIN/tests/tools
	export FOREBAY_SQL_DIR="$SQL"
}

load() { as "$TOOLS/load" --ca "$W/nginx/tls/cert.pem" "$@" "$URL${LOAD_PATH:-/v1/events}" >"$W/load.json"; }
# the same in the background; load_end WHAT is the test that every answer was expected
load_start() {
	(exec $AS "$TOOLS/load" --ca "$W/nginx/tls/cert.pem" "$@" "$URL${LOAD_PATH:-/v1/events}") \
		>"$W/load.json" 2>"$W/log/load.log" &
	LOAD=$!
	echo $LOAD >"$W/load.pid"
}
load_end() {
	local rc=0
	wait "$LOAD" || rc=$?
	is "$1" $rc 0
	note "$(cat "$W/load.json" "$W/log/load.log")"
}
fcgi() { as "$TOOLS/fcgi_req" "$W/run/forebay.sock" "$@"; }
forebay() { as "$BIN/forebay" -c "$W/forebay.conf" "$@"; }
journal_tool() { as "$TOOLS/journal_tool" "$@"; }

# --- PostgreSQL ------------------------------------------------------------------

# One cluster for each build, made once; every test gets a copy.
pg_template() {
	local cache="$top_builddir/tests/integration/cache" dir lock
	mkdir -p "$cache" && [ -z "$AS" ] || chown "$USER_NAME" "$cache"
	as test -w "$cache" || cache=$W/cache
	mkdir -p "$cache"
	[ -z "$AS" ] || chown "$USER_NAME" "$cache"
	dir=$cache/$("$PG_SERVER/postgres" --version | tr -cd 0-9.)-$USER_NAME
	exec 9>"$cache/lock"
	flock 9
	if [ ! -e "$dir/done" ]; then
		rm -rf "$dir"
		as "$PG_SERVER/initdb" -D "$dir" -U forebay -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
			>"$W/log/initdb.log" 2>&1 || { cat "$W/log/initdb.log"; bail "initdb failed"; }
		cat >>"$dir/postgresql.conf" <<-END
			listen_addresses = ''
			unix_socket_permissions = 0700
			shared_buffers = 32MB
			max_connections = 30
			fsync = off
			log_line_prefix = '%m [%p] %q%a '
		END
		as touch "$dir/done"
	fi
	as cp -a "$dir" "$W/pg"
	exec 9>&-
}

pg_start() {
	spawn pg "$PG_SERVER/postgres" -D "$W/pg" -k "$W/run"
	wait_until 30 as "$PG/pg_isready" -q -h "$W/run" -U forebay -d postgres || bail "PostgreSQL does not start"
}
# pg_stop [fast|immediate]
pg_stop() {
	case ${1:-fast} in immediate) stop pg QUIT ;; *) stop pg INT ;; esac
}

sql() { as "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -h "$SERVER" -U forebay -d "${DB:-forebay}" -c "$1"; }
# the same with commands from stdin, \\copy too
sql_script() { as "$PG/psql" -XqAt -v ON_ERROR_STOP=1 -h "$SERVER" -U forebay -d forebay; }
sql_is() { [ "$(sql "$1" 2>/dev/null)" = "$2" ]; }

# --- the world -------------------------------------------------------------------

world() {
	world_dir
	note "seed $SEED, ${0##*/}"
	pg_template
	pg_start
	DB=postgres sql "CREATE DATABASE forebay" || bail "no database"
}

world_dir() {
	W=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-it-XXXXXX") || exit 1
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$W/run" "$W/log" "$W/journal" "$W/nginx" "$W/nginx/tls"
	need
	J=$W/journal SERVER=$W/run
	cat >"$W/forebay.conf" <<-END
		[collect]
		keys =
		socket = $W/run/forebay.sock
		peer = $USER_NAME
		workers = 2
		[journal]
		dir = $J
		node = it
		floor_bytes = 64M
		any_filesystem = yes
		[flush]
		conninfo = host=$W/run user=flusher dbname=forebay
		[run]
		dir = $W/run
	END
	make_cert
	[ -z "$AS" ] || chown -R "$USER_NAME" "$W"
	chmod 0755 "$W"
}

# The flusher's login has the rights that forebay_flusher has, and no more.
database() {
	not_at_midnight 60
	migrate >"$W/log/migrate.log" 2>&1 || bail "forebay db migrate failed"
	sql "CREATE ROLE flusher LOGIN IN ROLE forebay_flusher" || bail "no role"
}
migrate() {
	forebay db migrate --conninfo "host=$W/run user=forebay dbname=${DB:-forebay}"
}

make_cert() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-keyout "$W/nginx/tls/key.pem" -out "$W/nginx/tls/cert.pem" 2>"$W/log/openssl.log" ||
		bail "openssl cannot make a certificate"
}

# collector [-o ...]: sockets are answered when it returns
collector() {
	spawn collect "${FOREBAYD:-$BIN/forebayd}" -c "$W/forebay.conf" "$@"
	collector_ready || bail "forebayd does not get ready"
}
# the same with somebody who starts it again
collector_supervised() {
	supervise collect "$BIN/forebayd" -c "$W/forebay.conf" "$@"
	collector_ready || bail "forebayd does not get ready"
}
collector_ready() { wait_until 60 ready; }
ready() { fcgi get:/readyz answer | grep -q 'Status: 200'; }
not_ready() { ! ready; }

flusher() { spawn flush "$BIN/forebay-flusher" -c "$W/forebay.conf" "$@"; }
flusher_supervised() { supervise flush "$BIN/forebay-flusher" -c "$W/forebay.conf" "$@"; }

# nginx ["name value;" ...]: with the project's own configuration, on a free port;
# the arguments replace settings of the upstream block and of the server.
nginx() {
	local try setting
	. "$top_srcdir/scripts/lib/nginx.sh"
	for try in 1 2 3 4 5 6 7 8 9 10; do
		PORT=$(shuf -n 1 -i 20000-32000)
		URL=https://localhost:$PORT
		nginx_render "$top_srcdir/conf/nginx" "$W/nginx" "$W/run" "127.0.0.1:$PORT" ||
			bail "no configuration of nginx"
		for setting; do
			sed -i "s|^\([[:space:]]*\)${setting%% *} .*|\1$setting|" \
				"$W/nginx/conf/http.conf" "$W/nginx/conf/site.conf"
		done
		[ -z "$AS" ] || chown -R "$USER_NAME" "$W/nginx"
		spawn nginx "$NGINX" -p "$W/nginx" -c nginx.conf -e "$W/nginx/log/nginx-error.log" -g 'daemon off;'
		wait_until 60 nginx_settled
		running nginx && return
	done
	bail "nginx does not start"
}
nginx_settled() { ! running nginx || http GET /v1/time; }

# http METHOD PATH [curl options]: sets nothing, prints the body. http_code and
# http_head leave status and header of the last one in files.
http() {
	local method=$1 path=$2
	shift 2
	curl -sS --max-time 20 --cacert "$W/nginx/tls/cert.pem" -X "$method" -D "$W/head" -o "$W/body" \
		"$@" "$URL$path" && cat "$W/body"
}
post() { http POST /v1/events --data-binary "$@"; }
status() { awk 'NR == 1 { print $2 }' "$W/head"; }
head_of() { tr -d '\r' <"$W/head" | awk -v k="$(printf '%s' "$1:" | tr A-Z a-z)" 'tolower($1) == k { $1 = ""; print substr($0, 2) }'; }
# json PATH: of the last body, asked of PostgreSQL: json '$.errors[0].code'
json() {
	sql "SELECT jsonb_path_query_first(convert_from(decode('$(base64 -w 0 "$W/body")',
		'base64'), 'UTF8')::jsonb, '$1') #>> '{}'"
}

# advised COMMAND: does what an alarm says to type; `sudo -u postgres` is the superuser
# here, too
advised() {
	if [ ! -e "$W/advised/sudo" ]; then
		mkdir "$W/advised"
		printf '#!/bin/sh\nshift 2\nPGUSER=forebay exec "$@"\n' >"$W/advised/sudo"
		chmod -R a+rx "$W/advised"
	fi
	as env PATH="$W/advised:$BIN:$PG:$PATH" FOREBAY_SQL_DIR="$SQL" sh -c "$1"
}

# stops: makes the flusher's transaction pass three gates, in the load, in the update
# of progress and in COMMIT. They are open until somebody holds one.
stops() {
	sql_script <<-'END'
		CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN PERFORM pg_advisory_xact_lock_shared(7, TG_ARGV[0]::integer); RETURN NEW; END';
		CREATE TRIGGER gate BEFORE INSERT ON forebay.event FOR STATEMENT EXECUTE FUNCTION gate(1);
		CREATE TRIGGER gate BEFORE UPDATE ON forebay.progress FOR STATEMENT EXECUTE FUNCTION gate(2);
		CREATE CONSTRAINT TRIGGER last_gate AFTER UPDATE ON forebay.progress
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gate(3);
	END
}

# at GATE COMMAND: waits until the flusher stands at gate 1, 2 or 3, for AT at most, runs
# psql's command, and opens the gate
# shellcheck disable=SC1122	# END is SQL's here
at() {
	sql_script >/dev/null <<-END
		SET statement_timeout = '${AT:-3s}';
		SELECT pg_advisory_lock(7, $1);
		DO \$\$ BEGIN
			WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 7
				AND objid = $1 AND NOT granted) LOOP
				PERFORM pg_sleep(0.001);
			END LOOP;
		END \$\$;
		$2
	END
}

# --- what it is all about ---------------------------------------------------------

# At every moment, in one snapshot: what progress says is loaded is what is there.
books_hold() {
	sql_is "SELECT count(*) FROM forebay.progress p FULL JOIN
		(SELECT segment, count(*) AS n FROM forebay.event GROUP BY segment) e USING (segment)
		WHERE coalesce(loaded, 0) <> coalesce(n, 0)" 0
}

# Everything in the journal is in PostgreSQL.
drained() {
	local last done
	last=$(journal_tool last "$J") || return 1
	done=$(sql "SELECT segment || ' ' || last_seq FROM forebay.progress") || return 1
	printf '%s\n--\n%s\n' "$done" "$last" | awk '
		$1 == "--" { journal = 1; next }
		!journal { progress[$1] = $2; next }
		NF && progress[$1] + 0 < $2 { bad = 1 }
		END { exit bad }'
}
wait_drained() { wait_until "$1" drained; }

# verify WHAT [--no-duplicates] [--dropped] FILE ...: oracle files against PostgreSQL
# and the journal; verify.sh says what is held against what
verify() {
	local what=$1 rc=0 out
	shift
	out=$(W=$W J=$J PG=$PG SERVER=$SERVER TOOLS=$TOOLS AS=$AS sh "$top_srcdir/tests/integration/verify.sh" "$@" 2>&1) || rc=$?
	is "$what" "$rc" 0
	note "$out"
}
