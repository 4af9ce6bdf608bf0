#!/bin/sh
# /metrics: collector, flusher and journal in one scrape, true to what was done, for
# the inner listener only; and the alerts that are made of it.
. "$(dirname "$0")/lib.sh"
world
database

# scrape: the page, in $W/metrics
scrape() {
	curl -sS --max-time 20 --unix-socket "$W/run/metrics.sock" -D "$W/head" -o "$W/metrics" \
		"http://localhost${1:-/metrics}"
}
value() { awk -v m="$1" '$1 == m { print $2 }' "$W/metrics"; }
value_is() { scrape && [ "$(value "$1")" = "$2" ]; }
# promtool, which may not be there
prom() {
	local what=$1
	shift
	if command -v promtool >/dev/null; then ok "$what" "$@"; else skip "$what: no promtool (Debian: prometheus)"; fi
}
check_metrics() {
	promtool check metrics <"$W/metrics" >"$W/lint" 2>&1 && [ ! -s "$W/lint" ] || { cat "$W/lint"; return 1; }
}
check_rules() { promtool check rules "$top_srcdir/conf/prometheus/forebay.rules.yml"; }
test_rules() {
	cp "$top_srcdir/conf/prometheus/forebay.rules.yml" "$top_srcdir/tests/integration/alerts.test.yml" "$W/" &&
	promtool test rules "$W/alerts.test.yml"
}
accepted_one() { post '{"n":9}' >/dev/null && [ "$(status)" = 202 ]; }

collector
nginx
ok "the page is there" scrape
is "status" "$(status)" 200
is "type" "$(head_of Content-Type)" "text/plain; version=0.0.4; charset=utf-8"
is "no flusher yet" "$(value 'forebay_up{program="flusher"}')" 0
is "and no counter of it" "$(value forebay_pending_rows)" ""
prom "a page without a flusher is clean" check_metrics

flusher
ok "a flusher that has nothing to do is up" wait_until 30 value_is 'forebay_up{program="flusher"}' 1
ok "and its PostgreSQL too" wait_until 30 value_is forebay_postgres_up 1

scrape
requests=$(value forebay_requests_total)
for n in 1 2 3; do
	post '[{"id":"a","n":'$n'},{"id":"b","n":'$n'}]' >/dev/null
done
post '[{"id":"a","n":1}]' >/dev/null
post '[{"n":1},' >/dev/null
ok "rows are counted where they arrive" wait_until 60 value_is 'forebay_flush_rows_total{result="loaded"}' 6
ok "duplicates too" wait_until 60 value_is 'forebay_flush_rows_total{result="duplicate"}' 1
is "accepted" "$(value forebay_events_accepted_total)" 7
is "refused, by code" "$(value 'forebay_answers_total{code="invalid_json"}')" 1
ok "requests grow by at least those" [ "$(value forebay_requests_total)" -ge $((requests + 5)) ]
ok "nothing waits" wait_until 30 value_is forebay_pending_rows 0
commits=$(value forebay_commit_duration_seconds_count)
ok "commits were measured" [ "$commits" -ge 4 ]
is "the last bucket holds all of them" "$(value 'forebay_commit_duration_seconds_bucket{le="+Inf"}')" "$commits"
is "workers" "$(value 'forebay_workers{phase="ready"}') $(value forebay_workers_ready)" "2 2"
ok "size, capacity and segments of the journal" \
	[ "$(value forebay_journal_bytes)" -gt 0 -a "$(value forebay_journal_segments)" -ge 1 ]
is "version" "$(grep -c "^forebay_build_info{version=\"$(as "$BIN/forebay" --version | cut -d ' ' -f 2)\"} 1$" "$W/metrics")" 1
prom "the whole page is clean" check_metrics

# whoever comes from outside
is "the public server has no /metrics" "$(http GET /metrics >/dev/null; status) $(json '$.code')" "404 not_found"
is "nor by another method" "$(http POST /metrics -d x >/dev/null; status)" 404
http GET /metrics -H 'Forebay-Listener: internal' -H 'FOREBAY_LISTENER: internal' >/dev/null
is "whatever a client says" "$(status)" 404
scrape /v1/time
is "and the inner one nothing else" "$(status)" 404

# a worker that dies is counted, and what it had counted stays
kill -KILL "$(children "$(pid_of collect)" | cut -d ' ' -f 1)"
ok "a worker's death is counted" wait_until 30 value_is forebay_worker_deaths_total 1
ok "another takes its place" wait_until 30 value_is 'forebay_workers{phase="ready"}' 2
is "no count was lost" "$(value forebay_events_accepted_total)" 7
# all are killed at once, and fewer come
kill -KILL "-$(pid_of collect)"
wait_until 30 gone "$(pid_of collect)"
collector -o collect.workers=1
ok "those who are gone are no workers" wait_until 30 value_is 'forebay_workers{phase="ready"}' 1
is "nor ready" "$(value forebay_workers_ready) $(value forebay_events_accepted_total)" "1 7"

touch_drain() { as touch "$W/run/draining"; }
ok "drain mark" touch_drain
ok "draining shows" wait_until 30 value_is forebay_draining 1
ok "and nobody is ready" wait_until 30 value_is forebay_workers_ready 0
pg_stop
rm "$W/run/draining"
ok "a row that cannot be delivered" wait_until 30 accepted_one
ok "PostgreSQL that is away shows" wait_until 30 value_is forebay_postgres_up 0
ok "and what waits for it" wait_until 30 value_is forebay_pending_rows 1

prom "the alerts are rules" check_rules
prom "the alerts fire when they should" test_rules
metrics_of() { grep -o 'forebay_[a-z_]*' "$@" | sort -u; }
metrics_of "$top_srcdir/conf/prometheus/forebay.rules.yml" | sed 's/_bucket$//; s/_count$//' >"$W/wanted"
metrics_of -h "$top_srcdir/src/counters.def" >"$W/known"
echo forebay_answers_total >>"$W/known"
is "and speak of metrics that exist" "$(grep -vxFf "$W/known" "$W/wanted")" ""
done_testing
