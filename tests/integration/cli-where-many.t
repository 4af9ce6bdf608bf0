#!/bin/sh
# forebay where on random receipts of a load, while half of it waits for PostgreSQL and
# once everything is there: each time it agrees with progress, with the tables and with
# the journal. 100 receipts a time, with FULL=1 1,000.
. "$(dirname "$0")/lib.sh"
if [ "${FULL:-}" ]; then N=1000 SECONDS_EACH=10; else N=100 SECONDS_EACH=3; fi
world; database
collector -o journal.segment_age=2s
nginx
flusher

# sample ORACLE ...: N random receipts of them, "segment first last"
sample() {
	sed -n 's/^A .* \([0-9a-f-]*\):\([0-9]*\)-\([0-9]*\)$/\1 \2 \3/p' "$@" |
		shuf -n $N --random-source="$W/random" >"$W/sample"
	sed 's/^\(.*\) \(.*\) \(.*\)$/\1:\2-\3/' "$W/sample"
}
# told: what where says, "segment first last", and rows journaled, loaded, duplicate, other
told() {
	local receipt
	while read -r receipt; do
		forebay where --json "$receipt" >"$W/where" || echo "where $receipt: status $?" >&2
		tr -d '{}"' <"$W/where" | awk -F '[,:]' -v r="$(echo "$receipt" | tr ':-' '  ' | awk '{ print $(NF - 1), $NF }')" \
			-v s="${receipt%%:*}" '
			{ for (i = 1; i < NF; i++) v[$i] = $(i + 1)
			  n[v["state"] ~ /^(journaled|loaded|duplicate)$/ ? v["state"] : "other"] += v["last"] - v["first"] + 1 }
			END { print s, r, n["journaled"] + 0, n["loaded"] + 0, n["duplicate"] + 0, n["other"] + 0 }'
	done
}
# known: the same, worked out from progress and the tables
known() {
	{
		echo "CREATE TEMP TABLE r (segment uuid, first bigint, last bigint);"
		echo "COPY r FROM stdin WITH (DELIMITER ' ');"
		cat "$W/sample"
		echo '\.'
		cat <<-'END'
			\pset fieldsep ' '
			SELECT r.*, a.n - d.n, l.n, d.n - l.n, 0 FROM r LEFT JOIN forebay.progress p USING (segment),
				LATERAL (SELECT last - first + 1 AS n) a,
				LATERAL (SELECT greatest(least(coalesce(p.last_seq, 0), last) - first + 1, 0) AS n) d,
				LATERAL (SELECT count(*) AS n FROM forebay.event e WHERE e.segment = r.segment
					AND e.seq BETWEEN r.first AND r.last) l;
		END
	} | sql_script
}
# journal: rows that the journal has of each
journal() {
	while read -r receipt; do forebay query "select count(*) from event('$receipt')"; done
}
agree() {
	sample "$@" >"$W/receipts"
	is "$N receipts" "$(wc -l <"$W/receipts")" $N
	told <"$W/receipts" 2>"$W/told.err" | sort >"$W/told"
	is "every one is found" "$(cat "$W/told.err")" ""
	known | sort >"$W/known"
	is "where agrees with PostgreSQL" "$(diff "$W/told" "$W/known")" ""
	is "and with the journal" "$(head -n 100 "$W/receipts" | journal | awk '{ n += $1 } END { print n }')" \
		"$(head -n 100 "$W/receipts" | sed 's/.*:\(.*\)-\(.*\)/\1 \2/' | awk '{ n += $2 - $1 + 1 } END { print n }')"
	note "journaled, loaded, duplicate, other: $(awk '{ for (i = 4; i < 8; i++) n[i] += $i }
		END { print n[4], n[5], n[6], n[7] }' "$W/told")"
}

head -c 1000000 /dev/zero | openssl enc -aes-128-ctr -pass "pass:$SEED" -nosalt 2>/dev/null >"$W/random"
not_at_midnight 120
ok "a load" load --rate 150 --form array --events 3 --seed 7 --seconds $SECONDS_EACH --oracle "$W/one"
ok "it is flushed" wait_drained 30
stop flush
ok "the same again, and more of it" load --rate 150 --form array --events 3 --seed 7 --seconds $((SECONDS_EACH * 3 / 2)) \
	--oracle "$W/two"
agree "$W/one" "$W/two"
ok "some wait" awk '{ n += $4 } END { exit n == 0 }' "$W/told"
flusher
ok "all is flushed" wait_drained 30
agree "$W/one" "$W/two"
ok "some are duplicates" awk '{ n += $6 } END { exit n == 0 }' "$W/told"
is "audit is clean" "$(forebay audit | tail -n 1)" "clean: every row is accounted for, once"
done_testing
