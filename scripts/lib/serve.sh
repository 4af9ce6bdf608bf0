# shellcheck shell=bash
# nginx of the quickstart, on the first free port.

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

# nginx_start: on 127.0.0.1:8443 or the next port that is free. Sets PORT.
nginx_start() {
	local last=$((8443 + 100))
	if nginx_pid >/dev/null; then
		nginx_port
		return $?
	fi
	group_end "$(as cat "$DATA/nginx/nginx.pid" 2>/dev/null)" "nginx: "
	for ((PORT = 8443; PORT < last; PORT++)); do
		! port_taken "$PORT" || continue
		as bash -c '. "$1/src/scripts/lib/nginx.sh" && nginx_render "$1/src/conf/nginx" "$1/nginx" "$1/sock" "127.0.0.1:$2"' \
		    render "$DATA" "$PORT" || return 1
		nginx_run -t || return 1
		! nginx_run || return 0
		# somebody was quicker: try the next one
		port_taken "$PORT" || return 1
	done
	echo "no free port from 8443 to $last"
	return 1
}

nginx_port() {
	PORT=$(as sed -n 's/.*listen 127.0.0.1:\([0-9]*\) .*/\1/p' "$DATA/nginx/conf/site.conf")
	[ -n "$PORT" ]
}

nginx_stop() {
	local pid
	pid=$(nginx_pid) || return 0
	nginx_run -s quit
	wait_gone "$pid" "nginx -p $DATA/nginx " 15 && return 0
	nginx_run -s stop
	wait_gone "$pid" "nginx -p $DATA/nginx " 5
}
