// Both pages in a browser, on answers of the real program on its sandbox: looked at, clicked, fed with hostile text.

import assert from 'node:assert/strict';

import { Stage, program, tell } from '../clients/stage.mjs';
import { aged, numberless, poisoned, textOnly } from './hostile.mjs';
import { kDark, kEverything, Screen } from './screen.mjs';
import { Server } from './server.mjs';

const kOptions = 'ui://vast-gpu/options', kRentals = 'ui://vast-gpu/rentals';
const kTask = { task: 'train this small language model', hours: 2 };
const flag = process.argv.indexOf('--screenshots');
const pictures = flag > 0 ? process.argv[flag + 1] : null;

const began = performance.now();
const stage = await Stage.open('apps');
const server = new Server(program, stage.environment);
const forwarded = [];  // what the page asked of the server, through the host
let refuses = false;     // what the host says to that, for a while
let instead = () => null;  // another answer than the server's
let loses = null;        // the tool whose answer does not come back, though it was called
const screen = await Screen.open((name, args) => {
  forwarded.push({ name, args });
  if (refuses) throw new Error('the server is away');
  const other = instead({ name, args });
  if (other) return other;
  if (loses === name) return server.done(name, args, ['destroying']).then(() => { throw new Error('the client was too slow'); });
  return server.call(name, args);
});
const money = (usd) => '$' + usd.toFixed(usd < 0.1 && usd !== 0 ? 3 : 2);
const atMost = (usd) => 'at most $' + (Math.ceil(usd * 100 - 1e-7) / 100).toFixed(2);
const done = (what) => tell(`ok  ${what} (${((performance.now() - began) / 1000).toFixed(1)} s)`);

// ---- what the server offers ----

