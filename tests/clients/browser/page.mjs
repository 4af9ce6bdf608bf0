// A page on another origin, in headless Chromium, sends events in every way a page
// can. Prints TAP: page.mjs URL ALLOWED-PAGE REFUSED-PAGE KEY
// Both pages are served here; the URLs name host and port to serve them at. What has
// to stand in PostgreSQL afterwards is browser.t's affair.
import { chromium } from "playwright-core";
import { createServer } from "node:https";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [url, allowed, refused, key] = process.argv.slice(2);
const tls = { key: readFileSync(process.env.TLS_KEY), cert: readFileSync(process.env.TLS_CERT) };
let n = 0, failed = 0;

function is(what, got, want) {
	const good = JSON.stringify(got) === JSON.stringify(want);
	console.log(`${good ? "ok" : "not ok"} ${++n} - ${what}`);
	if (!good) {
		failed++;
		console.log(`# got      ${JSON.stringify(got)}\n# expected ${JSON.stringify(want)}`);
	}
}

// Serves an empty page at the port of an origin.
function serve(origin) {
	const server = createServer(tls, (_, answer) => {
		answer.setHeader("Content-Type", "text/html");
		answer.end("<!DOCTYPE html><title>page</title>");
	});
	return new Promise((done) => server.listen(new URL(origin).port, "127.0.0.1", () => done(server)));
}

// In the page: fetch, and what the page can see of the answer.
function send(page, path, options) {
	return page.evaluate(async ([target, opts]) => {
		try {
			const a = await fetch(target, { method: "POST", ...opts });
			const text = await a.text();
			return { status: a.status, body: text ? JSON.parse(text) : null, retry: a.headers.get("Retry-After") };
		} catch (e) {
			return { failed: e.name };
		}
	}, [url + path, options]);
}

function beacon(page, path, kind, text) {
	return page.evaluate(([target, k, t]) => {
		const data = k === "text" ? t : new Blob([t], k === "blob" ? {} : { type: k });
		return navigator.sendBeacon(target, data);
	}, [url + path, kind, text]);
}

// Sends n requests of 100 bytes whose answers nobody reads; what is on its way at one
// moment is far below the 64 KiB that a page has for such. How many were not sent?
function manyKeptAlive(page, n) {
	const body = '{"way":"many with keepalive"}'.padEnd(100);
	return page.evaluate(async ([target, text, count]) => {
		let failed = 0;
		for (let i = 0; i < count; i++)
			await fetch(target, { method: "POST", body: text, keepalive: true }).catch(() => failed++);
		return failed;
	}, [`${url}/v1/events?key=${key}`, body, n]);
}

