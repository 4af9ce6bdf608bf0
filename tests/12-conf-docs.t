#!/bin/sh
# The example settings are what the table says, and documents name only settings
# and codes that exist.
top=$(cd "${top_srcdir:-.}" && pwd) forebay=$(cd "${top_builddir:-.}" && pwd)/forebay n=0 rc=0

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

# section.key of every setting in the table
known=$(sed -n 's/^PARAM(\([a-z]*\), *\([a-z_]*\),.*/\1.\2/p' "$top/src/params.def")
[ -n "$known" ] || { echo "Bail out! no settings in $top/src/params.def"; exit 1; }
# and of what is logged, which looks alike
events=$(grep -rhoE '"[a-z]+\.[a-z_]+"' "$top/src" | tr -d '"' | sort -u)
sections=$(printf '%s\n' "$known" | sed 's/\..*//' | sort -u | paste -sd '|')

if [ -x "$forebay" ]; then
	result "conf/forebay.conf is the example (make update-conf)" \
		"$("$forebay" check-config --example | diff "$top/conf/forebay.conf" - 2>&1)"
	result "and can be used" \
		"$("$forebay" -c "$top/conf/forebay.conf" -o collect.peer= check-config 2>&1 | grep -vx ok)"
fi
result "every setting is in it" "$(printf '%s\n' "$known" | while IFS=. read -r section key; do
	awk -v s="[$section]" -v k="$key" '
		/^\[/ { in_section = $0 == s }
		in_section && index($0, "#" k " = ") == 1 { found = 1 }
		END { exit !found }' "$top/conf/forebay.conf" || echo "$section.$key"
done)"

# What documents call `section.key` or FOREBAY_SECTION_KEY has to exist.
docs=$(find "$top" -name build -prune -o -name run -prune -o \( -name '*.md' -o -name '*.[1-8]' -o -name '*.[1-8].in' \) -print)
[ -n "$docs" ] || { echo "Bail out! no documents"; exit 1; }
result "documents name no unknown setting" "$(grep -ohE "\`($sections)\.[a-z_]+( *=[^\`]*)?\`" $docs |
	tr -d '\`' | sed 's/ *=.*//' | sort -u | grep -vxE '[a-z]+\.(c|h|t|sh|md|conf|db|stat|service|sock|socket)' |
	while read -r name; do printf '%s\n%s\n' "$known" "$events" | grep -qxF "$name" || echo "$name"; done)"
result "nor an unknown variable" "$(grep -ohE "FOREBAY_($(printf '%s' "$sections" | tr '[:lower:]' '[:upper:]'))_[A-Z_]+" $docs | sort -u |
	while read -r name; do
		lower=$(printf '%s' "${name#FOREBAY_}" | tr '[:upper:]' '[:lower:]')
		printf '%s\n' "$known" | sed 's/\./_/' | grep -qxF "$lower" || echo "$name"
	done)"

echo "1..$n"
exit $rc
