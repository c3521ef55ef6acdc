// The whole story of a rental, told by the published SDKs: the newest of both lines in full, older ones shortly.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client as Client2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js';

import { Guest, Stage, tell } from './stage.mjs';

const kTools = ['collect', 'destroy', 'destroy-all', 'extend', 'list', 'monitor', 'provision', 'rent', 'run', 'setup'];
const kTask = 'train this small language model';

async function look(guest) {
  const { tools } = await guest.client.listTools();
  assert.deepEqual(tools.map((t) => t.name).sort(), kTools);
  const { prompts } = await guest.client.listPrompts();
  assert.ok(prompts.some((p) => p.name === 'vast-gpu'));
  const prompt = await guest.client.getPrompt({ name: 'vast-gpu', arguments: { request: kTask } });
  assert.match(prompt.messages[0].content.text, /Begin with the tool provision/);
  const { resources } = await guest.client.listResources();
  assert.ok(resources.some((r) => r.uri === 'vast-gpu://instances'));
  const { resourceTemplates } = await guest.client.listResourceTemplates();
  assert.ok(resourceTemplates.some((r) => r.uriTemplate === 'vast-gpu://logs/{instance_id}/{experiment}'));
  const argument = { name: 'request', value: 'dest' };
  const { completion } = await guest.client.complete({ ref: { type: 'ref/prompt', name: 'vast-gpu' }, argument });
  assert.deepEqual(completion.values, ['destroy', 'destroy-all']);
  return tools;
}

async function readJson(guest, uri) {
  const { contents } = await guest.client.readResource({ uri });
  assert.equal(contents[0].uri, uri);
  return JSON.parse(contents[0].text);
}

/// Shows that the client does check what it gets: a result without its outcome must not pass.
async function validates(guest) {
  guest.tamper = (message) => delete message.result?.structuredContent?.outcome;
  await assert.rejects(guest.request('list', {}), /schema/i);
  guest.tamper = undefined;
}

async function fails(guest) {
  const wrong = await guest.request('rent', { quote_id: 'q-00000000' });
  assert.equal(wrong.isError, true);
  assert.match(wrong.content[0].text, /What to do: /);
  await assert.rejects(guest.request('no-such-tool', {}), (error) => error.code === -32602);
  const missing = guest.client.readResource({ uri: 'vast-gpu://rentals/1' });
  await assert.rejects(missing, (error) => [-32002, -32602].includes(error.code));
}

/// Cancels a rent once a machine is on its way; the server goes on, and the same call finds that machine again.
async function rentTwice(guest, stage, quote) {
  const cancel = new AbortController();
  const onprogress = ({ message }) => /instance \d+/.test(message) && cancel.abort('the user changed their mind');
  const args = { quote_id: quote, wait_seconds: 600 };
  await assert.rejects(guest.request('rent', args, { signal: cancel.signal, onprogress }));
  assert.ok(cancel.signal.aborted, 'the call ended before it was cancelled');
  const listed = await guest.call('list', {});
  assert.equal(listed.outcome, 'listed');
  assert.equal(listed.instances.length, 1);
  const rented = await guest.callUntil('rent', args, ['booting']);
  assert.equal(rented.outcome, 'ready');
  assert.ok(rented.progressSeen > 0, 'no progress arrived');
  const { contracts } = await stage.truth();
  assert.equal(contracts.length, 1, 'a cancelled rent and its repetition must be one machine');
  return rented;
}

