'use strict';
// The page's side of MCP Apps 2026-01-26: JSON-RPC with the host over postMessage, and nothing else. Everything that is
// shown comes from machines and the marketplace: it reaches the page as text only, cut and cleaned.

const kRevision = '2026-01-26';

/// One conversation with the host. It can be asked for tools of our server, to put a message to the user, and no more.
const host = (() => {
  const waiting = new Map();
  const listeners = new Map();
  let lastId = 0;
  let capabilities = {};

  const post = (message) => window.parent.postMessage({ jsonrpc: '2.0', ...message }, '*');
  const notify = (method, params = {}) => post({ method, params });

  /// The result, or an Error with the host's words. Calls of tools may take minutes.
  const request = (method, params, limitSeconds = 30) => new Promise((done, fail) => {
    const id = ++lastId;
    const timer = setTimeout(() => {
      waiting.delete(id);
      fail(new Error('no answer within ' + limitSeconds + ' s'));
    }, limitSeconds * 1000);
    waiting.set(id, { done, fail, timer });
    post({ id, method, params });
  });

  const answer = (message) => {
    const call = waiting.get(message.id);
    if (!call) return;
    waiting.delete(message.id);
    clearTimeout(call.timer);
    if (message.error) call.fail(new Error(clean(message.error.message || 'the client refused', 300)));
    else call.done(message.result || {});
  };

  window.addEventListener('message', (event) => {
    const message = event.data;
    if (event.source !== window.parent || !message || message.jsonrpc !== '2.0') return;
    if (typeof message.method !== 'string') return answer(message);
    const listener = listeners.get(message.method);
    if (message.id === undefined) return listener && listener(message.params || {});
    if (listener) post({ id: message.id, result: listener(message.params || {}) || {} });
    else post({ id: message.id, error: { code: -32601, message: 'this page has no ' + clean(message.method, 60) } });
  });

  const watchSize = () => {
    let told = '';
    const tell = () => {
      const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
      const width = Math.ceil(document.documentElement.getBoundingClientRect().width);
      if (told === width + 'x' + height) return;
      told = width + 'x' + height;
      notify('ui/notifications/size-changed', { width, height });
    };
    new ResizeObserver(tell).observe(document.documentElement);
    tell();
  };

  return {
    on: (method, listener) => listeners.set(method, listener),
    can: (what) => Boolean(capabilities[what]),
    callTool: (name, args, limit = 700) => request('tools/call', { name, arguments: args }, limit),
    say: (text) => request('ui/message', { role: 'user', content: [{ type: 'text', text }] }, 120),
    openLink: (url) => request('ui/open-link', { url }),
    async start(name) {
      listeners.set('ui/notifications/host-context-changed', dress);
      listeners.set('ui/resource-teardown', () => ({}));
      listeners.set('ping', () => ({}));
      const told = await request('ui/initialize', {
        appInfo: { name, version: '1.0.0' },
        appCapabilities: { availableDisplayModes: ['inline'] },
        protocolVersion: kRevision,
      });
      capabilities = told.hostCapabilities || {};
      dress(told.hostContext || {});
      notify('ui/notifications/initialized');
      watchSize();
    },
  };
})();

/// Takes on the host's theme, colours, fonts and insets.
function dress(context) {
  const root = document.documentElement;
  if (context.theme === 'light' || context.theme === 'dark') root.dataset.theme = context.theme;
  const variables = (context.styles && context.styles.variables) || {};
  for (const [name, value] of Object.entries(variables))
    if (/^--[a-z0-9-]{1,60}$/.test(name) && typeof value === 'string' && !/url\(/i.test(value))
      root.style.setProperty(name, value);
  const inset = context.safeAreaInsets;
  if (inset)
    for (const side of ['top', 'right', 'bottom', 'left'])
      if (num(inset[side]) > 0) document.body.style.setProperty('padding-' + side, 16 + num(inset[side]) + 'px');
}

// ---- values ----

const num = (x) => (typeof x === 'number' && Number.isFinite(x) ? x : null);
const list = (x) => (Array.isArray(x) ? x.slice(0, 200) : []);
const record = (x) => (x && typeof x === 'object' && !Array.isArray(x) ? x : {});

/// A line of text without control and direction characters, cut to a length that fits.
function clean(x, most = 120) {
  if (typeof x === 'number') x = String(x);
  if (typeof x !== 'string') return '';
  const line = x.slice(0, 4 * most).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g, ' ').trim();
  const letters = Array.from(line);
  return letters.length > most ? letters.slice(0, most - 1).join('') + '…' : line;
}
/// As clean, line by line.
const cleanLines = (x, most = 40) =>
  typeof x === 'string' ? x.split('\n').slice(-most).map((line) => clean(line, 300)).join('\n') : '';

