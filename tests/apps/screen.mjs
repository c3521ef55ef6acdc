// Chromium with one host page, and what a test wants to know of the page inside it.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Ajv2020 from 'ajv/dist/2020.js';
import { chromium } from 'playwright-core';

const kSchema = new URL('node_modules/@modelcontextprotocol/ext-apps/dist/src/generated/schema.json', import.meta.url);
const kFlags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--hide-scrollbars', '--disable-extensions'];

/// What the published schema of MCP Apps says of each message that a page sends.
const kDefinitions = {
  'ui/initialize': 'McpUiInitializeRequest',
  'ui/notifications/initialized': 'McpUiInitializedNotification',
  'ui/notifications/size-changed': 'McpUiSizeChangedNotification',
  'ui/message': 'McpUiMessageRequest',
  'ui/open-link': 'McpUiOpenLinkRequest',
};
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(JSON.parse(readFileSync(kSchema)), 'apps');

export const kEverything = { serverTools: {}, message: { text: {} }, openLinks: {} };
export const kLight = { theme: 'light', displayMode: 'inline', locale: 'en-GB' };
export const kDark = { ...kLight, theme: 'dark' };

export class Screen {
  static async open(callServer) {
    const screen = new Screen();
    screen.folder = mkdtempSync(join(tmpdir(), 'vast-gpu-browser-'));
    screen.browser = await chromium.launchPersistentContext(screen.folder, {
      executablePath: process.env.VAST_GPU_BROWSER, headless: true, args: kFlags, viewport: { width: 1000, height: 900 },
      deviceScaleFactor: 1, reducedMotion: 'reduce', acceptDownloads: false,
    });
    screen.page = screen.browser.pages()[0] ?? await screen.browser.newPage();
    screen.complaints = [];  // of the console, of scripts, of the content security policy
    screen.requests = [];
    screen.page.on('console', (m) => ['error', 'warning'].includes(m.type()) && screen.complaints.push(m.text()));
    screen.page.on('pageerror', (error) => screen.complaints.push(error.message));
    screen.page.on('dialog', (dialog) => { screen.complaints.push('a dialog: ' + dialog.message()); dialog.dismiss(); });
    screen.page.on('popup', () => screen.complaints.push('a new window'));
    await screen.page.exposeFunction('callServer', callServer);
    await screen.page.setContent(readFileSync(new URL('host.html', import.meta.url), 'utf8'));
    screen.page.on('request', (request) => /^(about|data|blob):/.test(request.url()) || screen.requests.push(request.url()));
    screen.page.setDefaultTimeout(60_000);
    return screen;
  }

  /// Puts a page up, waits for its handshake, and hands it a result.
  async show(html, result, { context = kLight, capabilities = kEverything, refuseMessages = false, args = {} } = {}) {
    await this.page.evaluate(([h, o]) => window.mount(h, o), [html, { context, capabilities, refuseMessages }]);
    this.frame = this.page.frames().at(-1);
    await this.feed(result, args);
  }

  async feed(result, args = {}) {
    await this.page.evaluate(([a, r]) => {
      window.notifyPage('ui/notifications/tool-input', { arguments: a });
      window.notifyPage('ui/notifications/tool-result', r);
    }, [args, result]);
    await this.frame.waitForFunction(() => !document.getElementById('page').textContent.startsWith('Waiting'));
  }

  /// Everything that the page sent so far, of one method where one is named.
  async said(method) {
    const all = await this.page.evaluate(() => window.said);
    return method ? all.filter((m) => m.method === method) : all;
  }
  /// Waits until it sent so many of them.
  async heard(method, count = 1) {
    await this.page.waitForFunction(([m, n]) => window.said.filter((s) => s.method === m).length >= n, [method, count]);
    return this.said(method);
  }

  text() {
    return this.frame.evaluate(() => document.body.innerText);
  }
  find(role, name) {
    return this.frame.getByRole(role, { name });
  }

  /// Nothing may reach beyond the page at any width.
  async fits(what, widths = [320, 480, 768, 1200]) {
    for (const width of widths) {
      await this.page.setViewportSize({ width, height: 900 });
      const over = await this.frame.evaluate(() => {
        const wide = document.documentElement.clientWidth;
        const beyond = [...document.body.querySelectorAll('*')].filter((n) => {
          const box = n.getBoundingClientRect();
          return box.width > 0 && box.right > wide + 1 && !n.closest('.scroll') && !n.closest('.cut');
        });
        return { wide, scroll: document.documentElement.scrollWidth, beyond: beyond.slice(0, 3).map((n) => n.outerHTML.slice(0, 120)) };
      });
      assert.deepEqual(over.beyond, [], `${what} at ${width}: ${over.scroll} px wide`);
      assert.ok(over.scroll <= over.wide, `${what} at ${width}: ${over.scroll} px wide`);
    }
    await this.page.setViewportSize({ width: 1000, height: 900 });
  }

  /// Every control has a name that is spoken, and every message was one of the protocol's.
  async proper(what) {
    const mute = await this.frame.evaluate(() => [...document.querySelectorAll('button, summary, [role=img], [role=meter], [role=group], section')]
      .filter((n) => !(n.getAttribute('aria-label') ?? n.textContent).trim()).map((n) => n.outerHTML.slice(0, 120)));
    assert.deepEqual(mute, [], what);
    for (const message of await this.said()) {
      assert.equal(message.jsonrpc, '2.0');
      const name = kDefinitions[message.method];
      if (!name) {
        assert.ok(message.method === undefined || message.method === 'tools/call', `${what}: ${message.method}`);
        continue;
      }
      const { jsonrpc, id, ...body } = message;
      const valid = ajv.getSchema(`apps#/$defs/${name}`);
      assert.ok(valid(body), `${what}: ${message.method}: ${ajv.errorsText(valid.errors)}`);
    }
    assert.deepEqual(this.complaints, [], what);
    assert.deepEqual(this.requests, [], `${what}: a page may reach nothing`);
  }

  async picture(folder, name, { width = 900 } = {}) {
    mkdirSync(folder, { recursive: true });
    await this.page.setViewportSize({ width, height: 900 });
    const twoFrames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(document.documentElement.offsetHeight))));
    for (let round = 0; round < 3; ++round) {  // the page follows the width, its frame follows the page
      await this.page.evaluate(twoFrames);
      await this.page.setViewportSize({ width, height: await this.frame.evaluate(twoFrames) });
    }
    await this.page.screenshot({ path: join(folder, name + '.png') });
    await this.page.setViewportSize({ width: 1000, height: 900 });
  }

  async close() {
    await this.browser.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
