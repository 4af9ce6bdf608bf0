#!/bin/bash
# WHAT: in Chromium a page that sends with fetch(..., {keepalive: true}) and does not read the answers can
#   send 64 KiB and no more, if they say Cache-Control: no-store. From then on every such fetch rejects unsent,
#   and navigator.sendBeacon() returns false. Without the header, or when the page reads each answer,
#   all are sent.
# VERSIONS: Chromium 153 (npm @sparticuz/chromium 153.0.0), Debian 12's 156.0.8078.108 the same.
#   Driver: playwright-core 1.56.1.
# GUESS: the 64 KiB (Fetch standard, "inflight keepalive bytes") are for what is on its way, so they come back
#   when the answer is there; and answers to POST are not cached anyway, so no-store on them does nothing.
#   Events are what is sent this way, and collectors like to say no-store.
# SEEN (2026-11-28):
#   Chromium 153.0.8010.0
#   no header, answers not read: 1500 of 1500 sent, 0 rejected; then sendBeacon says true
#   no-store , answers not read: 655 of 1500 sent, 845 rejected; then sendBeacon says false
#   no-store , answers read    : 1500 of 1500 sent, 0 rejected; then sendBeacon says true
# FOREBAY: answers to POST say nothing of caching.
set -eu

W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
trap 'rm -rf "$W"' EXIT
export TMPDIR=$W HOME=$W

npm install --silent --no-audit --no-fund --prefix "$W" @sparticuz/chromium@153.0.0 playwright-core@1.56.1 \
    >"$W/npm.log" 2>&1 || { echo "npm cannot install the packages"; exit 69; }

cat >"$W/look.mjs" <<'END'
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import packed from "@sparticuz/chromium";

const COUNT = 1500, BODY = "x".repeat(100);
let arrived = 0;
const server = createServer((request, answer) => {
	if (request.method === "POST") {
		arrived++;
		if (request.url === "/no-store") answer.setHeader("Cache-Control", "no-store");
		answer.writeHead(202, { "Content-Type": "application/json" });
		request.resume().on("end", () => answer.end('{"accepted":1}\n'));
	} else {
		answer.writeHead(200, { "Content-Type": "text/html" }).end("<!DOCTYPE html><title>page</title>");
	}
});
await new Promise(done => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;
let browser;
try {
	browser = await chromium.launch({ executablePath: process.env.CHROMIUM || await packed.executablePath(),
		args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });
} catch (e) {
	console.log("Chromium does not start here:", e.message.split("\n")[0]);
	process.exit(69);
}

// One request after the other: never more than 100 bytes are on their way.
async function send(path, read) {
	const page = await browser.newPage();
	await page.goto(origin);
	arrived = 0;
	const seen = await page.evaluate(async ([path, read, count, body]) => {
		let rejected = 0;
		for (let i = 0; i < count; i++)
			try {
				const answer = await fetch(path, { method: "POST", body, keepalive: true });
				if (read) await answer.text();
			} catch { rejected++; }
		return { rejected, beacon: navigator.sendBeacon(path, body) };
	}, [path, read, COUNT, BODY]);
	const sent = COUNT - seen.rejected;
	console.log(`${path === "/plain" ? "no header" : "no-store "}, answers ${read ? "read    " : "not read"}: ` +
		`${sent} of ${COUNT} sent, ${seen.rejected} rejected; then sendBeacon says ${seen.beacon}`);
	await page.close();
	return [sent, seen.beacon];
}
console.log("Chromium", browser.version());
const plain = await send("/plain", false), silent = await send("/no-store", false), read = await send("/no-store", true);
await browser.close();
server.close();
const all = ([sent, beacon]) => sent === COUNT && beacon;
process.exit(all(plain) && all(read) && silent[0] === Math.floor(65536 / BODY.length) && !silent[1] ? 0 : 1);
END
rc=0
(cd "$W" && timeout 100 node look.mjs) || rc=$?
[ $rc = 0 ] || [ $rc = 69 ] || echo "this is not as described any more"
exit $rc
