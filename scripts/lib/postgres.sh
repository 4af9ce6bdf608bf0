# shellcheck shell=bash
# A PostgreSQL cluster of our own: DATA/pg, on a UNIX socket in DATA/sock only, a
# directory that nobody but the services' user enters.

PG_PORT=5432

# Sets PG_BIN: the newest version, or the one that made the cluster.
pg_find() {
	local v initdb
	v=$(as cat "$DATA/pg/PG_VERSION" 2>/dev/null) || v=''
	initdb=$(find /usr/lib/postgresql -path "*/${v:-*}/bin/initdb" 2>/dev/null | sort -V | tail -1)
	PG_BIN=${initdb%/initdb}
}

pg_init() {
	[ -n "$PG_BIN" ] || { echo "no PostgreSQL server of the version that made $DATA/pg"; return 1; }
	! as test -f "$DATA/pg/PG_VERSION" || return 0
	as "$PG_BIN/initdb" -D "$DATA/pg" -U postgres --auth=trust --encoding=UTF8 \
	    --locale=C.UTF-8 || return 1
	as tee "$DATA/pg/postgresql.conf" >/dev/null <<-END
		listen_addresses = ''
		port = $PG_PORT
		unix_socket_directories = '$DATA/sock'
		unix_socket_permissions = 0700
		max_connections = 50
		max_wal_size = 2GB
		timezone = 'UTC'
		log_timezone = 'UTC'
		log_line_prefix = '%m [%p] %u@%d '
	END
}

pg_pid() {
	pid_checked "$(as head -1 "$DATA/pg/postmaster.pid" 2>/dev/null)" "postgres -D $DATA/pg"
}

pg_start() {
	local tries=10
	pg_init || return 1
	# processes of a server that was killed need a moment to notice
	until pg_pid >/dev/null ||
	    as "$PG_BIN/pg_ctl" -D "$DATA/pg" -l "$DATA/log/postgresql.log" -w -t 60 -s start; do
		if [ "$tries" = 0 ]; then
			as tail -n 20 "$DATA/log/postgresql.log"
			return 1
		fi
		tries=$((tries - 1))
		sleep 1
	done
	as psql -h "$DATA/sock" -p $PG_PORT -U postgres -d postgres -XAtqc \
	    "select 1 from pg_database where datname = 'forebay'" | grep -q 1 ||
	    as "$PG_BIN/createdb" -h "$DATA/sock" -p $PG_PORT -U postgres forebay
}

pg_stop() {
	pg_pid >/dev/null || return 0
	as "$PG_BIN/pg_ctl" -D "$DATA/pg" -m fast -w -t 60 -s stop
}

# db COMMAND...: psql on the database that is in use
db() {
	as psql -X -q -v ON_ERROR_STOP=1 -d "$DSN" "$@"
}
