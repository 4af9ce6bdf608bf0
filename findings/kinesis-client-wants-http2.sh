#!/bin/bash
# WHAT: of two clients of one AWS SDK, given the same endpoint, Firehose's speaks HTTP/1.1 and Kinesis's HTTP/2 only:
#   http:// it opens with HTTP/2's preface, unasked, and in TLS it offers h2 alone, so there is no falling back. What has
#   no HTTP/2 gets no request, and the program an error without a status, after one attempt, where a refused connection
#   is tried three times.
# VERSIONS: npm @aws-sdk/client-kinesis 3.1143.0, @aws-sdk/client-firehose 3.1169.0, @smithy/node-http-handler 4.14.2;
#   node 20.20.2 on both sides. Known to stand-ins: kinesalite issue 118, open.
# GUESS: both are JSON over POST and signed alike, and `endpoint' is all that differs between AWS and a server of one's
#   own. But Kinesis has one call that streams (SubscribeToShard), so the whole client has NodeHttp2Handler by
#   default (dist-es/runtimeConfig.js).
# SEEN (2026-11-28):
#   nobody there:         Firehose: ECONNREFUSED, attempt 3, no status; server saw nothing
#   http,  HTTP/1.1:      Firehose: answered, attempt 1; server saw POST by HTTP/1.1
#   http,  HTTP/1.1:      Kinesis:  ERR_HTTP2_ERROR, attempt 1, no status; server saw PRI * HTTP/2.0
#   http,  HTTP/1.1:      Kinesis with NodeHttpHandler: answered, attempt 1; server saw POST by HTTP/1.1
#   https, HTTP/1.1:      Firehose: answered, attempt 1; server saw POST by HTTP/1.1
#   https, HTTP/1.1:      Kinesis:  ERR_HTTP2_STREAM_CANCEL, attempt 1, no status; server saw ALPN h2
#   https, HTTP/2 too:    Kinesis:  answered, attempt 1; server saw ALPN h2, POST by HTTP/2.0
# FOREBAY: it takes no signed requests (doc/MIGRATING.md). Whoever puts a small server of his own in the place of
#   Kinesis for the time of the move needs HTTP/2 in it, or requestHandler: new NodeHttpHandler() in each client.
set -eu

command -v openssl >/dev/null || { echo "no openssl"; exit 69; }
W=$(mktemp -d "${TMPDIR:-/tmp}/finding-XXXXXX")
trap 'rm -rf "$W"' EXIT

npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$W" @aws-sdk/client-kinesis@3.1143.0 \
    @aws-sdk/client-firehose@3.1169.0 @smithy/node-http-handler@4.14.2 >"$W/npm.log" 2>&1 ||
    { echo "npm cannot install the packages"; exit 69; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$W/key.pem" -out "$W/cert.pem" -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost >"$W/openssl.log" 2>&1

cat >"$W/send.mjs" <<'END'
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { FirehoseClient, PutRecordCommand as ToFirehose } from '@aws-sdk/client-firehose';
import { KinesisClient, PutRecordCommand as ToKinesis } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';

let saw = [], good = true;
function answer(req, res) {
	saw.push(`${req.method} by HTTP/${req.httpVersion}`);
	res.setHeader('content-type', 'application/x-amz-json-1.1');
	res.end('{"RecordId":"1","ShardId":"s","SequenceNumber":"1"}');
}
function clientError(e, socket) {
	const line = e.rawPacket?.toString('latin1').split('\r\n')[0];
	if (line?.startsWith('PRI ')) saw.push(line);
	socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
}
const speaking = (...known) => ({
	key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem'),
	ALPNCallback({ protocols }) { saw.push(`ALPN ${protocols}`); return known.find(p => protocols.includes(p)); },
});
const listening = async server => {
	server.on('clientError', clientError);
	await new Promise(r => server.listen(0, '127.0.0.1', r));
	return server.address().port;
};
const account = { region: 'eu-central-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
const Data = Buffer.from('{"n":1}');
const clients = {
	'Firehose: ': endpoint => [new FirehoseClient({ ...account, endpoint }), new ToFirehose({ DeliveryStreamName: 's', Record: { Data } })],
	'Kinesis:  ': endpoint => [new KinesisClient({ ...account, endpoint }), new ToKinesis({ StreamName: 's', PartitionKey: 'p', Data })],
	'Kinesis with NodeHttpHandler: ': endpoint => [new KinesisClient({ ...account, endpoint, requestHandler: new NodeHttpHandler() }),
		new ToKinesis({ StreamName: 's', PartitionKey: 'p', Data })],
};
async function send(where, endpoint, name, expected) {
	const [client, command] = clients[name](endpoint);
	saw = [];
	let outcome;
	try { outcome = `answered, attempt ${(await client.send(command)).$metadata.attempts}`; }
	catch (e) { outcome = `${e.code}, attempt ${e.$metadata?.attempts}, ${e.$metadata?.httpStatusCode ?? 'no'} status`; }
	client.destroy();
	const seen = `${outcome}; server saw ${saw.join(', ') || 'nothing'}`;
	console.log(`${(where + ':').padEnd(21)} ${name}${seen}`);
	good &&= seen === expected;
}

const plain = `http://127.0.0.1:${await listening(http.createServer(answer))}`;
const old = `https://localhost:${await listening(https.createServer(speaking('http/1.1'), answer))}`;
const nobody = await new Promise(r => {
	const server = http.createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => r(`http://127.0.0.1:${port}`)); });
});
const both = `https://localhost:${await listening(http2.createSecureServer({ ...speaking('h2', 'http/1.1'), allowHTTP1: true }, answer))}`;
await send('nobody there', nobody, 'Firehose: ', 'ECONNREFUSED, attempt 3, no status; server saw nothing');
await send('http,  HTTP/1.1', plain, 'Firehose: ', 'answered, attempt 1; server saw POST by HTTP/1.1');
await send('http,  HTTP/1.1', plain, 'Kinesis:  ', 'ERR_HTTP2_ERROR, attempt 1, no status; server saw PRI * HTTP/2.0');
await send('http,  HTTP/1.1', plain, 'Kinesis with NodeHttpHandler: ', 'answered, attempt 1; server saw POST by HTTP/1.1');
await send('https, HTTP/1.1', old, 'Firehose: ', 'answered, attempt 1; server saw POST by HTTP/1.1');
await send('https, HTTP/1.1', old, 'Kinesis:  ', 'ERR_HTTP2_STREAM_CANCEL, attempt 1, no status; server saw ALPN h2');
await send('https, HTTP/2 too', both, 'Kinesis:  ', 'answered, attempt 1; server saw ALPN h2, POST by HTTP/2.0');
process.exit(good ? 0 : 1);
END
cd "$W"
NODE_NO_WARNINGS=1 NODE_EXTRA_CA_CERTS=$W/cert.pem timeout 90 node send.mjs || { echo "not as described"; exit 1; }
