#!/bin/sh
# A worker that dies as soon as it starts is tried again ever more slowly, and the
# others serve on without a failure; new workers that cannot start never push out
# old ones that work.
. "$(dirname "$0")/lib.sh"
world
database
KEYS=$W/keys
sed -i "s|^keys =.*|keys = $KEYS|" "$W/forebay.conf"
LOAD_PATH="/v1/events?key=$(forebay key new --name load shop 2>/dev/null)"
as mkdir "$W/prog"
as cp "$BIN/forebayd" "$W/prog/forebayd"
FOREBAYD=$W/prog/forebayd
collector
nginx 'keepalive_timeout 500ms;' 'keepalive_time 1s;'
flusher
MASTER=$(pid_of collect)

log_count() { grep -c "$1" "$W/log/collect.log"; }
logged() { [ "$(log_count "$1")" -ge "$2" ]; }
acked() { grep -c ^A "$W/oracle"; }
acked_more() { [ "$(acked)" -gt "$1" ]; }
scrape() { curl -sS --max-time 20 --unix-socket "$W/run/metrics.sock" http://localhost/metrics; }
value() { scrape | awk -v m="$1" '$1 == m { print $2 }'; }
workers_are() { [ "$(children "$MASTER" | wc -w)" = "$1" ]; }

load_start --rate 1000 --seconds 900 --oracle "$W/oracle"
wait_until 30 acked_more 100

# A worker without its keys does not start. One leaves in peace; its successors
# find no file.
as mv "$KEYS" "$KEYS.away"
survivor=$(children "$MASTER" | cut -d ' ' -f 1)
victim=$(children "$MASTER" | cut -d ' ' -f 2)
kill -TERM "$victim"
ok "a worker leaves" wait_until 60 gone "$victim"
ok "its successor dies at once, again and again" wait_until 60 logged 'worker.died.*status=71' 4
like "and the log says why" "$(grep -m 1 'keys.refused' "$W/log/collect.log")" 'No such file'
seen=$(acked)
ok "the other one serves on" wait_until 30 acked_more $((seen + 2000))
ok "it is the same one" alive "$survivor"
is "deaths are counted" "$([ "$(value forebay_worker_deaths_total)" -ge 4 ] && echo yes)" yes

# the pauses between them, of log times: they double
awk '/worker.died.*status=71/ { split($2, t, ":"); s = t[1] * 3600 + t[2] * 60 + t[3]
	if (n++) printf "%.2f ", s - last; last = s }' "$W/log/collect.log" >"$W/pauses"
note "pauses: $(cat "$W/pauses")"
is "from 0.1 s on each is twice the one before, or more" "$(awk '{ for (i = 1; i <= 4 && i <= NF; i++)
	if ($i < 0.09 * 2 ^ (i - 1)) print $i }' "$W/pauses")" ""
as mv "$KEYS.away" "$KEYS"
ok "with its keys there are two again" wait_until 40 workers_are 2
both_ready() { [ "$(value forebay_workers_ready)" = 2 ]; }
ok "both ready" wait_until 40 both_ready

# Killed hard, again and again: the requests it held are unknown, all others are not.
kill -TERM "$LOAD"
load_end "no request has failed"
succeeded() { case " $(children "$MASTER") " in *" $1 "*) false ;; *) workers_are 2 ;; esac; }
load_start --rate 1000 --seconds 900 --retry --expect 202,503,lost --oracle "$W/oracle.2"
wait_until 30 test -s "$W/oracle.2"
for _ in 1 2 3 4 5; do
	sleep 1.2		# who lived for a second is replaced at once
	victim=$(children "$MASTER" | tr ' ' '\n' | grep -vx "$survivor" | head -n 1)
	kill -KILL "$victim"
	wait_until 60 succeeded "$victim" || fail "no successor"
done
ok "five are killed and replaced" logged 'worker.died.*signal=9' 5
ok "the survivor stands" alive "$survivor"

kill -TERM "$LOAD"
load_end "with retries every request is accepted in the end"

# More workers, and fewer: none of the old is forgotten.
reload_with() {		# reload_with WORKERS
	sed -i "s|^workers = .*|workers = $1|" "$W/forebay.conf"
	kill -HUP "$MASTER"
}
load_start --rate 1000 --seconds 900 --oracle "$W/oracle.3"
wait_until 30 test -s "$W/oracle.3"
reload_with 20
ok "2 workers become 20" wait_until 40 workers_are 20
reload_with 2
ok "20 become 2" wait_until 40 workers_are 2

# A program that passes its test and cannot start a worker: the old ones go on,
# longer (FULL=1) than a worker without a sign of life is let, for it is another
# file of counters that theirs go to.
as tee "$W/prog/limited" >/dev/null <<-END
	#!/bin/sh
	case " \$* " in *" -t "*) exec "$BIN/forebayd" "\$@" ;; esac
	exec prlimit --nproc=1: "$BIN/forebayd" "\$@" -o collect.workers=20
END
as chmod +x "$W/prog/limited"
old=$(children "$MASTER")
as mv "$W/prog/limited" "$W/prog/forebayd"
kill -HUP "$MASTER"
ok "a program that starts no worker" wait_until 60 logged worker.fork_failed 1
seen=$(grep -c ^A "$W/oracle.3")
goes_on() { [ "$(grep -c ^A "$W/oracle.3")" -gt "$1" ]; }
[ -z "${FULL:-}" ] || sleep 65
ok "requests go on" wait_until 30 goes_on $((seen + 2000))
is "the old ones serve them" "$(children "$MASTER")" "$old"
as prlimit --pid "$MASTER" --nproc="$(as prlimit --pid "$MASTER" --nproc -o HARD --noheadings | tr -d ' ')"
ok "when it can it takes over" wait_until 60 workers_are 20
# shellcheck disable=SC2086	# pids, word by word
all_gone() { for p in $1; do gone "$p" || return 1; done; }
ok "from the old ones" wait_until 60 all_gone "$old"
kill -TERM "$LOAD"
load_end "no request has failed"
is "nobody was killed for being silent" "$(log_count worker.killed)" 0

ok "the flusher stops" stop flush TERM 20
ok "and leaves nothing behind" drained
ok "each event once" verify "$W/oracle" "$W/oracle.2" "$W/oracle.3"
done_testing
