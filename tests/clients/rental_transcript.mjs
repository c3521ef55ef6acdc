// A whole rental on the wire in each era, held against tests/wire/transcripts/rental_*.txt: node rental_transcript.mjs
// PROGRAM. UPDATE_SNAPSHOTS=1 writes them anew. Requests stand there as they are sent; of an answer, what every rental
// has in common: its shape, its words, and "*" for what differs. Needs Node only.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { Stage, program, tell } from './stage.mjs';

const kFolder = resolve(import.meta.dirname, '../wire/transcripts');
const kAgain = ['booting', 'installing', 'sending', 'starting', 'queued', 'running', 'destroying'];
// Words of the protocol and of ours that mean the same in every rental.
const kKept = new Set(['jsonrpc', 'id', 'resultType', 'type', 'isError', 'outcome', 'tool', 'protocolVersion', 'name']);

/// One server, spoken to line by line.
class Wire {
  constructor(stage, version) {
    this.version = version;
    this.text = [];
    this.number = 0;
    this.server = spawn(program, ['-q', 'serve'], { env: stage.environment, stdio: ['pipe', 'pipe', 'ignore'] });
    this.ended = new Promise((done) => this.server.once('exit', done));
    this.answers = new Map();
    createInterface({ input: this.server.stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      this.answers.get(message.id)?.(message);
    });
  }

  send(message) {
    this.server.stdin.write(JSON.stringify(message) + '\n');
  }

  /// The answer; both lines join the transcript unless `quietly`.
  async ask(method, params = {}, shown = params, quietly = () => false) {
    const id = ++this.number;
    const meta = this.version === '2026-07-28' && method !== 'initialize' ? {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': this.version,
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    } : {};
    const came = new Promise((done) => this.answers.set(id, done));
    this.send({ jsonrpc: '2.0', id, method, params: { ...params, ...meta } });
    const answer = await came;
    if (quietly(answer)) {
      this.number -= 1;
      return answer;
    }
    this.text.push(`> ${JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...shown, ...meta } })}`);
    this.text.push(`< ${JSON.stringify(masked(answer))}`, '');
    return answer;
  }

  /// Calls a tool until it is through with waiting; only the last turn is told. `names`: what is volatile in the arguments.
  async call(tool, args, names = {}) {
    const shown = { ...args };
    for (const [key, word] of Object.entries(names)) shown[key] = word;
    const goes_on = (answer) => kAgain.includes(facts(answer).outcome) && 'wait_seconds' in args;
    for (;;) {
      const params = { name: tool, arguments: args };
      const answer = await this.ask('tools/call', params, { name: tool, arguments: shown }, goes_on);
      assert.equal(answer.error, undefined, JSON.stringify(answer.error));
      assert.notEqual(answer.result.isError, true, answer.result.content[0].text);
      if (!goes_on(answer)) return facts(answer);
    }
  }

  async close() {
    this.server.stdin.end();
    assert.equal(await this.ended, 0);
  }
}

/// The facts of a call, from the structured form or, in the oldest revisions, from the text.
function facts(answer) {
  const { result } = answer;
  if (result?.structuredContent) return result.structuredContent;
  const line = result?.content[0].text.split('\n').find((one) => one.startsWith('facts: '));
  return line ? JSON.parse(line.slice('facts: '.length)) : {};
}

/// A sentence without its figures, and without what hangs on them: signs, units, the list of differences.
function words(sentence) {
  return sentence
    .replace(/\/tmp\/vast-gpu-transcript-[^/ ]+/g, '/home')
    .replace(/q-[0-9a-f]+/g, 'q-*')
    .replace(/\d+([.,:]\d+)*/g, '#')
    .replace(/[+-]?\$#/g, '$#')
    .replace(/# (s|min|h)\b/g, '# min')
    .replace(/Results (were collected|are in) .*?; cost/, 'Results ...; cost')  // brought home again if it took long
    .replace(/against the estimate: .*/, 'against the estimate: ...');
}

/// Names of members stay, down to the facts; what a rental happens to hold becomes "*".
function masked(value, key = '', depth = 0) {
  if (Array.isArray(value)) return key === 'next' ? value.map((one) => one.tool) : depth > 3 ? '*' : value.map((one) => masked(one, key, depth + 1));
  if (key === 'text') return `${words(value.split('\n')[0])} ...`;
  if (value === null || typeof value !== 'object') {
    if (!kKept.has(key)) return '*';
    return key === 'name' ? words(value) : value;
  }
  if (key === 'inputSchema' || key === 'outputSchema' || key === 'capabilities' || key === '_meta') return '*';
  if (key === 'structuredContent') {
    const { outcome, next } = value;
    return { outcome, summary: words(value.summary), next: next.map((one) => one.tool), '...': '*' };
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, masked(one, name, depth + 1)]));
}

async function rental(version) {
  const stage = await Stage.open('transcript');
  const wire = new Wire(stage, version);
  if (version === '2026-07-28') {
    await wire.ask('server/discover');
  } else {
    const clientInfo = { name: 'transcript', version: '1' };
    await wire.ask('initialize', { protocolVersion: version, capabilities: {}, clientInfo });
    wire.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    wire.text.push('> {"jsonrpc":"2.0","method":"notifications/initialized"}', '');
  }
  const offered = await wire.call('provision', { task: 'train this small language model' });
  const quote_id = offered.options[0].quote_id;
  const rented = await wire.call('rent', { quote_id, wait_seconds: 45 }, { quote_id: 'q-*' });
  assert.equal(rented.outcome, 'ready');
  const instance_id = rented.instance_id;
  const machine = { instance_id: '*' };
  await wire.call('setup', { instance_id, wait_seconds: 45 }, machine);
  await wire.call('run', { instance_id, command: 'python train.py --epochs 2', experiment: 'exp01' }, machine);
  const over = await wire.call('monitor', { instance_id, wait_seconds: 45 }, machine);
  assert.equal(over.outcome, 'finished');
  await wire.call('collect', { instance_id }, machine);
  const ended = await wire.call('destroy', { instance_id, wait_seconds: 45 }, machine);
  assert.equal(ended.outcome, 'destroyed');
  await wire.call('list', {});
  await wire.close();
  assert.equal((await stage.truth()).live_contracts, 0);
  await stage.close();

  const file = join(kFolder, `rental_${version.replaceAll('-', '_')}.txt`);
  const text = `# A whole rental in ${version}, made by tests/clients/rental_transcript.mjs. "*": differs each time.\n\n` +
    wire.text.join('\n').trimEnd() + '\n';
  if (process.env.UPDATE_SNAPSHOTS) writeFileSync(file, text);
  const kept = readFileSync(file, 'utf8').split('\n');
  const told = text.split('\n');
  const at = told.findIndex((line, i) => line !== kept[i]);
  assert.ok(at < 0 && told.length === kept.length,
    `${file}:${at + 1} tells it differently (UPDATE_SNAPSHOTS=1 writes it anew):\nkept ${kept[at]}\nnow  ${told[at]}`);
  tell(`ok  transcript of a rental in ${version}`);
}

await Promise.all(['2024-11-05', '2025-11-25', '2026-07-28'].map(rental));
