# shellcheck shell=sh disable=SC3043	# local: dash and bash have it
# nginx from the project's own conf/nginx, run without root.

# nginx_edit: sed's commands for what depends on the machine. From 1.25.1 on nginx warns of
# `listen ... http2', before it knows nothing else. And nginx does not start where it cannot
# open an IPv6 socket, so the lines that want one are read only where the kernel has IPv6: the
# pattern's first part is there only then, and an include that matches nothing is none.
nginx_edit() {
	local version
	version=$(PATH=$PATH:/usr/sbin; command "${NGINX:-nginx}" -v 2>&1) || version=
	version=${version##*/}
	if [ "$(printf '%s\n' 1.25.1 "${version%% *}" | sort -V | head -n 1)" = 1.25.1 ]; then
		echo 's|@listen_http2@||; s|@http2_on@|http2 on;|'
	else
		echo 's|@listen_http2@| http2|; /@http2_on@/d'
	fi
	echo 's|@ipv6@|/proc/sys/net/ip[v]6/../../../..|'
}

# nginx_render SOURCE DIR SOCKET_DIR LISTEN [METRICS]: DIR/nginx.conf and what it includes.
# Expects DIR/tls/{cert,key}.pem. Request limits and the server that rejects
# unknown names are for the internet: they are left out here. Origins of browsers
# may stand in DIR/origins.conf. /metrics is asked for at SOCKET_DIR/metrics.sock, so that
# no second port has to be free, and at the address METRICS as well if there is one.
nginx_render() {
	local source="$1" dir="$2" sockets="$3" listen="$4" metrics="${5:-}" f
	mkdir -p "$dir/conf" "$dir/tmp" "$dir/log" || return 1
	for f in "$source"/*; do
		sed -e "s|@nginxdir@|$dir/conf|" -e "s|@rundir@|$sockets|" -e "s|@originsdir@|$dir|" \
		    -e "s|/var/log/nginx/forebay|$dir/log/nginx|" -e "$(nginx_edit)" "$f" \
		    >"$dir/conf/$(basename "${f%.in}")" || return 1
	done
	rm -f "$sockets/metrics.sock"	# nginx does not bind over a stale one
	sed -i "s|listen 127.0.0.1:9464;|listen unix:$sockets/metrics.sock;${metrics:+ listen $metrics;}|" \
	    "$dir/conf/metrics.conf" || return 1
	sed -e '/include .*\/\(reject\|limits\)\.conf;/d' -e '/include .*\/ipv6-tls.conf;/d' \
	    -e "s|listen 443 ssl|listen $listen default_server ssl|" \
	    -e 's|server_name .*;.*|server_name localhost;|' \
	    -e "s|default /.*;|default $dir/tls;|" \
	    "$dir/conf/forebay-tls.conf" >"$dir/conf/site.conf" || return 1
	cat >"$dir/nginx.conf" <<-END
		worker_processes auto;
		worker_shutdown_timeout 10s;
		pid $dir/nginx.pid;
		error_log $dir/log/nginx-error.log warn;
		events {
			worker_connections 4096;
		}
		http {
			client_body_temp_path $dir/tmp/body;
			fastcgi_temp_path $dir/tmp/fastcgi;
			proxy_temp_path $dir/tmp/proxy;
			scgi_temp_path $dir/tmp/scgi;
			uwsgi_temp_path $dir/tmp/uwsgi;
			include $dir/conf/site.conf;
		}
	END
}
