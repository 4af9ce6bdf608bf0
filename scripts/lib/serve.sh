# shellcheck shell=bash
# nginx of the quickstart, on the first free ports.

nginx_pid() {
	pid_checked "$(as cat "$DATA/nginx/nginx.pid" 2>/dev/null)" "nginx -p $DATA/nginx "
}

nginx_run() {
	as nginx -p "$DATA/nginx" -e "$DATA/nginx/log/nginx-error.log" -c nginx.conf "$@"
}

# Does anybody listen there?
port_taken() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# port_free FIRST: that port, or the next one that is free
port_free() {
	local port
	for ((port = $1; port < $1 + 100; port++)); do
		port_taken "$port" || { echo "$port"; return 0; }
	done
	echo "no free port from $1 to $((port - 1))" >&2
	return 1
}

# nginx_start: on 127.0.0.1:8443 and, for /metrics, :9464, or the next ports that are
# free. Sets PORT and METRICS_PORT.
nginx_start() {
	local tries
	if nginx_pid >/dev/null; then
		nginx_port
		return $?
	fi
	group_end "$(as cat "$DATA/nginx/nginx.pid" 2>/dev/null)" "nginx: "
	for tries in 1 2 3 4 5; do
		PORT=$(port_free 8443) && METRICS_PORT=$(port_free 9464) || return 1
		as bash -c '. "$1/src/scripts/lib/nginx.sh" &&
		    nginx_render "$1/src/conf/nginx" "$1/nginx" "$1/sock" "127.0.0.1:$2" "127.0.0.1:$3"' \
		    render "$DATA" "$PORT" "$METRICS_PORT" || return 1
		nginx_run -t || return 1
		! nginx_run || return 0
		# somebody was quicker: try the next one
		port_taken "$PORT" || port_taken "$METRICS_PORT" || return 1
	done
	echo "gave up after $tries tries"
	return 1
}

nginx_port() {
	PORT=$(as sed -n 's/.*listen 127.0.0.1:\([0-9]*\) .*/\1/p' "$DATA/nginx/conf/site.conf")
	METRICS_PORT=$(as sed -n 's/.*listen 127.0.0.1:\([0-9]*\);.*/\1/p' "$DATA/nginx/conf/metrics.conf")
	[ -n "$PORT" ] && [ -n "$METRICS_PORT" ]
}

nginx_stop() {
	local pid
	pid=$(nginx_pid) || return 0
	nginx_run -s quit
	wait_gone "$pid" "nginx -p $DATA/nginx " 15 && return 0
	nginx_run -s stop
	wait_gone "$pid" "nginx -p $DATA/nginx " 5
}
