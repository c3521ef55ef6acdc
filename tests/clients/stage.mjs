// What every story here stands on: a sandbox of its own, a copy of the example project, clients on `vast-gpu serve`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const kExample = resolve(import.meta.dirname, '../../examples/tiny-lm');
const kSkipped = 77;  // what CTest takes for "not here"

/// The program under test.
export const program = resolve(process.argv[2]);

/// One sandbox with one account, one project and one home folder. Ends with close(), or with this process.
export class Stage {
  static async open(name) {
    const stage = new Stage();
    stage.root = mkdtempSync(join(tmpdir(), `vast-gpu-${name}-`));
    stage.project = join(stage.root, 'tiny-lm');
    stage.home = join(stage.root, 'home');
    mkdirSync(stage.home);
    cpSync(kExample, stage.project, { recursive: true });
    process.once('exit', () => stage.closed || console.error(`logs are in ${stage.root}`));
    const log = openSync(join(stage.root, 'sandbox.log'), 'a');
    const options = ['-q', 'sandbox', '--leash', '--speed', '60', '--state', join(stage.root, 'sandbox')];
    stage.sandbox = spawn(program, options, { stdio: ['pipe', 'pipe', log] });
    stage.ended = new Promise((done) => stage.sandbox.once('exit', done));
    const line = await new Promise((done, fail) => {
      stage.sandbox.once('error', fail);
      stage.sandbox.once('exit', (code) => fail(new Error(`the sandbox ended with ${code}`)));
      createInterface({ input: stage.sandbox.stdout }).once('line', done);
    });
    Object.assign(stage, JSON.parse(line));  // url, api_key, clock, machines
    if (!stage.machines) {
      console.log(`skipped: no machines here: ${readFileSync(join(stage.root, 'sandbox.log'), 'utf8').trim()}`);
      await stage.close();
      process.exit(kSkipped);
    }
    return stage;
  }

  /// Points our side at this sandbox. Complete: the oldest clients hand on nothing of their own environment.
  get environment() {
    return {
      PATH: process.env.PATH,
      HOME: this.home,
      VAST_URL: this.url,
      VAST_API_KEY: this.api_key,
      VAST_GPU_CLOCK: this.clock,
      VAST_GPU_KEEPER: 'off',
      VAST_GPU_STATE: join(this.root, 'state'),
      VAST_GPU_PROJECT: this.project,
    };
  }

  /// The sandbox's own account of what was rented and what bills.
  async truth() {
    const answer = await fetch(`${this.url}/admin/state`, { headers: { Authorization: `Bearer ${this.api_key}` } });
    assert.equal(answer.status, 200);
    return answer.json();
  }

  async close() {
    this.sandbox.stdin.end();
    await this.ended;
    rmSync(this.root, { recursive: true, force: true });
    this.closed = true;
  }
}

/// A client of any SDK, connected by stdio, with every message of the server seen on its way.
export class Guest {
  /// `kit`: {Client, StdioClientTransport, options, sdk1, kills}. `sdk1`: callTool has one parameter more; `kills`: close()
  /// sends SIGTERM straight away, and reports that as an error.
  static async connect(stage, name, kit) {
    const guest = new Guest();
    guest.kit = kit;
    guest.errors = [];
    guest.received = [];
    const self = { name: 'vast-gpu-story', version: '1.0.0' };
    guest.client = new kit.Client(self, { capabilities: {}, ...kit.options });
    guest.client.onerror = (error) => guest.errors.push(error.message);
    const transport = new kit.StdioClientTransport({
      command: program,
      args: ['-q', 'serve'],
      env: stage.environment,
      stderr: 'pipe',
    });
    let deliver;
    Object.defineProperty(transport, 'onmessage', {
      configurable: true,
      set: (next) => { deliver = next; },
      get: () => deliver && ((message, extra) => {
        guest.received.push(message);
        guest.tamper?.(message);
        deliver(message, extra);
      }),
    });
    transport.stderr?.pipe(createWriteStream(join(stage.root, `${name}.log`)));
    await guest.client.connect(transport);
    const server = transport._process;  // no SDK shows how its server ended
    guest.ended = new Promise((done) => server.once('exit', (code, signal) => done({ code, signal })));
    return guest;
  }

  /// The result as the client hands it out, after its own validation.
  request(name, args, options = {}) {
    const limits = { timeout: 60_000, resetTimeoutOnProgress: true, ...options };
    const params = { name, arguments: args };
    return this.kit.sdk1 ? this.client.callTool(params, undefined, limits) : this.client.callTool(params, limits);
  }

  /// A call that must go well: the structured facts, with text and progress checked.
  async call(name, args) {
    const progress = [];
    const result = await this.request(name, args, { onprogress: (p) => progress.push(p) });
    const facts = checked(name, result);
    for (let i = 1; i < progress.length; ++i)
      assert.ok(progress[i].progress > progress[i - 1].progress, 'progress must grow');
    this.progress = progress;
    return facts;
  }

  /// As call, again while the outcome is `meanwhile`: what an assistant does with a tool that waits.
  async callUntil(name, args, meanwhile) {
    let seen = 0;
    for (let turn = 0; turn < 100; ++turn) {
      const facts = await this.call(name, args);
      seen += this.progress.length;
      if (!meanwhile.includes(facts.outcome)) return { ...facts, progressSeen: seen };
    }
    assert.fail(`${name} is still ${meanwhile}`);
  }

  /// Ends the server the way this client does; it must go by itself, with 0.
  async close() {
    await this.client.close();
    assert.deepEqual(await this.ended, { code: 0, signal: null });
    // The old SDKs take a notification in hand after the answer that came behind it.
    const known = /aborted|progress notification for an unknown token/;
    const complaints = this.kit.kills ? this.errors.filter((e) => !known.test(e)) : this.errors;
    assert.deepEqual(complaints, [], 'the client complained');
  }
}

/// What every good answer has, in both of its forms.
export function checked(name, result) {
  const text = result.content.map((block) => block.text ?? '').join('');
  assert.ok(!result.isError, `${name}: ${text}`);
  const line = text.split('\n').find((l) => l.startsWith('facts: '));
  assert.ok(line, `${name}: no facts in the text`);
  const told = JSON.parse(line.slice('facts: '.length));
  const facts = result.structuredContent;
  if (facts === undefined) return told;  // revisions before 2025-06-18 have text only
  assert.equal(typeof facts.summary, 'string');
  assert.ok(text.startsWith(facts.summary), `${name}: text and structured content differ in the summary`);
  for (const [key, value] of Object.entries(told)) assert.deepEqual(facts[key], value, `${name}: ${key} differs`);
  return facts;
}

export function tell(line) {
  console.log(line);
}