async function allowedPage(page, preflights) {
	const bearer = { Authorization: `Bearer ${key}` };
	const json = { "Content-Type": "application/json", ...bearer };
	let a = await send(page, "/v1/events", { headers: json, body: '{"way":"fetch json"}' });
	is("fetch with JSON and Authorization", [a.status, a.body?.accepted], [202, 1]);
	is("after a preflight", await comes(preflights, 204), [204]);
	a = await send(page, "/v1/events", {
		headers: { ...json, "Idempotency-Key": "k", "X-Api-Key": key,
			traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
		body: '[{"way":"many headers"},{"way":"many headers"}]',
	});
	is("with every header that we know", [a.status, a.body?.accepted], [202, 2]);
	a = await send(page, "/v1/events", { headers: json, body: '{"way":"cookies"}', credentials: "include" });
	is("with credentials", [a.status, a.body?.accepted], [202, 1]);
	a = await send(page, "/v1/events?mode=sync", { headers: json, body: '{"id":"browser-1","way":"sync"}' });
	is("sync: the page sees the ids", [a.status, a.body?.ids], [201, ["browser-1"]]);
	a = await send(page, `/v1/events?key=${key}`, { headers: { "Content-Type": "text/plain" }, body: '{"way":"simple"}' });
	is("a simple request", [a.status, a.body?.accepted], [202, 1]);
	preflights.splice(0);
	a = await send(page, `/v1/events?key=${key}`, { body: '{"way":"simple again"}' });
	is("needs no preflight", [a.status, preflights.length], [202, 0]);

	a = await send(page, "/v1/events", { headers: json, body: '{"a":' });
	is("an error can be read", [a.status, a.body?.code], [400, "invalid_json"]);
	a = await send(page, "/v1/events", { headers: { Authorization: "Bearer wrong" }, body: "{}" });
	is("a wrong key too", [a.status, a.body?.code], [401, "unauthorized"]);
	a = await send(page, "/nothing", { headers: bearer, body: "{}" });
	is("another path too", [a.status, a.body?.code], [404, "not_found"]);
	a = await page.evaluate(async (target) => {
		const r = await fetch(target, { method: "POST", body: "x".repeat(5000000) });
		return [r.status, (await r.json()).code];
	}, `${url}/v1/events?key=${key}`).catch((e) => [e.message]);
	is("nginx's own error too", a, [413, "body_too_large"]);
	a = await send(page, "/v1/time", { method: "GET" });
	is("the time", a.status, 200);

	for (const kind of ["text", "blob", "text/plain", "application/json", "application/x-www-form-urlencoded"])
		is(`sendBeacon as ${kind}`, await beacon(page, `/v1/events?key=${key}`, kind, `{"way":"beacon ${kind}"}`), true);
	await page.evaluate((target) => addEventListener("pagehide", () =>
		navigator.sendBeacon(target, '{"way":"beacon at the end"}')), `${url}/v1/events?key=${key}`);
	await page.evaluate((target) => {
		fetch(target, { method: "POST", body: '{"way":"keepalive"}', keepalive: true });
	}, `${url}/v1/events?key=${key}`);
	is("1,500 small ones with keepalive, no answer read: none is turned down", await manyKeptAlive(page, 1500), 0);
	await page.goto("about:blank");		// the page goes; its last beacon does not
	is("a page that goes sends one more", true, true);
}

async function refusedPage(page, preflights) {
	const missing = "PreflightMissingAllowOriginHeader";
	let a = await send(page, "/v1/events", { headers: { Authorization: `Bearer ${key}` }, body: '{"way":"refused"}' });
	is("fetch from a refused origin fails", a, { failed: "TypeError" });
	is("at its preflight", (await comes(preflights, missing)).includes(missing), true);
	a = await send(page, `/v1/events?key=${key}`, { body: '{"way":"refused simple"}' });
	is("a simple request's answer is not to be seen", a, { failed: "TypeError" });
	is("a beacon is sent all the same", await beacon(page, `/v1/events?key=${key}`, "text", '{"way":"refused beacon"}'), true);
}

// Events come when they come.
async function comes(list, what) {
	for (let i = 0; i < 100 && !list.includes(what); i++)
		await new Promise((done) => setTimeout(done, 50));
	return [...new Set(list.splice(0))];
}

// What the browser asked before it sent: status of each preflight, or why it did not
// do. Preflights are not the page's requests: only the protocol's raw events show them.
async function watch(context, page) {
	const seen = [], ids = new Set();
	const cdp = await context.newCDPSession(page);
	await cdp.send("Network.enable");
	cdp.on("Network.requestWillBeSent", (e) => {
		if (e.request.method === "OPTIONS") ids.add(e.requestId);
	});
	cdp.on("Network.responseReceived", (e) => {
		if (ids.has(e.requestId)) seen.push(e.response.status);
	});
	cdp.on("Network.loadingFailed", (e) => {
		if (e.corsErrorStatus) seen.push(e.corsErrorStatus.corsError);
	});
	return seen;
}

const servers = [await serve(allowed), await serve(refused)];
const profile = mkdtempSync(join(tmpdir(), "forebay-browser-"));
const context = await chromium.launchPersistentContext(profile, {
	executablePath: process.env.CHROMIUM,
	ignoreHTTPSErrors: true,
	headless: true,
	args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
	for (const [origin, visit] of [[allowed, allowedPage], [refused, refusedPage]]) {
		const page = await context.newPage();
		const preflights = await watch(context, page);
		await page.goto(origin);
		await visit(page, preflights);
	}
	const version = context.browser()?.version();
	if (version) console.log(`# Chromium ${version}`);
	await new Promise((done) => setTimeout(done, 3000));	// beacons have no answer to wait for
} finally {
	await context.close();
	servers.forEach((s) => s.close());
	rmSync(profile, { recursive: true, force: true });
}
console.log(`1..${n}`);
process.exit(failed ? 1 : 0);
