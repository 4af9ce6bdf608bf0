#!/bin/bash
# WHAT: a SELECT from SQLite's own json_each() asks the authorizer for UPDATE of sqlite_master when it is the first
#   to name that function on its connection, and never again. So under an authorizer that allows nothing but reading
#   one and the same SELECT fails ("vtable constructor failed") or works, by what was asked before.
# VERSIONS: SQLite 3.40.1, Debian 12 (libsqlite3-0 3.40.1-2+deb12u2), by Python's sqlite3.
# GUESS: an authorizer hears what the statement does, and this one reads; https://sqlite.org/c3ref/set_authorizer.html
#   says nothing else. But a table-valued function's columns are declared by a CREATE TABLE (sqlite3_declare_vtab),
#   which passes the authorizer like anybody's.
# SEEN (2026-11-28):
#   SQLite 3.40.1
#   only reading allowed, first use : vtable constructor failed: json_each (refused: UPDATE sqlite_master)
#   everything allowed              : 1
#   only reading allowed, used before: 1
# FOREBAY: forebay query names each of its tables once before its list of what is allowed is in force. Whoever puts
#   an authorizer before SQL of others has to do the same, or allow a write that is none.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
trap 'rm -rf "$W"' EXIT
PACKAGE=libsqlite3-0=3.40.1-2+deb12u2
command -v python3 >/dev/null || { echo "no python3"; exit 69; }
(cd "$W" && apt-get download "$PACKAGE" >"$W/apt.log" 2>&1 && dpkg -x libsqlite3-0_*.deb "$W") ||
	{ echo "apt-get cannot download $PACKAGE"; exit 69; }
LIB=$(dirname "$(find "$W/usr/lib" -name 'libsqlite3.so.0')")

cat >"$W/look.py" <<'END'
import sqlite3, sys

READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}
refused = []

def only_reading(action, first, second, database, inner):
    if action in READING:
        return sqlite3.SQLITE_OK
    refused.append(f"{'UPDATE' if action == sqlite3.SQLITE_UPDATE else action} {first}")
    return sqlite3.SQLITE_DENY

def ask(connection, authorizer):
    connection.set_authorizer(authorizer)
    refused.clear()
    try:
        said = str(connection.execute("SELECT value FROM json_each('[1]')").fetchone()[0])
    except sqlite3.Error as e:
        said = str(e)
    return said + (f" (refused: {', '.join(refused)})" if refused else "")

print("SQLite", sqlite3.sqlite_version)
connection = sqlite3.connect(":memory:")
seen = [ask(connection, only_reading), ask(connection, None), ask(connection, only_reading)]
for what, said in zip(("only reading allowed, first use ", "everything allowed              ",
                       "only reading allowed, used before"), seen):
    print(f"{what}: {said}")
sys.exit(seen != ["vtable constructor failed: json_each (refused: UPDATE sqlite_master)", "1", "1"])
END
LD_LIBRARY_PATH=$LIB python3 "$W/look.py" || { echo "it has changed"; exit 1; }
