// Plays the public conformance suites against the fixture server: node run.mjs PROGRAM [SCENARIO]. Prints every
// scenario with what became of it; ends with 1 if one of them failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import readline from 'node:readline';

import { left_out, only_warned } from './left_out.mjs';

const [program, only] = process.argv.slice(2);
const here = import.meta.dirname;
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

/** The checks of each scenario that ran; one process plays all of them, since starting it takes a second. */
async function play({ suite, version }, scenario) {
  const folder = mkdtempSync(join(tmpdir(), 'vast-gpu-conformance-'));
  const { child, lines } = started(process.execPath, ['bridge.mjs', program]);
  try {
    const url = await new Promise((done) => lines.once('line', done));
    const what = scenario ? ['--scenario', scenario] : ['--suite', 'all'];
    const revision = version === 'extension' ? [] : ['--spec-version', version];
    await output(process.execPath, cli(suite, 'server', '--url', url, ...what, ...revision, '-o', folder));
    return new Map(
      readdirSync(folder).map((one) => [
        one.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, ''),
        JSON.parse(readFileSync(join(folder, one, 'checks.json'))),
      ]),
    );
  } finally {
    child.stdin.end();
    rmSync(folder, { recursive: true });
  }
}

const counts = { passed: 0, failed: 0, left_out: 0 };

function tell({ suite, version }, scenario, checks) {
  const name = `${version} ${scenario}` + (suite.endsWith(version) || version === 'extension' ? '' : ' (newer suite)');
  const reason = left_out[scenario];
  if (reason) {
    counts.left_out += 1;
    return console.log(`left out  ${name}: ${reason}`);
  }
  const failed = [];
  const excused = [];
  for (const check of checks ?? [{ id: 'no check ran', status: 'FAILURE', errorMessage: '' }]) {
    if (!['FAILURE', 'WARNING'].includes(check.status)) continue;
    const why = check.status === 'WARNING' ? only_warned[check.id] : undefined;
    (why ? excused : failed).push({ ...check, why });
  }
  counts[failed.length ? 'failed' : 'passed'] += 1;
  console.log(`${failed.length ? 'FAILED' : 'passed'}    ${name}`);
  for (const check of failed) console.log(`          ${check.status} ${check.id}: ${check.errorMessage}`);
  for (const check of excused) console.log(`          warned: ${check.id}, ${check.why}`);
  if (process.env.VERBOSE) for (const check of failed) console.log(JSON.stringify(check.details));
}

await Promise.all(
  suites.map(async (suite) => {
    const all = (await scenarios(suite)).filter((one) => !only || one === only);
    const wanted = all.filter((one) => !left_out[one]);
    const one_by_one = suite.version === 'extension' || only;
    const seen = one_by_one ? new Map() : await play(suite);
    if (one_by_one) for (const one of wanted) for (const found of await play(suite, one)) seen.set(...found);
    for (const one of all) tell(suite, one, seen.get(one));
  }),
);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.left_out} left out`);
process.exit(counts.failed || !counts.passed ? 1 : 0);