async function wholeStory(name, kit, expected) {
  const stage = await Stage.open('sdk');
  const guest = await Guest.connect(stage, name, kit);
  const version = guest.client.getNegotiatedProtocolVersion?.() ?? negotiated(guest);
  assert.equal(version, expected);
  assert.equal(guest.client.getServerVersion().name, 'vast-gpu');
  assert.ok(guest.client.getInstructions());
  const tools = await look(guest);
  for (const tool of tools) assert.ok(tool.outputSchema && tool.annotations && tool.title, tool.name);
  await validates(guest);
  await fails(guest);

  const offered = await guest.call('provision', { task: kTask });
  assert.ok(offered.options.length > 0);
  const rented = await rentTwice(guest, stage, offered.options[0].quote_id);
  const id = rented.instance_id;

  const ready = await guest.callUntil('setup', { instance_id: id, wait_seconds: 600 }, ['installing']);
  assert.equal(ready.outcome, 'ready');
  const run = await guest.call('run', { instance_id: id, command: 'python train.py --epochs 4', experiment: 'exp01' });
  assert.equal(run.outcome, 'running');
  const over = await guest.callUntil('monitor', { instance_id: id, wait_seconds: 600 }, ['starting', 'running']);
  assert.equal(over.outcome, 'finished');
  assert.match(over.details, /done: val loss/);

  const collected = await guest.call('collect', { instance_id: id });
  assert.equal(collected.outcome, 'collected');
  for (const file of ['results/metrics.json', 'results/checkpoint.pt', 'logs/exp01.log'])
    assert.ok(existsSync(join(stage.project, file)), file);
  const log = await guest.client.readResource({ uri: `vast-gpu://logs/${id}/exp01` });
  assert.match(log.contents[0].text, /done: val loss/);
  assert.equal((await readJson(guest, `vast-gpu://rentals/${id}`)).instance_id, id);

  const ended = await guest.callUntil('destroy', { instance_id: id, wait_seconds: 600 }, ['destroying']);
  assert.equal(ended.outcome, 'destroyed');
  assert.equal(ended.receipt.complete, true);
  assert.ok(ended.cost.usd_charged <= ended.cost.usd_worst_case);
  assert.equal((await guest.call('list', {})).outcome, 'nothing_rented');
  const cost = await readJson(guest, `vast-gpu://costs/${id}`);
  assert.equal(cost.cost.usd_charged, ended.cost.usd_charged);
  const record = await readJson(guest, 'vast-gpu://instances');
  assert.deepEqual(record, JSON.parse(readFileSync(join(stage.project, 'vast-instances.json'), 'utf8')));
  assert.equal(record[0].status, 'destroyed');

  await guest.close();
  const truth = await stage.truth();
  assert.equal(truth.live_contracts, 0);
  assert.equal(truth.billing_contracts, 0);
  await stage.close();
  tell(`ok  ${name}: ${version}, whole story, ${guest.received.length} messages`);
}

/// The revision in the answer to `initialize`, for SDKs that do not tell.
function negotiated(guest) {
  return guest.received.find((m) => m.result?.protocolVersion)?.result.protocolVersion;
}

async function shortVisit(stage, name, revision, kit) {
  const guest = await Guest.connect(stage, name, kit);
  assert.equal(negotiated(guest), revision);
  await guest.client.ping();
  await guest.client.setLoggingLevel('warning');
  const tools = await look(guest);
  assert.equal(tools.every((t) => t.outputSchema !== undefined), revision >= '2025-06-18');
  assert.equal(tools.every((t) => t.annotations !== undefined), revision >= '2025-03-26');
  const offered = await guest.call('provision', { task: kTask });
  assert.equal(offered.outcome, 'options');
  assert.equal((await guest.call('list', {})).outcome, 'nothing_rented');
  assert.deepEqual(await readJson(guest, 'vast-gpu://instances'), []);
  await guest.close();
  tell(`ok  ${name}: ${revision}, short visit`);
}

async function oldSdk(revision) {
  const { Client } = await import(`sdk-of-${revision}/client/index.js`);
  const { StdioClientTransport } = await import(`sdk-of-${revision}/client/stdio.js`);
  return { Client, StdioClientTransport, sdk1: true, kills: true };
}

const packages = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies;
const version = (name) => packages[name].replace(/.*@/, '');
const sdk = { Client: Client1, StdioClientTransport: Stdio1, sdk1: true };
const sdkName = `sdk-${version('@modelcontextprotocol/sdk')}`;
const client = { Client: Client2, StdioClientTransport: Stdio2 };
const clientName = `client-${version('@modelcontextprotocol/client')}`;
const mode = (mode) => ({ ...client, options: { versionNegotiation: { mode } } });

await wholeStory(sdkName, sdk, '2025-11-25');
await wholeStory(`${clientName}-auto`, mode('auto'), '2026-07-28');

const stage = await Stage.open('sdk');
await shortVisit(stage, `${clientName}-legacy`, '2025-11-25', client);
for (const revision of ['2025-06-18', '2025-03-26', '2024-11-05'])
  await shortVisit(stage, `sdk-${version(`sdk-of-${revision}`)}`, revision, await oldSdk(revision));
const pinned = await Guest.connect(stage, `${clientName}-pinned`, mode({ pin: '2026-07-28' }));
await look(pinned);
await pinned.close();
tell(`ok  ${clientName}-pinned: 2026-07-28, lists`);
await stage.close();
