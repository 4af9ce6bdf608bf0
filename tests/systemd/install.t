#!/bin/sh
# doc/INSTALL.md, followed to the letter by somebody with sudo on a machine of Debian's
# that was just installed: each of its blocks is run, in their order, from the page.
. "$(dirname "$0")/../integration/lib.sh"
. "$(dirname "$0")/../tools/debian.sh"
. "$(dirname "$0")/machine.sh"

PAGE=$top_srcdir/doc/INSTALL.md
machine_world
EX=$W/examples
mkdir "$EX"
awk -v dir="$EX" -f "$top_srcdir/tests/tools/examples.awk" "$PAGE"
# section NAME: its blocks as one script
section() { grep -lx "$1" "$EX"/*.section | sed 's/\.section$//' | sort | xargs -r cat; }

# What the page asks apt for, and what every installed Debian has.
packages=$(section Packages | tr -d '\\\n' | sed 's/.*install -y *//' | tr -s ' ' ',')
machine_root install "systemd,systemd-sysv,ca-certificates,procps,sudo,$packages"

# --- a newcomer -------------------------------------------------------------------

useradd -R "$M" -m -s /bin/bash ann
echo 'ann ALL=(ALL) NOPASSWD: ALL' >"$M/etc/sudoers.d/ann"
echo '127.0.0.1 events.example.com' >>"$M/etc/hosts"
# a build's copy of the source may lie inside of a clone, and is none itself
if [ -e "$top_srcdir/.git" ]; then
	git -c safe.directory='*' -C "$top_srcdir" ls-files -z | tar -C "$top_srcdir" --null -T - -cf "$W/source.tar"
else
	tar -C "$top_srcdir" --exclude=./run --exclude=.git -cf "$W/source.tar" .
fi
mkdir "$M/home/ann/forebay"
tar -C "$M/home/ann/forebay" -xf "$W/source.tar"
chown -R --reference="$M/home/ann" "$M/home/ann/forebay"
machine_boot

# follow SECTION...: as ann, in one shell that ends at the first command that fails; what
# it has set is there for the next.
follow() {
	local s rc
	for s; do
		section "$s" >"$EX/script"
		[ -s "$EX/script" ] || { fail "$s"; note "no such section, or no block in it"; continue; }
		{
			echo 'cd ~/forebay; [ ! -e ~/kept ] || . ~/kept; set -e'
			cat "$EX/script"
			echo "declare -p NAME KEY >~/kept 2>/dev/null || :"
		} >"$M/home/ann/script"
		rc=0
		OUT=$(timeout 600 nsenter -t "$LEADER" -a -- setpriv --reuid=ann --regid=ann --init-groups --reset-env \
			env LANG=C.UTF-8 bash /home/ann/script 2>&1 </dev/null) || rc=$?
		is "$s, to the letter" $rc 0
		[ $rc = 0 ] || note "$(printf '%s\n' "$OUT" | tail -n 25 | cut -c 1-300)"
	done
}
sql() { inside_as postgres psql -XqAt -d forebay -c "$1"; }
arrived() { [ "$(sql "SELECT count(*) FROM forebay.event WHERE id = '$1'")" = 1 ]; }
post() {
	inside_as ann bash -c '. ~/kept; curl -sS -o /dev/null -w "%{http_code}" --max-time 30 --cacert ~/forebay/chain.pem \
		-H "Authorization: Bearer $KEY" -d "$1" "https://$NAME/v1/events"' bash "$1"
}

# --- the page ----------------------------------------------------------------------

for f in "$EX"/*.sh "$EX"/*.no "$EX"/*.unknown; do
	case $f in *'*'*|*.sh) ;; *) fail "a block that is not run: ${f##*/}" ;; esac
done
follow Packages Programs
like "make install says what comes next" "$OUT" 'doc/INSTALL.md|INSTALL.md'
follow Database Start nginx 'The first event'
like "it was taken" "$OUT" '"accepted":1'
ok "and is in PostgreSQL, by the socket" wait_until 60 arrived first
is "systemd has nothing to complain of" "$(inside systemctl --failed --no-legend --plain)" ""

