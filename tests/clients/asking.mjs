// The published SDKs pass on what the server asks: a no rents nothing, a yes rents one machine, a choice the chosen one.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { Client as Client2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as Client3 } from 'sdk-of-2025-06-18/client/index.js';
import { StdioClientTransport as Stdio3 } from 'sdk-of-2025-06-18/client/stdio.js';
import { ElicitRequestSchema as OldElicitRequestSchema } from 'sdk-of-2025-06-18/types.js';

import { checked, Guest, Stage, tell } from './stage.mjs';

const packages = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies;
const version = (name) => packages[name].replace(/.*@/, '');
const stage = await Stage.open('asking');

/// `request`: what the SDK calls the request that asks.
async function asks(name, kit, request) {
  const guest = await Guest.connect(stage, name, kit);
  let answer;
  const seen = [];
  guest.client.setRequestHandler(request, async ({ params }) => {
    seen.push(params);
    return answer(params);
  });
  // Without progress: where asking takes two requests, each counts its own from the start.
  const call = async (tool, args) => checked(tool, await guest.request(tool, args));
  const before = (await stage.truth()).contracts.length;
  const rentedSoFar = async () => (await stage.truth()).contracts.length - before;

  await call('provision', { task: 'train this small language model' });
  answer = () => ({ action: 'accept', content: { choice: 'q-00000000' } });  // not one of those that were shown
  const unheard = await call('rent', { wait_seconds: 0 });
  assert.equal(unheard.outcome, 'approval_needed');
  answer = () => ({ action: 'accept', content: { yes: false } });
  const args = { quote_id: unheard.options[0].quote_id, wait_seconds: 0 };
  assert.equal((await call('rent', args)).outcome, 'approval_needed');  // sooner than anybody can read
  assert.equal(await rentedSoFar(), 0);

  answer = ({ requestedSchema }) => {
    const field = requestedSchema.properties.choice;
    return { action: 'accept', content: { choice: (field.enum ?? field.oneOf.map((o) => o.const)).at(-1) } };
  };
  const rented = await call('rent', { wait_seconds: 0 });
  assert.equal(rented.outcome, 'booting');
  const asked = seen.length;
  assert.equal((await call('rent', { wait_seconds: 0 })).instance_id, rented.instance_id);
  assert.equal(seen.length, asked, 'what was approved is not asked again');
  assert.equal(await rentedSoFar(), 1);
  assert.match(seen.at(-1).message, /at most \$/);

  await guest.callUntil('destroy', { instance_id: rented.instance_id, discard_results: true }, ['destroying']);
  assert.equal(seen.length, asked, 'a machine that never worked holds nothing to ask about');
  await guest.close();
  tell(`ok  ${name}: asked ${seen.length} times`);
}

const sdk = (Client, StdioClientTransport, more = {}) => ({ Client, StdioClientTransport, sdk1: true, ...more });
const can = (more = {}) => ({ options: { capabilities: { elicitation: {} }, ...more } });
await asks(`sdk-${version('@modelcontextprotocol/sdk')}`, sdk(Client1, Stdio1, can()), ElicitRequestSchema);
await asks(`sdk-${version('sdk-of-2025-06-18')}`, sdk(Client3, Stdio3, { kills: true, ...can() }),
  OldElicitRequestSchema);
await asks(`client-${version('@modelcontextprotocol/client')}-auto`,
  { Client: Client2, StdioClientTransport: Stdio2, ...can({ versionNegotiation: { mode: 'auto' } }) },
  'elicitation/create');
await stage.close();