const { tools } = await server.ask('tools/list');
server.hold(tools);
const views = Object.fromEntries(tools.filter((t) => t._meta?.ui).map((t) => [t.name, t._meta.ui.resourceUri]));
assert.deepEqual(views, { provision: kOptions, list: kRentals, monitor: kRentals });
async function pageOf(uri) {
  const { contents } = await server.ask('resources/read', { uri });
  assert.equal(contents.length, 1);
  assert.equal(contents[0].mimeType, 'text/html;profile=mcp-app');
  assert.deepEqual(contents[0]._meta, { ui: { prefersBorder: true } });  // no csp: it reaches nothing
  const html = contents[0].text;
  assert.match(html, /^<!DOCTYPE html>/);
  assert.doesNotMatch(html, /\/\* page\.(css|js) \*\//, 'what both pages share is in it');
  assert.doesNotMatch(html, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|fetch\(|XMLHttpRequest|WebSocket|<link|<img|@import/);
  assert.deepEqual([...html.matchAll(/https?:\/\/[^\s'"]+/g)].map((m) => m[0]), ['http://www.w3.org/2000/svg']);
  return html;
}
const optionsPage = await pageOf(kOptions), rentalsPage = await pageOf(kRentals);
done('the pages are listed and read');

// ---- the options ----

const offered = await server.done('provision', kTask);
const options = offered.structuredContent.options;
assert.equal(options.length, 3);
await screen.show(optionsPage, offered, { args: kTask });
const [hello] = await screen.said('ui/initialize');
assert.equal(hello.params.protocolVersion, '2026-01-26');
assert.ok((await screen.heard('ui/notifications/size-changed')).at(-1).params.height > 200);
let text = await screen.text();
for (const option of options) {
  assert.ok(text.includes(money(option.estimate.total_usd)) && text.includes(atMost(option.worst_case_usd)), option.title);
  assert.ok(text.includes(option.location) && text.includes((100 * option.reliability).toFixed(1) + ' %'), option.title);
}
assert.match(text, /Prices hold \d+:\d\d/);
assert.equal(await screen.find('button', 'Choose').count(), 3);
await screen.fits('options');
if (pictures) await screen.picture(pictures, 'options-light');
await screen.frame.getByText('Where the numbers come from').click();
assert.ok((await screen.text()).includes(offered.structuredContent.profile.evidence[0].source));

// A choice is confirmed, and can be taken back; only then it is said, as the user's words, and nothing is rented by it.
const second = screen.frame.getByLabel('Option 2:', { exact: false });
await second.getByRole('button', { name: 'Choose' }).click();
assert.ok((await screen.find('group', 'Confirm the choice').innerText()).includes(atMost(options[1].worst_case_usd)));
await screen.fits('options, asked');
if (pictures) await screen.picture(pictures, 'options-confirm-light');
await screen.find('button', 'Back').click();
assert.equal(await screen.find('group', 'Confirm the choice').count(), 0);
assert.deepEqual(await screen.said('ui/message'), []);
await second.getByRole('button', { name: 'Choose' }).focus();
await screen.page.keyboard.press('Enter');
assert.equal(await screen.frame.evaluate(() => document.activeElement.className), 'focus', 'the question is read out');
await screen.page.keyboard.press('Tab');
await screen.page.keyboard.press('Enter');
const [choice] = await screen.heard('ui/message');
assert.equal(choice.params.role, 'user');
assert.ok(choice.params.content[0].text.includes(`rent quote_id ${options[1].quote_id}`));
assert.ok(choice.params.content[0].text.includes(atMost(options[1].worst_case_usd)));
await screen.frame.getByText('Sent to the conversation. The assistant').waitFor();
assert.deepEqual(forwarded, [], 'a choice calls no tool');
assert.equal((await stage.truth()).contracts.length, 0);
await screen.proper('options');
done('options: compared, chosen, confirmed, said');

// The host refuses, or takes no messages; the prices run out; there is only text.
await screen.show(optionsPage, offered, { refuseMessages: true });
await screen.find('button', 'Choose').first().click();
await screen.find('button', 'Yes, rent it').click();
await screen.frame.getByText('It was not sent').waitFor();
assert.ok(await screen.find('button', 'Yes, rent it').isEnabled());
await screen.show(optionsPage, offered, { refuseMessages: 'error' });
await screen.find('button', 'Choose').first().click();
await screen.find('button', 'Yes, rent it').click();
await screen.frame.getByText('It is not known whether it arrived, so').waitFor();
assert.equal(await screen.find('button', 'Yes, rent it').count(), 0);
assert.equal(await screen.frame.getByRole('button', { name: 'Choose', exact: true }).count(), 0, 'nothing else is chosen meanwhile');
assert.doesNotMatch(await screen.text(), /nothing (was|has been) rented/i);
await screen.find('button', 'I looked: choose again').click();
assert.equal(await screen.frame.getByRole('button', { name: 'Choose', exact: true }).count(), 3);

// Where a lease may be renewed, the yes is to both bounds, and the words carry the number that rent is to be called with.
const renewed = structuredClone(offered);
renewed.structuredContent.options[1].usd_renewable_to = 98.761;
await screen.show(optionsPage, renewed);
const renewable = screen.frame.getByLabel('Option 2:', { exact: false });
assert.ok((await renewable.innerText()).includes('with renewals while an experiment runs at most $98.77 in all'));
await renewable.getByRole('button', { name: 'Choose' }).click();
const box = await screen.find('group', 'Confirm the choice').innerText();
assert.ok(box.includes(atMost(options[1].worst_case_usd)) && box.includes('at most $98.77 in all'), box);
await screen.fits('options, renewed');
await screen.find('button', 'Yes, rent it').click();
const [{ params: { content: [{ text: yes }] } }] = await screen.heard('ui/message');
assert.ok(yes.includes('at most $98.77 in all'), yes);
assert.ok(yes.includes(`with approve_usd ${atMost(options[1].worst_case_usd).slice('at most $'.length)}.`), yes);
await screen.show(optionsPage, offered, { capabilities: {} });
await screen.find('button', 'Choose').first().click();
assert.ok((await screen.text()).includes(`rent quote_id ${options[0].quote_id}`));
assert.equal(await screen.find('button', 'Yes, rent it').count(), 0);
await screen.show(optionsPage, aged(offered, 3));
assert.equal(await screen.find('button', 'Expired').count(), 3);
assert.match(await screen.text(), /Prices have expired/);
await screen.find('button', 'Expired').first().click();
assert.equal(await screen.find('group', 'Confirm the choice').count(), 0);
await screen.show(optionsPage, textOnly(offered));
assert.ok((await screen.text()).includes(atMost(options[2].worst_case_usd)));
const refused = await server.call('provision', { task: 'x', hours: -1 });
await screen.show(optionsPage, refused);
assert.match(await screen.text(), /hours/);
const none = await server.done('provision', { ...kTask, countries: ['AQ'] });
await screen.show(optionsPage, none);
assert.match(await screen.text(), /No machine to choose/);
await screen.fits('no options');
await screen.proper('options, otherwise');
done('options: refused, without messages, expired, as text, failed, none');

// ---- the rentals ----

const empty = await server.done('list', {});
await screen.show(rentalsPage, empty);
assert.match(await screen.text(), /Nothing is rented\s[^]*Nothing bills/);
const [fresh] = (await server.done('provision', kTask)).structuredContent.options;  // the others are old on this fast clock
const rented = await server.done('rent', { quote_id: fresh.quote_id, wait_seconds: 600 }, ['booting']);
const id = rented.structuredContent.instance_id;
await server.done('setup', { instance_id: id, wait_seconds: 600 }, ['installing', 'sending']);
await server.done('run', { instance_id: id, command: 'python train.py --epochs 400', experiment: 'exp01' });
let looked;
for (let turn = 0; turn < 60; ++turn) {
  looked = await server.done('monitor', { instance_id: id, wait_seconds: 20, lines: 8 });
  if (looked.structuredContent.jobs[0].losses[0]?.points.length >= 4) break;
}
const [job] = looked.structuredContent.jobs;
assert.equal(job.state, 'running');
assert.deepEqual(job.losses.map((c) => c.name).sort(), ['train loss', 'val loss']);
assert.equal(job.losses[0].counts, 'epoch');
assert.equal(job.progress.epochs_total, 400);
done('a machine works');

await screen.show(rentalsPage, looked, { args: { instance_id: id } });
text = await screen.text();
assert.match(text, /exp01/);
assert.ok(text.includes(atMost(looked.structuredContent.usd_worst_case)));
assert.match(text, /epoch \d+ of 400/);
assert.match(text, /ends by itself\s+in /);
assert.match(await screen.frame.locator('svg.chart').getAttribute('aria-label'), /^Loss by epoch: train loss from [\d.]+ to [\d.]+, val loss from/);
await screen.fits('one rental');
if (pictures) await screen.picture(pictures, 'rental-light');

const listed = await server.done('list', {});
await screen.show(rentalsPage, listed);
assert.match(await screen.text(), /1 machine rented/);
forwarded.length = 0;
await screen.find('button', 'Look closer').click();
await screen.frame.locator('svg.chart').waitFor();
assert.deepEqual(forwarded, [{ name: 'monitor', args: { instance_id: id, lines: 12 } }]);
await screen.find('button', 'Refresh').click();
await screen.frame.getByText('Refreshed.').waitFor();
assert.deepEqual(forwarded.map((f) => f.name), ['monitor', 'list', 'monitor']);
refuses = true;
await screen.find('button', 'Refresh').click();
await screen.frame.getByText('Not refreshed, so this may have changed: the server is away').waitFor();
refuses = false;
await screen.find('button', 'Refresh').click();
await screen.frame.getByText('Refreshed.').waitFor();
assert.doesNotMatch(await screen.text(), /Not refreshed/);
await screen.fits('rentals');
if (pictures) await screen.picture(pictures, 'rentals-light');
await screen.proper('rentals');
done('rentals: shown, looked into, refreshed');

// Dark, when the host turns dark; its colours, when it sends some; a stale look says so; teardown is answered.
const colour = () => screen.frame.evaluate(() => getComputedStyle(document.body).backgroundColor);
const light = await colour();
await screen.page.evaluate((context) => window.notifyPage('ui/notifications/host-context-changed', context), kDark);
await screen.frame.waitForFunction((was) => getComputedStyle(document.body).backgroundColor !== was, light);
if (pictures) await screen.picture(pictures, 'rentals-dark');
await screen.page.evaluate(() => window.notifyPage('ui/notifications/host-context-changed', { styles: { variables: { '--color-background-primary': 'rgb(1, 2, 3)', '--x': 'url(http://127.0.0.1/x)', 'color': 'red' } } }));
await screen.frame.waitForFunction(() => getComputedStyle(document.body).backgroundColor === 'rgb(1, 2, 3)');
assert.equal((await screen.page.evaluate(() => window.askPage('ui/resource-teardown', {}))).error, undefined);
assert.equal((await screen.page.evaluate(() => window.askPage('tools/list', {}))).error.code, -32601);
await screen.show(rentalsPage, aged(listed, 100), { capabilities: { message: {} } });
assert.match(await screen.text(), /May have changed: as of [34]\.\d days ago/);
assert.equal(await screen.find('button', 'Refresh').count(), 0, 'this host calls no tools');
assert.ok((await screen.text()).includes(`destroy ${id}`));
await screen.show(rentalsPage, textOnly(looked));
assert.match(await screen.text(), /exp01/);
if (pictures) {
  await screen.show(optionsPage, offered, { context: kDark });
  await screen.picture(pictures, 'options-dark');
  await screen.show(optionsPage, offered);
  await screen.picture(pictures, 'options-narrow', { width: 360 });
  await screen.show(rentalsPage, looked);
  await screen.picture(pictures, 'rental-narrow', { width: 360 });
}
done('dark, host colours, stale, without tools, teardown');

// Gaps, NaN and a thinned curve are said.
const broken = structuredClone(looked);
const [curve] = broken.structuredContent.jobs[0].losses;
curve.points[2][1] = null;
Object.assign(curve, { no_numbers: 1, readings: 900, from_start: false });
await screen.show(rentalsPage, broken);
assert.match(await screen.text(), /the end of the log only · 900 readings, thinned out · 1 not a number/);
assert.equal(await screen.frame.locator('svg path.none').count(), 1);

// Ports are opened by the host, and only those of this computer; a stranger's machine has no buttons.
const more = structuredClone(looked);
more.structuredContent.ports = [{ port: 6006, url: 'http://localhost:6006', moved: false }, { port: 1, url: 'javascript:alert(1)', moved: false }];
await screen.show(rentalsPage, more);
assert.equal(await screen.find('button', 'Open').count(), 1);
await screen.find('button', 'Open localhost:6006').click();
assert.deepEqual((await screen.heard('ui/open-link'))[0].params, { url: 'http://localhost:6006' });
await screen.proper('ports');
const crowd = structuredClone(listed);
crowd.structuredContent.instances.push({ instance_id: 7, kind: 'stranger', label: 'theirs', marketplace_status: 'running', gpu: 'A100', num_gpus: 2, usd_per_hour: 1.5 });
await screen.show(rentalsPage, crowd);
const stranger = screen.frame.getByLabel('Instance 7, not ours');
assert.match(await stranger.innerText(), /2 × A100[^]*\$1\.50 an hour[^]*never touched/);
assert.equal(await stranger.getByRole('button').count(), 0);
assert.match(await screen.text(), /1 machine rented/);
await screen.fits('two machines', [320, 1200]);

// ---- hostile text ----

for (const [name, html, result] of [['options', optionsPage, offered], ['rentals', rentalsPage, listed], ['a rental', rentalsPage, looked], ['options', optionsPage, none]]) {
  for (const spoil of [poisoned, numberless, (r) => poisoned(numberless(r))]) {
    await screen.show(html, spoil(result));
    for (const more of await screen.frame.locator('summary').all()) await more.click();
    const harm = await screen.frame.evaluate(() => ({ harmed: window.harmed, strangers: document.querySelectorAll('img, iframe, a, form, link, body script ~ script').length,
      longest: Math.max(0, ...[...document.querySelectorAll('button, h1, h2, dd, .pill')].map((n) => n.textContent.length)),
      directed: /[\u202a-\u202e\u2066-\u2069\u001b]/.test(document.body.textContent.replace(document.querySelector('script').textContent, '')) }));
    assert.deepEqual({ ...harm, longest: harm.longest < 120 }, { harmed: undefined, strangers: 0, longest: true, directed: false }, `${name}: ${JSON.stringify(harm)}`);
    await screen.fits(`hostile ${name}`, [320, 1200]);
  }
}
await screen.show(optionsPage, poisoned(offered));
await screen.find('button', 'Choose').first().click();
await screen.find('button', 'Yes, rent it').click();
const [clean] = await screen.heard('ui/message');
assert.match(clean.params.content[0].text, /^[\w .:,$-]+$/, 'no stranger puts words into the conversation');
await screen.proper('hostile');
done('hostile text stays text');

// ---- the end ----

await screen.show(rentalsPage, listed);
forwarded.length = 0;
await screen.find('button', 'End this machine…').click();
await screen.find('button', 'Keep it').click();
assert.equal(await screen.find('group', 'Confirm the end').count(), 0);
assert.deepEqual(forwarded, []);
await screen.find('button', 'End this machine…').click();
if (pictures) await screen.picture(pictures, 'rentals-end-light');
await screen.find('button', 'Yes, end it').click();
await screen.frame.getByText('It was not ended:').waitFor();  // the experiment runs
assert.deepEqual(forwarded, [{ name: 'destroy', args: { instance_id: id } }]);
assert.equal((await stage.truth()).live_contracts, 1);
await server.done('run', { instance_id: id, experiment: 'exp01', stop: true });

// No answer, an answer that nobody can read, a failure that may have changed something: it is looked up before it is named.
const unclear = { isError: true, content: [{ type: 'text', text: 'no answer within 30 s\nfacts: {"code":"unavailable","effect":"unknown"}\n' }] };
forwarded.length = 0;
for (const [answer, why] of [[null, 'the server is away'], [unclear, 'no answer within 30 s'], [{ content: [] }, 'the answer cannot be read']]) {
  await screen.show(rentalsPage, listed);
  instead = ({ name }) => {
    if (name !== 'destroy') return null;
    if (answer === null) throw new Error('the server is away');
    return answer;
  };
  await screen.find('button', 'End this machine…').click();
  await screen.find('button', 'Yes, end it').click();
  await screen.frame.getByText(`Its end is not confirmed: ${why}. A look since then still lists it`).waitFor();
  assert.doesNotMatch(await screen.text(), /not ended/);
}
assert.deepEqual(forwarded.map((f) => f.name), ['destroy', 'list', 'destroy', 'list', 'destroy', 'list']);
instead = () => { throw new Error('the server is away'); };
await screen.find('button', 'End this machine…').click();
await screen.find('button', 'Yes, end it').click();
await screen.frame.getByText('it may be gone, or go on billing').waitFor();
instead = () => null;

loses = 'destroy';  // it goes through; its answer never arrives
await screen.find('button', 'End this machine…').click();
await screen.find('button', 'Yes, end it').click();
await screen.frame.getByText('Its end is not confirmed: the client was too slow. A look since then no longer lists it.').waitFor();
assert.equal(await screen.find('button', 'End this machine…').count(), 0);
loses = null;
forwarded.length = 0;
await screen.show(rentalsPage, listed);
await screen.find('button', 'End this machine…').click();
await screen.find('button', 'Yes, end it').click();
await screen.frame.getByText('is gone, read back').waitFor();
assert.ok(forwarded.every((f) => f.name === 'destroy' && Object.keys(f.args).join() === 'instance_id'), 'nothing is ever discarded or stopped from a page');
await screen.find('button', 'Refresh').click();
await screen.frame.getByText('Nothing bills.').waitFor();
await screen.proper('the end');
const truth = await stage.truth();
assert.equal(truth.live_contracts, 0);
assert.equal(truth.billing_contracts, 0);
done('ended: kept, refused while it runs, gone');

assert.ok([...(await screen.said())].length > 0);
await screen.close();
await server.close();
await stage.close();