# --- what OPERATIONS.md and SECURITY.md say to type ----------------------------------

# As root, in the folder where the certificate is; psql is a connection as the owner. That a
# log has no such line is no failure.
operate() {		# DOCUMENT
	local f line rc
	mkdir -p "$W/ex-$1"
	awk -v dir="$W/ex-$1" -f "$top_srcdir/tests/tools/examples.awk" "$top_srcdir/$2"
	for f in "$W/ex-$1"/*.sh; do
		line=$(echo "${f##*/}" | cut -d . -f 2)
		{
			cat <<-'END'
				cd /home/ann/forebay
				psql() { sudo -u postgres psql -d forebay "$@"; }
				trap 's=$?; case "$s $BASH_COMMAND" in "1 journalctl "*|"1 grep "*) ;; *) echo "$BASH_COMMAND => $s"; exit $s ;; esac' ERR
			END
			sed -e "s/01a1fb8e-2d60-769f-bac1-3b75c9756984:7-8/$RECEIPT/" -e "s/'SEGMENT'/'${RECEIPT%:*}'/" "$f"
			echo 'exit 0'
		} >"$M/root/script"
		rc=0
		out=$(inside env LC_ALL=C.UTF-8 bash /root/script 2>&1 </dev/null) || rc=$?
		is "$2:$line: runs" $rc 0
		[ $rc = 0 ] || note "$(printf '%s\n' "$out" | tail -n 12 | cut -c 1-300)"
	done
}
RECEIPT=$(inside_as ann bash -c '. ~/kept; curl -sS --max-time 30 --cacert ~/forebay/chain.pem \
	-H "Authorization: Bearer $KEY" -d "{\"id\":\"order-42\"}" "https://$NAME/v1/events"' | sed 's/.*"receipt":"\([^"]*\)".*/\1/')
like "an event to look for" "$RECEIPT" '^[0-9a-f-]{36}:[0-9]+-[0-9]+$'
ok "which arrives" wait_until 60 arrived order-42
inside mkdir -p /etc/letsencrypt/renewal-hooks/deploy		# certbot makes it
inside install -d -o forebay -g forebay /var/lib/forebay/journal/aside
operate security SECURITY.md
operate operations doc/OPERATIONS.md
inside rm -f /run/forebay/draining
ok "and goes on after the last of them" inside systemctl start forebay.target

# --- the rest of the page ----------------------------------------------------------------

follow 'PostgreSQL by TCP, with a password'
is "the password is root's" "$(inside stat -c '%a %U' /etc/credstore/forebay.pgpassword)" "600 root"
is "another event" "$(post '{"id":"second"}')" 202
ok "comes with the password" wait_until 60 arrived second
ok "over TCP" sh -c '[ "$0" -gt 0 ]' "$(sql "SELECT count(*) FROM pg_stat_activity WHERE usename = 'forebay' AND client_addr IS NOT NULL")"

follow Upgrade
is "and another" "$(post '{"id":"third"}')" 202
ok "after the upgrade" wait_until 60 arrived third

inside_as ann sh -c 'cd ~/forebay && sudo make uninstall' >"$W/uninstall" 2>&1 &&
	fail "make uninstall refuses while nginx uses its files" || pass "make uninstall refuses while nginx uses its files"
like "and says what to do" "$(cat "$W/uninstall")" 'conf\.d/forebay\.conf'
ok "nothing is gone by that" inside nginx -t
rows=$(sql "SELECT count(*) FROM forebay.event")
is "all events are there" "$rows" 4
follow Removal
ok "nginx is valid" inside nginx -t
ok "and runs" inside systemctl is-active nginx
is "nothing of forebay is left" "$(inside sh -c 'ls -d /etc/forebay /var/lib/forebay /usr/local/share/forebay \
	/usr/local/bin/forebay* /usr/local/sbin/forebay* /usr/local/lib/systemd/system/forebay* /lib/systemd/system/forebay* 2>/dev/null')" ""
is "systemd knows no unit of it" "$(inside systemctl list-unit-files --no-legend 'forebay*')" ""
ok "the machine shuts down" machine_off
done_testing
