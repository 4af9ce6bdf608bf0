# shellcheck shell=bash
# A local certificate authority and one certificate for this machine's own names.
# The authority's key is thrown away: nobody can sign anything else with it.

tls_good() {
	as openssl x509 -in "$DATA/nginx/tls/cert.pem" -noout -checkend 604800 >/dev/null 2>&1 &&
	as openssl verify -CAfile "$DATA/tls/ca.pem" "$DATA/nginx/tls/cert.pem" >/dev/null 2>&1
}

# tls_make: DATA/tls/ca.pem for clients, DATA/nginx/tls/{cert,key}.pem for nginx
tls_make() {
	as sh -eu -c '
		umask 077
		work=$(mktemp -d "$1/tls/new.XXXXXX")
		trap "rm -rf \"$work\"" EXIT
		key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
		key "$work/ca.key"
		openssl req -x509 -new -key "$work/ca.key" -out "$work/ca.pem" -days 400 \
		    -subj "/CN=forebay local authority" \
		    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
		    -addext "keyUsage=critical,keyCertSign,cRLSign"
		key "$work/key.pem"
		openssl req -new -key "$work/key.pem" -out "$work/csr" -subj "/CN=localhost"
		printf "%s\n" "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
		    "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
		    "extendedKeyUsage=serverAuth" >"$work/ext"
		openssl x509 -req -in "$work/csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" \
		    -CAcreateserial -days 397 -extfile "$work/ext" -out "$work/cert.pem"
		mkdir -p "$1/nginx/tls"
		chmod 644 "$work/ca.pem"
		mv "$work/key.pem" "$work/cert.pem" "$1/nginx/tls/"
		mv "$work/ca.pem" "$1/tls/"
	' tls "$DATA"
}

# For curl, which takes one file: the authorities of this machine and ours.
tls_bundle() {
	as sh -c 'cat "$1/ca.pem" >"$1/bundle.new" && { cat /etc/ssl/certs/ca-certificates.crt >>"$1/bundle.new" || :; } &&
	    chmod 644 "$1/bundle.new" && mv "$1/bundle.new" "$1/bundle.pem"' tls "$DATA/tls" 2>/dev/null
}
