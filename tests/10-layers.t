#!/bin/sh
# The include rule: base < event < {journal, sink} < {collect, flush, cli}; journal
# and sink do not know each other, and each foreign library has one home. And no test
# lies there that nobody runs.
src=${top_srcdir:-.}/src n=0 rc=0
[ -d "$src/base" ] || { echo "Bail out! no $src/base"; exit 1; }

result() {			# result WHAT BAD-LINES
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
		rc=1
	fi
}

rule() {			# rule FOLDER WHAT-IT-MAY-INCLUDE
	[ -d "$src/$1" ] || return 0
	result "$1 includes only $2" "$(grep -rnE '^#[[:space:]]*include "[^"]*/' "$src/$1" |
		grep -vE "#[[:space:]]*include \"($2)/")"
}

only() {			# only HEADER HOME
	result "$(printf '%s only in %s' "$1" "$2" | tr -d '\\')" "$(grep -rnE "^#[[:space:]]*include [<\"]$1" "$src" |
		grep -vE "^$src/$2")"
}

rule base 'base'
rule event 'base|event'
rule journal 'base|event|journal'
rule sink 'base|event|sink'
rule collect 'base|event|journal|collect'
rule flush 'base|event|journal|sink|flush'
rule cli 'base|event|journal|sink|cli'

only 'sqlite3\.h' 'journal/'
only 'libpq-fe\.h' 'sink/'
only 'fcgi' 'collect/fcgi\.c'
only 'yajl/' 'event/'
only 'zlib\.h' 'event/inflate\.c'

result "master.c touches no data" "$(grep -nE '^#[[:space:]]*include "(journal/|event/|collect/(fcgi|worker))' "$src/collect/master.c")"
result "no folder beside these" "$(cd "$src" && printf '%s\n' */ | grep -vxE '(base|event|journal|sink|collect|flush|cli)/')"

# What is left out of the makefile is neither built, run, nor packed.
top=${top_srcdir:-.}
result "each test is in Makefile.am" "$(cd "$top" && find tests -path tests/docker -prune -o \( -name 'test_*.c' -o -name '*.t' \) -print |
	while read -r t; do
		case $t in tests/fault/plants/*) continue ;; esac
		grep -qF "$t" Makefile.am || echo "$t"
	done)"

echo "1..$n"
exit $rc