const money = (x) => {
  const usd = num(x);
  if (usd === null) return 'unknown';
  return (usd < 0 ? '-$' : '$') + Math.abs(usd).toFixed(Math.abs(usd) < 0.1 && usd !== 0 ? 3 : 2);
};
/// A bound in whole cents, never lower than it is.
const bound = (x) => (Math.ceil(num(x) * 100 - 1e-7) / 100).toFixed(2);
const atMost = (x) => (num(x) === null ? 'at most unknown' : 'at most $' + bound(x));
function duration(hours) {
  const h = num(hours);
  if (h === null) return 'unknown';
  const minutes = h * 60;
  if (minutes < 1.5) return Math.max(0, Math.round(minutes * 60)) + ' s';
  if (minutes < 90) return Math.round(minutes) + ' min';
  if (h < 48) return Math.floor(h + 1 / 120) + ' h' + (Math.round(minutes) % 60 ? ' ' + (Math.round(minutes) % 60) + ' min' : '');
  return (h / 24).toFixed(1) + ' days';
}
const percent = (part) => Math.round(100 * Math.min(1, Math.max(0, part))) + '%';
const short = (x) => {  // 0.01234 -> 0.0123, 12345.6 -> 12346
  const n = num(x);
  return n === null ? '' : Math.abs(n) >= 1000 || Number.isInteger(n) ? String(Math.round(n)) : String(Number(n.toPrecision(3)));
};

/// The structured content of a tool's result, or the same facts from its text, where a host hands on only that.
function factsOf(result) {
  if (result && result.structuredContent && typeof result.structuredContent === 'object') return result.structuredContent;
  const text = textOf(result);
  const at = text.lastIndexOf('\nfacts: ');
  if (at < 0) return null;
  try {
    const facts = JSON.parse(text.slice(at + 8).split('\n')[0]);
    return { summary: text.split('\n')[0], ...facts };
  } catch {
    return null;
  }
}
const textOf = (result) => list(result && result.content).map((block) => (typeof block.text === 'string' ? block.text : '')).join('\n');

/// The server's time goes on with this page's own clock; an answer that is shown again later is as old as it is.
class Moment {
  constructor(asOf) {
    this.at = Date.parse(asOf);
    this.began = performance.now();
    const late = Date.now() - this.at;
    this.late = late > 90e3 ? late : 0;  // less is the two clocks
  }
  get known() { return Number.isFinite(this.at); }
  get age() { return this.late + performance.now() - this.began; }  // ms
  /// Milliseconds until a time the server named; null where it named none.
  until(time) {
    const end = Date.parse(time);
    return this.known && Number.isFinite(end) ? end - this.at - this.age : null;
  }
}

// ---- elements ----

const kSvg = 'http://www.w3.org/2000/svg';
function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'click') node.addEventListener('click', value);
    else if (name === 'style') Object.entries(value).forEach(([k, v]) => node.style.setProperty(k, v));
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(3))
    if (child !== null && child !== undefined && child !== false && child !== '')
      node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  return node;
}
/// Shows these and nothing else. A control that had the focus and is there again has it again.
function put(node, ...children) {
  const key = document.activeElement && document.activeElement.dataset.key;
  node.replaceChildren();
  fill(node, {}, children);
  if (key) focusOn(key);
}
const focusOn = (key) => document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
const kOpened = new Set();
/// Something to unfold; stays as it was left when the page is drawn again.
function fold(key, title, properties, ...children) {
  const node = el('details', { ...properties, open: kOpened.has(key) }, el('summary', { class: 'small', 'data-key': 'fold ' + key }, title), children);
  node.addEventListener('toggle', () => (node.open ? kOpened.add(key) : kOpened.delete(key)));
  return node;
}
const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
const svg = (tag, properties, ...children) => fill(document.createElementNS(kSvg, tag), properties, children);
const cut = (text, most = 80) => el('span', { class: 'cut', title: clean(text, 300) }, clean(text, most));
const pill = (text, mood = '') => el('span', { class: 'pill ' + mood }, clean(text, 40));
/// `key` names it for put().
const button = (label, click, kind = '', key = null) => el('button', { type: 'button', class: kind, click, 'data-key': key }, label);
const facts = (...pairs) => el('dl', {}, pairs.filter(Boolean).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
const note = (text, mood = '') => el('p', { class: 'note ' + mood }, text);
/// `label` says in words what the bar shows.
function meter(part, label, mood = '') {
  const now = Math.round(100 * Math.min(1, Math.max(0, part)));
  return el('div', { class: 'meter', role: 'meter', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': now },
    el('i', { class: mood, style: { width: now + '%' } }));
}

/// Spoken by screen readers; nothing that changes every second goes here.
function announce(text) {
  const live = document.getElementById('live');
  if (live) live.textContent = text;
}

const kTicks = new Set();
/// Runs now, and every second while the element is on the page.
function ticking(node, update) {
  update(node);
  kTicks.add({ node: new WeakRef(node), update });
  return node;
}
setInterval(() => {
  for (const tick of kTicks) {
    const node = tick.node.deref();
    if (!node || !node.isConnected) kTicks.delete(tick);
    else tick.update(node);
  }
}, 1000);

/// "9:41" or "2 h 10 min", by how long it is.
function countdown(ms) {
  if (ms === null) return 'unknown';
  if (ms <= 0) return 'over';
  const seconds = Math.ceil(ms / 1000);
  return seconds < 3600 ? Math.floor(seconds / 60) + ':' + String(seconds % 60).padStart(2, '0') : duration(seconds / 3600);
}
