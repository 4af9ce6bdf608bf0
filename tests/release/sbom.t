#!/bin/sh
# `make sbom` names what the programs are linked with, in the versions that are here,
# as CycloneDX's schema has it, and twice the same.
src=${top_srcdir:-.} build=${top_builddir:-.} n=0 rc=0
W=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-sbom.XXXXXX") || exit 99
trap 'rm -rf "$W"' EXIT

skip() { n=$((n + 1)); echo "ok $n - # SKIP $1"; }
is() {			# WHAT GOT EXPECTED
	n=$((n + 1))
	if [ "$2" = "$3" ]; then echo "ok $n - $1"; return; fi
	printf 'not ok %d - %s\n# got      %s\n# expected %s\n' "$n" "$1" "$2" "$3"
	rc=1
}
cd "$build" || exit 99
command -v readelf >/dev/null || { echo "1..0 # SKIP no readelf"; exit 0; }
if readelf -d forebayd | grep -q 'lib[a-z]*san\.'; then echo "1..0 # SKIP a build with sanitizers"; exit 0; fi

sbom() { "$src/scripts/sbom" 0.0.0 "$@"; }
export SOURCE_DATE_EPOCH=1234567890
is "make sbom" "$(make -s sbom SBOM="$W/made.json" >"$W/log" 2>&1 || tail -n 3 "$W/log")" ""
programs='./forebayd ./forebay-flusher ./forebay'
# shellcheck disable=SC2086	# word by word
{ sbom $programs >"$W/one"; TZ=Asia/Kathmandu sbom $programs >"$W/two"; }
is "twice it is the same" "$(cmp "$W/one" "$W/two" 2>&1)" ""
is "it has the time that is told" "$(grep -c '"timestamp":"2009-02-13T23:31:30Z"' "$W/one")" 1

field() { sed -n "s/.*\"type\":\"$1\".*\"$2\":\"\([^\"]*\)\".*/\1/p" "$W/one"; }
is "the programs" "$(field application content)" "$(sha256sum $programs | cut -d ' ' -f 1)"
is "as many libraries as all together need" "$(field library name | wc -l)" \
	"$(for p in $programs; do objdump -p $p | awk '$1 == "NEEDED" { print $2 }'; done | sort -u | wc -l)"
depends() { sed -n "s/.*\"ref\":\"$1\",\"dependsOn\":\[\(.*\)\].*/\1/p" "$W/one" | tr ',' '\n'; }
for p in $programs; do
	is "$p: its own libraries" "$(depends "${p#./}" | wc -l)" "$(objdump -p "$p" | grep -c NEEDED)"
done
if command -v dpkg-query >/dev/null; then
	field library purl | sed 's|.*/\(.*\)@\(.*\)?.*|\1 \2|; s/%2B/+/g' >"$W/told"
	# shellcheck disable=SC2016	# dpkg-query's own variables
	is "in the versions that are installed" "$(cat "$W/told")" \
		"$(while read -r p _; do dpkg-query -W -f '${Package} ${Version}\n' "$p" | head -n 1; done <"$W/told")"
else
	skip "in the versions that are installed: no dpkg"
fi

# on a machine without dpkg
mkdir "$W/bin" && printf '#!/bin/sh\nexit 1\n' >"$W/bin/dpkg-query" && chmod +x "$W/bin/dpkg-query"
# shellcheck disable=SC2086
PATH=$W/bin:$PATH sbom $programs >"$W/generic"
is "without dpkg: the versions of pkg-config" \
	"$(grep -c "\"version\":\"$(pkg-config --modversion sqlite3)\".*pkg:generic/sqlite@" "$W/generic")" 1
sbom "$(command -v readelf)" >"$W/strange" 2>"$W/said"
is "a library that nobody has judged is an error" "$? $(grep -c 'has no line in' "$W/said")" "1 1"

# the schema, which comes from npm
cp "$src"/tests/release/schema/* "$W/"
if ! command -v npm >/dev/null; then
	skip "the schema takes it: no npm (Debian: npm)"
elif ! (cd "$W" && npm_config_cache="$W/cache" npm ci --ignore-scripts --omit=optional --omit=peer --no-audit --no-fund) >"$W/npm.log" 2>&1; then
	skip "the schema takes it: npm cannot install it: $(grep -m 1 'code E' "$W/npm.log")"
else
	for f in made.json one generic; do
		is "the schema takes it ($f)" "$(cd "$W" && node validate.mjs "$W/$f" 2>&1; echo $?)" 0
	done
	sed 's/"id":"ISC"/"id":"Icecream"/' "$W/one" >"$W/bad"
	is "and no licence that there is not" "$(cd "$W" && node validate.mjs "$W/bad" >/dev/null 2>&1; echo $?)" 1
fi
echo "1..$n"
exit $rc
