// A Node service with one INSERT a request: a cluster of two processes, a pool of ten
// connections each, one prepared statement. The answer comes after PostgreSQL's COMMIT.
"use strict";
const cluster = require("node:cluster");
const crypto = require("node:crypto");
const http = require("node:http");
const { Pool } = require("pg");

const INSERT = {
	name: "event",
	text: `INSERT INTO forebay.event (received_at, fingerprint, key, source, id, type, subject, time,
		payload, context, segment, seq) VALUES (now(), $1, '', $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT DO NOTHING`,
};

function text(value) {
	return typeof value === "string" ? value : null;
}

function serve() {
	const pool = new Pool({ host: process.env.PGHOST, user: "forebay", database: "forebay", max: 10 });
	const segment = crypto.randomUUID();
	let seq = 0;

	async function store(body, client) {
		const e = JSON.parse(body);
		const id = text(e.id) ?? crypto.randomUUID();
		const digest = crypto.createHash("sha256").update(`${e.source}\0${id}\0`).update(body).digest("hex");
		await pool.query({ ...INSERT, values: [digest.slice(0, 32), text(e.source), id, text(e.type),
			text(e.subject), text(e.time), body, JSON.stringify({ client_ip: client }), segment, ++seq] });
	}

	function answer(response, status, body) {
		response.writeHead(status, { "Content-Type": "application/json", "Content-Length": body.length });
		response.end(body);
	}

	const server = http.createServer((request, response) => {
		const chunks = [];
		if (request.method !== "POST")
			return answer(response, 404, "{}");
		request.on("data", (chunk) => chunks.push(chunk));
		request.on("end", () => {
			const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
			store(body.toString(), request.headers["x-real-ip"]).then(
				() => answer(response, 202, '{"accepted":1}'),
				(error) => answer(response, error instanceof SyntaxError ? 400 : 503, "{}"));
		});
	});
	server.keepAliveTimeout = 75000;
	server.listen(process.env.SOCKET);
}

if (cluster.isPrimary)
	for (let i = 0; i < 2; i++)
		cluster.fork();
else
	serve();
