#!/bin/sh
# A setting that is wrong stops a program at once and says where and what.
. "$(dirname "$0")/lib.sh"
world

# refused WHAT PROGRAM PATTERN ARGUMENT ...
refused() {
	local what=$1 program=$2 pattern=$3 out rc=0
	shift 3
	out=$(as timeout 10 "$BIN/$program" "$@" 2>&1) || rc=$?
	is "$program: $what: exit 78" "$rc" 78
	like "$program: $what: said" "$out" "$pattern"
}

printf '[collect]\nworkers = 2\nwrokers = 2\n' >"$W/unknown.conf"
printf '[journal]\n\nsegment_age = soon\n' >"$W/value.conf"
printf '[journal]\nfloor_pct = 51\n' >"$W/range.conf"
printf '[flush]\nnotify\n' >"$W/syntax.conf"
printf '[fulsh]\nnotify = x\n' >"$W/section.conf"
chmod a+r "$W"/*.conf
for program in forebayd forebay-flusher; do
	refused "unknown key" $program "unknown.conf:3: .*wrokers" -c "$W/unknown.conf"
	refused "bad value" $program "value.conf:3: .*segment_age.*soon.*duration" -c "$W/value.conf"
	refused "out of range" $program "range.conf:2: .*51.*0 to 50" -c "$W/range.conf"
	refused "no value" $program "syntax.conf:2: " -c "$W/syntax.conf"
	refused "unknown section" $program "section.conf:[12]: .*fulsh" -c "$W/section.conf"
	refused "no file" $program "none.conf" -c "$W/none.conf"
	refused "bad flag" $program "journal.kep" -c "$W/forebay.conf" -o journal.kep=1h
	refused "bad flag's value" $program "journal.keep.*never" -c "$W/forebay.conf" -o journal.keep=never
	FOREBAY_LOG_LEVEL=loud refused "bad environment" $program "FOREBAY_LOG_LEVEL.*loud.*error\|warning" \
		-c "$W/forebay.conf"
done

ok "check-config takes a good file" forebay check-config
refused "bad value" forebay "value.conf:3: " -c "$W/value.conf" check-config
forebay check-config --example >"$W/example.conf"
ok "the example file is a good file" as "$BIN/forebay" -c "$W/example.conf" check-config
out=$(FOREBAY_COLLECT_WORKERS=7 forebay -o journal.keep=7h check-config --show 2>&1)
like "the environment wins over the file" "$out" '^workers = 7$'
like "flags win over both" "$out" '^keep = 7h$'

# A password is told by nobody: not where it stands, and not where libpq stumbles over it.
SECRET='host=127.0.0.1 port=1 user=u password=hush sslpassword=hush'
like "check-config --show has stars for a password" \
	"$(forebay -o "flush.conninfo=$SECRET" check-config --show)" '^conninfo = .*password=\*\*\*'
for how in --show --json; do
	is "check-config $how tells no password" "$(forebay -o "flush.conninfo=$SECRET" check-config $how | grep -c hush)" 0
done
refused "a connection string that libpq does not take" forebay 'flush.conninfo: ' -o "flush.conninfo=hosst=h" check-config
for bad in 'host=127.0.0.1 port=1 password=my hush' 'postgresql://u:%zhush@127.0.0.1:1/db' 'postgresql://u:p@hush@127.0.0.1:1/db'; do
	forebay -o "flush.conninfo=$bad" check-config >"$W/told" 2>&1
	forebay -o "flush.conninfo=$bad" audit >>"$W/told" 2>&1
	forebay db migrate --conninfo "$bad" >>"$W/told" 2>&1
	spawn flush "$BIN/forebay-flusher" -c "$W/forebay.conf" -o "flush.conninfo=$bad"
	ok "$bad: the flusher says so" wait_until 30 grep -q 'not one that libpq can read' "$W/log/flush.log"
	stop flush
	is "$bad: is told by nobody" "$(cat "$W/told" "$W/log/flush.log" | grep -c hush)" 0
done

# --help and what names its own database need no settings: a broken file is not in the way
for verb in audit check-config db key query salvage stats tail where; do
	is "forebay $verb --help reads no settings" \
		"$(as "$BIN/forebay" -c "$W/none.conf" "$verb" --help 2>&1 | head -n 1 | cut -d ' ' -f 1-3)" "usage: forebay $verb"
done
ok "forebay check-config --example reads none" as "$BIN/forebay" -c "$W/none.conf" check-config --example
ok "forebay db migrate --conninfo reads none" as "$BIN/forebay" -c "$W/none.conf" db migrate --dry-run \
	--conninfo "host=$W/run user=forebay dbname=forebay"
refused "no file and no --conninfo" forebay "none.conf" -c "$W/none.conf" db migrate

# workers = 0: as many as CPUs may be used, not as there are
if command -v taskset >/dev/null; then
	spawn collect taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" "$BIN/forebayd" -c "$W/forebay.conf" -o collect.workers=0
	ok "bound to one CPU the collector has one worker" wait_until 30 grep -q 'ready workers=1$' "$W/log/collect.log"
	stop collect
else
	skip "workers by affinity: no taskset"
fi
done_testing
