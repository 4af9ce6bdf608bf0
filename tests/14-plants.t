#!/bin/sh
# Each planted bug still fits the source: plants.t, which is too long for every run,
# would find out too late. Not too loosely either (-F1): with patch's own way one was
# planted in another function.
src=${top_srcdir:-.} n=0 rc=0
command -v patch >/dev/null || { echo "1..0 # SKIP no patch"; exit 0; }
result() {			# result STATUS TEXT
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; rc=1; fi
}
field() { sed -n "s/^$2: //p" "$1"; }
for p in "$src"/tests/fault/plants/*.patch; do
	name=$(basename "$p" .patch)
	patch -s -f -F1 -p1 --dry-run -d "$src" <"$p"
	result $? "$name applies"
	grep -qxF -- "| $name: $(field "$p" Planted) | \`$(field "$p" Test)\` |" "$src/doc/RELIABILITY.md"
	result $? "$name stands in RELIABILITY.md as in its head"
done
echo "1..$n"
exit $rc
