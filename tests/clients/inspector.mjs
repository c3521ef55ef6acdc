// The story by `mcp-inspector --cli`: every step is a server process of its own, in turn legacy and modern,
// so what one step did must be in the ledger for the next.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { checked, program, Stage, tell } from './stage.mjs';

const kInspector = join(import.meta.dirname, 'node_modules/.bin/mcp-inspector');
const stage = await Stage.open('inspector');
let invocations = 0;

/// What one invocation prints, as JSON.
async function inspect(method, ...options) {
  const era = ++invocations % 2 === 0 ? 'modern' : 'legacy';
  const set = Object.entries(stage.environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [kInspector, '--cli', program, 'serve', ...set, '--protocol-era', era, '--quiet', '--method', method, ...options],
    { env: { ...process.env, HOME: stage.home }, maxBuffer: 16 << 20 });
  return JSON.parse(stdout);
}

async function call(tool, args) {
  return checked(tool, await inspect('tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(args)));
}

async function callUntil(tool, args, meanwhile) {
  for (let turn = 0; turn < 60; ++turn) {
    const facts = await call(tool, args);
    if (!meanwhile.includes(facts.outcome)) return facts;
  }
  assert.fail(`${tool} is still ${meanwhile}`);
}

// --strict makes a schema that some model or client cannot take a failure.
for (const era of ['first legacy', 'then modern'])
  assert.equal((await inspect('tools/list', '--strict')).tools.length, 10, era);
assert.ok((await inspect('prompts/list')).prompts.length >= 4);
const prompt = await inspect('prompts/get', '--prompt-name', 'vast-gpu', '--prompt-args', 'request=what is rented?');
assert.ok(prompt.messages[0].content.text.length > 0);
assert.ok((await inspect('resources/list')).resources.some((r) => r.uri === 'vast-gpu://instances'));
assert.ok((await inspect('resources/templates/list')).resourceTemplates.length >= 3);

const offered = await call('provision', { task: 'train this small language model' });
const quote = offered.options[0].quote_id;
// The modern inspector takes tasks: what it prints is the real end, however short the call was to wait.
const first = await call('rent', { quote_id: quote, wait_seconds: 10 });
assert.equal(first.outcome, invocations % 2 === 0 ? 'ready' : 'booting');
const rented = await callUntil('rent', { quote_id: quote, wait_seconds: 300 }, ['booting']);
assert.equal(rented.outcome, 'ready');
assert.equal((await stage.truth()).contracts.length, 1);
const id = rented.instance_id;
assert.equal((await callUntil('setup', { instance_id: id, wait_seconds: 300 }, ['installing'])).outcome, 'ready');
await call('run', { instance_id: id, command: 'python train.py --epochs 4', experiment: 'exp01' });
const over = await callUntil('monitor', { experiment: 'exp01', wait_seconds: 300 }, ['starting', 'running']);
assert.equal(over.outcome, 'finished');
assert.equal((await call('collect', { instance_id: id })).outcome, 'collected');
assert.ok(existsSync(join(stage.project, 'results/metrics.json')));
const log = await inspect('resources/read', '--uri', `vast-gpu://logs/${id}/exp01`);
assert.match(log.contents[0].text, /done: val loss/);
const ended = await callUntil('destroy', { instance_id: id, wait_seconds: 300 }, ['destroying']);
assert.equal(ended.outcome, 'destroyed');
assert.equal((await call('list', {})).outcome, 'nothing_rented');

const truth = await stage.truth();
assert.equal(truth.live_contracts, 0);
assert.equal(truth.billing_contracts, 0);
await stage.close();
tell(`ok  inspector: whole story, ${invocations} server processes, legacy and modern in turn`);
