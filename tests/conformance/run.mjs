// Plays the public conformance suites against the fixture server: node run.mjs PROGRAM [SCENARIO]. Prints every
// scenario with what became of it; ends with 1 if one of them failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import readline from 'node:readline';

import { left_out, only_warned } from './left_out.mjs';

const [program, only] = process.argv.slice(2);
const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const suites = [
  { suite: 'conformance-of-2025-11-25', version: '2025-11-25' },
  { suite: 'conformance-of-2026-07-28', version: '2025-11-25' },
  { suite: 'conformance-of-2026-07-28', version: '2026-07-28' },
  { suite: 'conformance-of-2026-07-28', version: 'extension' },
];

function started(command, args) {
  const child = spawn(command, args, { cwd: here, stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: readline.createInterface({ input: child.stdout }) };
}

async function output(command, args) {
  const { child, lines } = started(command, args);
  child.stdin.end();
  const all = [];
  lines.on('line', (line) => all.push(line));
  await new Promise((done) => child.on('close', done));
  return all;
}

const cli = (suite, ...args) => ['--import', './old_node.mjs', `node_modules/${suite}/dist/index.js`, ...args];

/** The scenarios that a suite has for one revision. */
async function scenarios({ suite, version }) {
  const listed = await output(process.execPath, cli(suite, 'list', '--server'));
  return listed
    .map((line) => line.match(/^\s+- (\S+) \[(.*)\]/))
    .filter((found) => found && found[2].split(',').includes(version))
    .map((found) => found[1]);
}

/** Runs one scenario; what did not succeed of its checks. */
async function play({ suite, version }, scenario, url) {
  const folder = mkdtempSync(join(tmpdir(), 'vast-gpu-conformance-'));
  try {
    const wire = version === 'extension' ? '2026-07-28' : version;
    const asked = ['server', '--url', url, '--scenario', scenario, '-o', folder];
    const said = await output(process.execPath, cli(suite, ...asked, ...(version === 'extension' ? [] : ['--spec-version', wire])));
    const checks = readdirSync(folder).flatMap((one) => JSON.parse(readFileSync(join(folder, one, 'checks.json'))));
    if (checks.length === 0) return [{ id: 'no check ran', status: 'FAILURE', errorMessage: said.join('\n') }];
    return checks.filter((check) => ['FAILURE', 'WARNING'].includes(check.status));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function with_bridge(work) {
  const { child, lines } = started(process.execPath, ['bridge.mjs', program]);
  const url = await new Promise((done) => lines.once('line', done));
  try {
    return await work(url);
  } finally {
    child.stdin.end();
  }
}

const counts = { passed: 0, failed: 0, left_out: 0 };
const jobs = [];
for (const suite of suites)
  for (const scenario of await scenarios(suite)) if (!only || only === scenario) jobs.push({ suite, scenario });

async function settle({ suite, scenario }, url) {
  const name = `${suite.suite.slice(-10)} suite, ${suite.version}: ${scenario}`;
  const reason = left_out[scenario];
  if (reason) {
    counts.left_out += 1;
    return console.log(`left out  ${name}: ${reason}`);
  }
  const bad = await play(suite, scenario, url);
  const failed = bad.filter((check) => check.status === 'FAILURE' || !only_warned[check.id]);
  counts[failed.length ? 'failed' : 'passed'] += 1;
  console.log(`${failed.length ? 'FAILED' : 'passed'}    ${name}`);
  for (const check of bad)
    console.log(`          ${check.status} ${check.id}: ${check.errorMessage} ${only_warned[check.id] ?? ''}`);
  if (process.env.VERBOSE) for (const check of failed) console.log(JSON.stringify(check.details));
}

await with_bridge(async (url) => {
  // Each scenario is a process of its own that mostly starts up and waits.
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await settle(job, url);
  };
  await Promise.all(Array.from({ length: 3 }, worker));
});
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.left_out} left out`);
process.exit(counts.failed || !counts.passed ? 1 : 0);
