// Carries streamable HTTP to a server on stdio: node bridge.mjs PROGRAM. Prints its address as the first line.
//
// A handshake starts a process of its own, named by Mcp-Session-Id. Modern requests stand alone, so any process may
// serve them: they share one, and an id that is under way there already goes to the next. What the protocol asks of
// HTTP itself (status codes, headers that repeat the body) is answered here; everything else passes through as it is.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import readline from 'node:readline';

const [program, ...args] = process.argv.slice(2);
const kVersionKey = 'io.modelcontextprotocol/protocolVersion';
const kHeaderMismatch = -32020;

/** One server process: messages in, messages out to whoever they are for. */
class Backend {
  constructor() {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.open = new Map(); // id as JSON -> stream of the request that is under way
    this.standing = new Set(); // GET streams of a session
    this.child.stdin.on('error', () => {});
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.deliver(JSON.parse(line)));
    this.child.on('exit', () => {
      for (const stream of this.open.values()) stream.end();
      for (const stream of this.standing) stream.end();
    });
  }

  send(message) {
    this.child.stdin.write(JSON.stringify(message) + '\n');
  }

  deliver(message) {
    if (Array.isArray(message)) return [...this.open.values()].at(-1)?.send(message);
    if (message.id !== undefined && message.method === undefined) {
      const key = JSON.stringify(message.id);
      const stream = this.open.get(key);
      this.open.delete(key);
      stream?.answer(message);
      return;
    }
    this.streamFor(message)?.send(message);
  }

  /** Stdio does not say to which request a notification belongs; its own ids and tokens do, else the newest has it. */
  streamFor(message) {
    const meta = message.params?._meta;
    const listen = meta?.['io.modelcontextprotocol/subscriptionId'];
    if (listen !== undefined) return this.open.get(JSON.stringify(listen));
    const token = message.params?.progressToken;
    if (token !== undefined)
      for (const stream of this.open.values())
        if (JSON.stringify(stream.token) === JSON.stringify(token)) return stream;
    const calls = [...this.open.values()].filter((stream) => !stream.listens);
    return calls.at(-1) ?? [...this.standing].at(-1);
  }

  end() {
    this.child.stdin.end();
  }
}

/** The answer to one HTTP request: plain JSON while nothing but the answer comes, an event stream from then on. */
class Stream {
  constructor(response, request) {
    this.response = response;
    this.token = request?.params?._meta?.progressToken;
    this.listens = request?.method === 'subscriptions/listen';
  }

  begin() {
    if (this.response.headersSent) return;
    this.response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    this.response.flushHeaders();
  }

  send(message) {
    this.begin();
    this.response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
  }

  answer(message) {
    if (!this.response.headersSent) return reply(this.response, statusOf(message), message);
    this.send(message);
    this.response.end();
  }

  end() {
    this.response.end();
  }
}

function statusOf(message) {
  switch (message.error?.code) {
    case -32601:
      return 404;
    case -32700:
    case -32600:
    case -32602:
    case kHeaderMismatch:
    case -32021:
    case -32022:
      return 400;
    default:
      return 200;
  }
}

function reply(response, status, message) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(message === undefined ? undefined : JSON.stringify(message));
}

const sessions = new Map();
const shared = [];

function sharedFor(id) {
  const key = JSON.stringify(id);
  let backend = shared.find((one) => !one.open.has(key));
  if (!backend) shared.push((backend = new Backend()));
  return backend;
}

/** What a header says must be what the body says. */
function mismatch(request, message) {
  const version = request.headers['mcp-protocol-version'];
  const said = message.params?._meta?.[kVersionKey];
  if (said !== undefined && version !== undefined && version !== said) return 'MCP-Protocol-Version';
  const method = request.headers['mcp-method'];
  if (method !== undefined && method !== message.method) return 'Mcp-Method';
  return undefined;
}

function post(request, response, message) {
  const named = request.headers['mcp-session-id'];
  const refuse = (status, code, text) =>
    reply(response, status, { jsonrpc: '2.0', id: message?.id ?? null, error: { code, message: text } });

  let backend;
  if (named !== undefined) {
    backend = sessions.get(named);
    if (!backend) return refuse(404, -32600, 'unknown session');
  } else if (message?.method === 'initialize' && message.params?._meta?.[kVersionKey] === undefined) {
    backend = new Backend();
    const name = randomUUID();
    sessions.set(name, backend);
    response.setHeader('mcp-session-id', name);
  }
  const wrong = message && mismatch(request, message);
  if (wrong) return refuse(400, kHeaderMismatch, `header ${wrong} differs from the body`);

  const expects_answer = message?.id !== undefined && message.method !== undefined;
  if (!expects_answer && !Array.isArray(message)) {
    const target = backend ?? shared.find((one) => one.open.has(JSON.stringify(message?.params?.requestId)));
    target?.send(message);
    return reply(response, 202);
  }
  backend ??= sharedFor(message.id);
  const stream = new Stream(response, message);
  const key = JSON.stringify(message.id);
  backend.open.set(key, stream);
  response.on('close', () => {
    if (backend.open.get(key) !== stream) return;
    backend.open.delete(key);
    backend.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: message.id } });
  });
  backend.send(message);
}

const server = http.createServer((request, response) => {
  const backend = sessions.get(request.headers['mcp-session-id']);
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const origin = request.headers.origin && new URL(request.headers.origin).hostname;
  if (!['localhost', '127.0.0.1'].includes(host) || (origin && !['localhost', '127.0.0.1'].includes(origin)))
    return reply(response, 403, { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'not from here' } });
  if (request.method === 'GET') {
    if (!backend) return reply(response, 405);
    const stream = new Stream(response);
    stream.begin();
    backend.standing.add(stream);
    response.on('close', () => backend.standing.delete(stream));
    return;
  }
  if (request.method === 'DELETE') {
    sessions.delete(request.headers['mcp-session-id']);
    backend?.end();
    return reply(response, backend ? 200 : 404);
  }
  if (request.method !== 'POST') return reply(response, 405);
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    let message;
    try {
      message = JSON.parse(body);
    } catch {
      return reply(response, 400, { jsonrpc: '2.0', id: null, error: { code: -32700, message: 'no JSON' } });
    }
    post(request, response, message);
  });
});

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
process.stdin.resume().on('end', () => process.exit(0)); // ends with whoever started it
