# shellcheck shell=bash
# What a user sees: where things are, the samples, events as they arrive.

show_where() {	# [SECONDS that it took]
	# shellcheck disable=SC2153	# PORT is set by nginx_start or nginx_port
	cat <<-END

	${GREEN}forebay is ready${1:+ after $1 s}.$PLAIN  Events go to $BOLD$FOREBAY_URL/v1/events$PLAIN

	  . run/env                                    first, in the shell that you use:
	  curl \$FOREBAY_URL/v1/events -d '{"id":"a"}'  send an event, get a receipt
	  forebay where a                              what became of it (or a receipt)
	  forebay tail -f                              events as they come
	  curl \$FOREBAY_METRICS                        what Prometheus sees
	  psql -c 'select * from forebay.event order by received_at desc limit 5'

	  data   $DATA
	  logs   $DATA/log, $DATA/nginx/log
	  end    ./quickstart --stop; with its data: ./quickstart --purge

	Anybody on this machine may post: write keys are off here, and so are
	nginx's request limits.
	END
	case $DATA in /var/tmp/*)
		echo "Some systems remove from /var/tmp what nobody has touched for 30 days." ;;
	esac
}

# quoted VALUE: as a word for the shell
quoted() {
	printf "'%s'" "${1//\'/\'\\\'\'}"
}

env_write() {
	local host=$DATA/sock port=$PG_PORT name=forebay user=postgres
	FOREBAY_URL=https://127.0.0.1:$PORT
	tls_bundle || return 1
	if [ -n "$USER_DSN" ]; then
		{ read -r host; read -r port; read -r name; read -r user; } < <(
		    printf '%s\n' '\echo :HOST' '\echo :PORT' '\echo :DBNAME' '\echo :USER' | db)
	fi
	cat >"$RUN/env.new" <<-END || return 1
		# made by ./quickstart; read it with: . run/env
		export FOREBAY_URL=$FOREBAY_URL
		export FOREBAY_METRICS=http://127.0.0.1:$METRICS_PORT/metrics
		export FOREBAY_CA=$(quoted "$DATA/tls/ca.pem")
		# for curl: this machine's authorities and the one above
		export CURL_CA_BUNDLE=$(quoted "$DATA/tls/bundle.pem")
		export FOREBAY_CONF=$(quoted "$DATA/conf/forebay.conf")
		export PGHOST=$(quoted "$host") PGPORT=$port
		export PGDATABASE=$(quoted "$name") PGUSER=$(quoted "$user")
		case :\$PATH: in
		*:$(quoted "$DATA/prog/bin"):*) ;;
		*) export PATH=$(quoted "$DATA/prog/bin"):"\$PATH" ;;
		esac
	END
	mv "$RUN/env.new" "$RUN/env"
}

samples_post() {
	local answer=$DATA/state/samples.answer status
	SAMPLES_SINCE=$(date +%s)
	status=$(as curl -sS -m 20 --cacert "$DATA/tls/ca.pem" -H 'Content-Type: application/x-ndjson' \
	    --data-binary @"$DATA/src/conf/examples/events.ndjson" -o "$answer" -w '%{http_code}' \
	    "https://127.0.0.1:$PORT/v1/events") && [ "$status" = 202 ] && return 0
	echo "answer: ${status:-none}"
	as cat "$answer"
	daemon_said forebayd
	return 1
}

# The samples as SQL sees them; a sample is known by its payload. No \copy: psql before 18
# sends the line that ends its data on, and a server of 18 takes that for data.
samples_sql() {
	cat <<-END
		create temp table sample (n serial, line jsonb);
		\set lines \`cat "$DATA/src/conf/examples/events.ndjson"\`
		insert into sample (line) select line::jsonb
		from regexp_split_to_table(:'lines', e'\\n') with ordinality l (line, n) where line <> '' order by l.n;
	END
	cat
}

samples_arrived() {
	local want have end=$((SECONDS + 20))
	want=$(as grep -c . "$DATA/src/conf/examples/events.ndjson")
	until have=$(samples_sql <<<'select count(distinct n) from sample join forebay.event on payload = line;' |
	    db -At) && [ "$have" = "$want" ]; do
		if [ $SECONDS -ge $end ]; then
			echo "after 20 s ${have:-no} of $want samples are in forebay.event"
			daemon_said forebay-flusher
			return 1
		fi
		sleep 0.2
	done
}

# Some of them, in 80 columns, and how many stood there before this start.
samples_show() {
	samples_sql <<-END | db
		\pset footer off
		select to_char(received_at, 'HH24:MI:SS') received, left(type, 16) type, left(id, 18) id,
		       left((payload - '{id,type,source,subject,time}'::text[])::text, 22) || '...' payload
		from (select distinct on (n) n, event.*
		      from sample join forebay.event on payload = line order by n, received_at desc) one
		where n % 5 in (1, 3) order by n limit 8;
		\pset format unaligned
		\pset tuples_only on
		with stand as (select n, max(received_at) received_at
		               from sample join forebay.event on payload = line group by n)
		select '... and ' || count(*) - 8 || ' more' from stand having count(*) > 8
		union all
		select e'\nOf these events ' || count(*) || e' stood there before and were posted once more just now:\n'
		    || 'known by id and bytes, and stored once.' from stand
		where received_at < to_timestamp($SAMPLES_SINCE) having count(*) > 0;
	END
}

# Prints what arrives, at most 10 lines a second. progress says up to which row each
# segment stands in the table, in the same snapshot: nothing is missed, nothing twice.
follow() {
	{
		cat <<-'END'
			create temp table seen as select segment, last_seq from forebay.progress;
			create unique index on seen (segment);
			prepare arrived as
			with now as materialized (
			  select p.segment, p.last_seq, coalesce(s.last_seq, 0) seen
			  from forebay.progress p left join seen s using (segment)
			  where p.last_seq > coalesce(s.last_seq, 0)
			), note as (
			  insert into seen select segment, last_seq from now
			  on conflict (segment) do update set last_seq = excluded.last_seq
			), event as (
			  select e.*, row_number() over (order by e.received_at, e.seq) n, count(*) over () total
			  from forebay.event e join now on e.segment = now.segment
			   and e.seq > now.seen and e.seq <= now.last_seq
			  where e.received_at > now() - interval '2 days'
			)
			select case when n <= 10 then
			  to_char(received_at, 'HH24:MI:SS.MS') || '  ' || concat_ws(' ', source, type, subject, id)
			    || '  ' || left(payload::text, 100)
			  else '... and ' || total - 10 || ' more' end
			from event where n <= 11 order by n;
		END
		while sleep 1; do
			echo 'execute arrived;'
		done
	} | db -At
}
