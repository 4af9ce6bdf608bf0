#!/bin/bash
# What the quickstart is made of, without running it: where its data stand, how a step
# looks on a terminal, and what waits for another apt-get.
top=$(cd "${top_srcdir:-.}" && pwd) n=0 rc=0
export LC_ALL=C.UTF-8
T=$(mktemp -d "${TMPDIR:-/var/tmp}/forebay-qs-XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT

is() {				# is WHAT GOT WANT
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		printf 'not ok %d - %s\n# got      %s\n# expected %s\n' $n "$1" "${2//$'\n'/ }" "${3//$'\n'/ }"
		rc=1
	fi
}

# --- the place --------------------------------------------------------------------

# place COMMAND...: with the functions of place.sh, as somebody who is not root
place() {
	bash -c '. "$0/scripts/lib/place.sh"; SVC="" ME=$(id -un); "$@"' "$top" "$@"
}
# where HERE [NAME]: DATA of a clone there, or what was said
# shellcheck disable=SC2016	# for that shell
where() {
	HOME=$T/home XDG_STATE_HOME='' bash -c '. "$0/scripts/lib/place.sh"; SVC="" ME=$(id -un) HERE=$1
		place_find ${2:+"$2"} && echo "$DATA"' "$top" "$@"
}

case $(stat -f -c %T "$T") in
tmpfs|ramfs) echo "1..0 # SKIP $T is in memory"; exit 0 ;;
esac
for name in 'a b' 'a,b' 'a&b' "a'b" 'a#b' 'a$b' 'a"b' 'a=b'; do
	mkdir -p "$T/$name/run" "$T/home"
	is "a clone in $name: data elsewhere" "$(where "$T/$name")" "$T/home/.local/state/forebay-quickstart"
done
mkdir "$T/clone" "$T/é-1.0_x"
is "data are in a clone that can hold them" "$(where "$T/clone")" "$T/clone/run"
is "letters of every language are fine" "$(where "$T/é-1.0_x")" "$T/é-1.0_x/run"
long=$T/$(printf '%090d' 0)
mkdir "$long"
is "not where a socket's path gets too long" "$(where "$long")" "$T/home/.local/state/forebay-quickstart"
mkdir -p "$T/home/.local/state/forebay-quickstart"
echo "$T/clone" >"$T/home/.local/state/forebay-quickstart/clone"
is "an instance is found where it was begun" "$(where "$T/clone")" "$T/home/.local/state/forebay-quickstart"
: >"$T/a b/run/clone"
is "one that cannot be reached any more is not forgotten" "$(where "$T/a b" | head -n 1 | grep -c 'holds an instance')" 1
is "root's data are not where they are cleaned away" \
	"$(bash -c '. "$0/scripts/lib/place.sh"; SVC=x ME=root; place_elsewhere' "$top")" /var/lib/forebay-quickstart

# --- the screen -------------------------------------------------------------------

cat >"$T/steps" <<END
. "$top/scripts/lib/step.sh"
talk() {	# until that has been shown
	local i
	printf '%0200d\n' 7
	for ((i = 0; i < 600; i++)); do
		! grep -aqE 'a long step +[0-9]+ s  0' "$T/screen" || break
		sleep 0.1
	done
	VALUE=kept
}
step "a long step" "" talk
echo "\$VALUE"
(step "one that fails" "Do this." false)
END
command -v script >/dev/null || echo 'a long step 1 s  0' >"$T/screen"	# nobody shows it
screen() { script -qec "stty cols 80; ${1:-} bash $T/steps" /dev/null </dev/null; }
if command -v script >/dev/null; then
	export TERM=xterm
	screen >"$T/screen"
	is "a step that goes on shows its time and its words" \
		"$(grep -aoE 'a long step +[1-9][0-9]* s  0{26}' "$T/screen" | head -n 1 | tr -s ' ' | sed 's/ [0-9][0-9]* s / N s /')" \
		"a long step N s $(printf '%026d' 0)"
	is "in 80 columns" "$(tr '\r' '\n' <"$T/screen" | sed 's/\x1b\[[0-9;]*[mK]//g' | awk 'length > 80')" ""
	is "green, red" "$(grep -acE $'\e\\[32mok|\e\\[31mFAILED' "$T/screen")" 2
	is "what it sets stays set" "$(grep -ac kept "$T/screen")" 1
	is "without colour by NO_COLOR" "$(screen NO_COLOR=1 | grep -acE $'\e\\[[0-9]+m')" 0
fi
is "no terminal, no escapes" "$(bash "$T/steps" | grep -c $'[\e\r]')" 0
# shellcheck disable=SC2016	# for that shell
is "what it says at its end fits 80 columns" "$(FOREBAY_URL=https://127.0.0.1:8443 bash -c '. "$0/scripts/lib/show.sh"
	DATA=/var/lib/forebay-quickstart; show_where 12.3' "$top" | awk 'length > 80')" ""

# --- packages ----------------------------------------------------------------------

sed '/^main "\$@"$/d' "$top/scripts/install-packages" >"$T/install"
cat >>"$T/install" <<'END'
lists_locked() { [ -e "$T/locked" ]; }
apt-get() { echo update >>"$T/asked"; [ ! -e "$T/locked" ] && [ ! -e "$T/offline" ]; }
sleep() { [ "$(wc -l <"$T/asked")" -lt 4 ] || rm -f "$T/locked"; }
lists_update
END
export T
: >"$T/locked"
bash "$T/install" >/dev/null
is "the package lists are waited for while another apt-get holds them" "$? $(wc -l <"$T/asked")" "0 5"
rm "$T/asked"
: >"$T/offline"
bash "$T/install" >/dev/null
is "and not when there is no network" "$? $(wc -l <"$T/asked")" "1 2"

echo "1..$n"
exit $rc
