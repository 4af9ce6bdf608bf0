#!/bin/sh
# Documents say what the sources say: generated tables are fresh, and commands,
# routes, metrics, links and runbooks exist.
top=$(cd "${top_srcdir:-.}" && pwd) build=$(cd "${top_builddir:-.}" && pwd) n=0 rc=0
[ -x "$build/doc/tables" ] || { echo "Bail out! no $build/doc/tables"; exit 1; }
cd "$top" || exit 1

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
skip() {
	n=$((n + 1))
	echo "ok $n # SKIP $1"
}
# only WHAT NAMES KNOWN: each of the names is one of the known
only() {
	if [ -z "$2" ] || [ -z "$3" ]; then
		result "$1" "nothing to look at"
	else
		result "$1" "$(printf '%s\n' "$2" | sort -u | while read -r name; do
			printf '%s\n' "$3" | grep -qxF -- "$name" || echo "$name"
		done)"
	fi
}

docs="README.md SECURITY.md doc/API.md doc/INSTALL.md doc/MIGRATING.md doc/OPERATIONS.md
	doc/clients/others.md doc/clients/rsyslog.md doc/clients/syslog-ng.md"
pages="man/forebay.1 man/forebay.conf.5 man/forebay-flusher.8 man/forebayd.8"

for f in doc/API.md doc/OPERATIONS.md man/forebay.1 man/forebay.conf.5; do
	result "$f: its tables are those of src/ (make docs)" "$(doc/fill "$build/doc/tables" $f | diff $f - 2>&1)"
done
if command -v mandoc >/dev/null; then
	# other pages than ours need not be on this machine
	result "mandoc -Tlint" "$(mandoc -Tlint $pages 2>&1 | grep -vE 'referenced manual not found|mandoc\.db')"
else
	skip "no mandoc (Debian: mandoc)"
fi

# verbs: the table in main.c
verbs=$(sed -n 's/^	{ "\([a-z-]*\)", ".*/\1/p' src/cli/main.c)
only "forebay(1) has every verb" "$verbs" "$(sed -n 's/^\.It Cm \([a-z-]*\).*/\1/p' man/forebay.1)"
# what follows `forebay` where a command is written: in a code span, an indented
# line, or man's literal text
only "documents call verbs that exist" "$({
	grep -hoE '^    .*' $docs; grep -hoE '`[^`]*`' $docs; grep -h '^forebay ' $pages
} | grep -oE '(^ *|`|\$\(|(-u forebay|sudo) )forebay( -[co] [^ ]+)* [a-z][a-z-]*' | sed 's/.* //')" "$verbs"

# routes: the table in door.c
routes=$(sed -n 's/^	{ "\(\/[^"]*\)",.*/\1/p' src/collect/door.c | sort -u)
result "API.md has every route" "$(for r in $routes; do
	grep -qE "^## .*(GET|POST|and) $r( |\$)" doc/API.md || grep -qE "^## .*, $r|^## .* $r( |\$|,)" doc/API.md || echo "$r"
done)"
# codes that nginx answers by itself are ours where we have one, else listed
nginx_codes=$(sed -n '/^map \$status \$forebay_code/,/^}/s/^.*[[:space:]]\([a-z_]*\);$/\1/p' conf/nginx/http.conf.in)
only "API.md has nginx's codes" "$nginx_codes" "$(grep -oE '^\| `[a-z_]+`' doc/API.md | tr -d '|` ')"

metrics=$(grep -oE '"forebay_[a-z_]+' src/counters.def src/base/stat.c | sed 's/.*"//')
only "documents and alerts name metrics that exist" "$(grep -ohE 'forebay_[a-z_]+' $docs conf/prometheus/forebay.rules.yml |
	grep -vxE 'forebay_(flusher|owner|flush|code|title|message|retry_after|tls)' |
	sed 's/_bucket$//; s/\(duration_seconds\)_count$/\1/; s/\(duration_seconds\)_sum$/\1/')" "$metrics"

# Where an invariant is kept and tried: who changes either place shall know which it is.
invariants=$(sed -n 's/^- \*\*\(INV-[0-9]*\)\*\*.*/\1/p' doc/ARCHITECTURE.md)
cited() { grep -rIhoE 'INV-[0-9]+' "$@" | sort -u; }
only "each invariant is cited in src" "$invariants" "$(cited src)"
only "each invariant is cited in tests" "$invariants" "$(cited tests)"
only "each invariant that is cited stands in ARCHITECTURE.md" "$(cited src tests sql conf doc man ./*.md)" "$invariants"

# Headings as GitHub makes anchors of them.
anchors() {
	sed -n 's/^#\{1,6\} //p' "$1" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9 \n_-' | tr ' ' -
}
result "no heading of OPERATIONS.md stands twice" "$(anchors doc/OPERATIONS.md | sort | uniq -d)"
only "each alert's runbook is a heading of OPERATIONS.md" \
	"$(sed -n 's/^ *runbook: OPERATIONS.md#//p' conf/prometheus/forebay.rules.yml)" "$(anchors doc/OPERATIONS.md)"
result "each alert has a runbook" "$(awk '/- alert:/ { if (name) print name; name = $3 } /runbook:/ { name = "" }
	END { if (name) print name }' conf/prometheus/forebay.rules.yml)"
result "each alert has a test" "$(sed -n 's/.*- alert: //p' conf/prometheus/forebay.rules.yml | while read -r a; do
	grep -q "alertname: $a\$" tests/integration/alerts.test.yml || echo "$a"
done)"
# words TABLE: the first word of each code span in the first column of that table of tests/README.md
words() {
	awk -v head="| word of \`$1\`" 'index($0, head) == 1 { on = 1; next } !/^\|/ { on = 0 } on' tests/README.md |
		cut -d '|' -f 2 | grep -oE '`[a-z_]+' | tr -d '\`'
}
only "tests/README.md names words that lib.sh has" "$(words integration/lib.sh)" \
	"$(sed -n 's/^\([a-z_]*\)() *{.*/\1/p' tests/integration/lib.sh)"
only "tests/README.md names words that tests/tools has" "$(words tools/)" \
	"$(sed -n 's/^\(enum err \)*\([a-z_]*\)(.*/\2/p' tests/tools/*.h)"

result "links lead somewhere" "$(for f in $docs CONTRIBUTING.md doc/ARCHITECTURE.md tests/README.md; do
	grep -oE '\]\([^)]*\)' "$f" | sed 's/^](//; s/)$//' | grep -v '^https\?:' | while read -r link; do
		to=$f
		[ -z "${link%%#*}" ] || to=$(dirname "$f")/${link%%#*}
		[ -e "$to" ] || echo "$f: $link"
		case $link in *#*) [ -e "$to" ] && { anchors "$to" | grep -qxF -- "${link#*#}" || echo "$f: $link"; } ;; esac
	done
done)"

echo "1..$n"
exit $rc
