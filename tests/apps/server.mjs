// `vast-gpu serve` spoken to in the newest revision, as a host does: one line a message.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import Ajv2020 from 'ajv/dist/2020.js';

const kMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'vast-gpu-apps', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {
    extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html;profile=mcp-app'] } },
  },
};

export class Server {
  constructor(program, environment) {
    this.waiting = new Map();
    this.lastId = 0;
    this.child = spawn(program, ['-q', 'serve'], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
    this.ended = new Promise((done) => this.child.once('exit', (code) => done(code)));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      this.waiting.get(message.id)?.(message);
      this.waiting.delete(message.id);
    });
  }

  async ask(method, params = {}) {
    const id = ++this.lastId;
    const answer = new Promise((done) => this.waiting.set(id, done));
    this.child.stdin.write(JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: kMeta } }) + '\n');
    const { result, error } = await answer;
    assert.ok(result, `${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /// From now on every good answer must keep to its tool's schema, and every schema to the strict rules of JSON Schema.
  hold(tools) {
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
    this.schemas = new Map(tools.map((tool) => [tool.name, ajv.compile(tool.outputSchema)]));
    for (const tool of tools) ajv.compile(tool.inputSchema);
  }

  /// The result as it came; isError included.
  async call(name, args) {
    const result = await this.ask('tools/call', { name, arguments: args });
    const fits = this.schemas?.get(name);
    if (!result.isError && fits) assert.ok(fits(result.structuredContent), `${name}: ${JSON.stringify(fits.errors)}`);
    return result;
  }

  /// A call that must go well, again while the outcome is one of `meanwhile`.
  async done(name, args, meanwhile = []) {
    for (let turn = 0; turn < 100; ++turn) {
      const result = await this.call(name, args);
      assert.ok(!result.isError, `${name}: ${result.content[0].text}`);
      if (!meanwhile.includes(result.structuredContent.outcome)) return result;
    }
    assert.fail(`${name} is still ${meanwhile}`);
  }

  async close() {
    this.child.stdin.end();
    assert.equal(await this.ended, 0);
  }
}
