#!/bin/sh
# Functions that are not used here, and who may exit or log.
src=${top_srcdir:-.}/src tests=${top_srcdir:-.}/tests n=0 rc=0
[ -d "$src/base" ] || { echo "Bail out! no $src/base"; exit 1; }

# The code of files without comments and strings, as file:line:code.
code() {
	find "$@" -name '*.[ch]' | sort | xargs awk '
	FNR == 1 { comment = 0 }
	{
		line = $0; out = ""
		while (line != "") {
			if (comment) {
				if (!(i = index(line, "*/"))) break
				line = substr(line, i + 2); comment = 0
			} else if (match(line, /^"(\\.|[^"\\])*"/) || match(line, /^\047(\\.|[^\047\\])*\047/)) {
				out = out "\"\""; line = substr(line, RLENGTH + 1)
			} else if (substr(line, 1, 2) == "/*") {
				comment = 1; line = substr(line, 3)
			} else if (substr(line, 1, 2) == "//") {
				break
			} else {
				out = out substr(line, 1, 1); line = substr(line, 2)
			}
		}
		if (out ~ /[^ \t]/) print FILENAME ":" FNR ":" out
	}'
}

none() {			# none WHAT PATTERN LINES
	n=$((n + 1))
	bad=$(printf '%s\n' "$3" | grep -E "(^|[^A-Za-z0-9_])($2)")
	if [ -n "$3" ] && [ -z "$bad" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "${bad:-nothing to look at}" | sed 's/^/# /'
		rc=1
	fi
}

calls='[[:space:]]*\('
libraries=$(code "$src/base" "$src/event" "$src/journal" "$src/sink")

none "no strcpy, strcat, sprintf, gets, strtok, atoi" \
	"(str(n?cpy|n?cat|tok)|stpn?cpy|v?sprintf|gets|ato[ifl]|atoll)$calls" "$(code "$src" "$tests")"
none "no alloca, system, popen" "(alloca|system|popen)$calls" "$(code "$src")"
none "libraries neither exit nor print nor log" \
	"(_?exit|abort|log_(msg|error|warning|info|debug|limited)|v?f?printf|f?puts|putchar|perror|syslog)$calls" \
	"$(printf '%s\n' "$libraries" | grep -vE "^$src/base/((log|check|conf)\.[ch]|stat\.h):")"
none "conf.c exits for main() only, in conf_arg() and conf_load_or_exit()" "exit$calls" \
	"$(code "$src/base/conf.c" | awk '/conf_(load_or_exit|arg)\(/ { main = 1 } !main')"

echo "1..$n"
exit $rc
