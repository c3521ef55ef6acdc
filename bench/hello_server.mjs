// A hello-world server on the official TypeScript SDK, to measure ours beside: one tool that answers, one that waits.
const sdk = '../tests/clients/node_modules/@modelcontextprotocol/sdk/dist/esm/server';
const { McpServer } = await import(`${sdk}/mcp.js`);
const { StdioServerTransport } = await import(`${sdk}/stdio.js`);

const server = new McpServer({ name: 'hello', version: '1.0.0' });
server.registerTool('hello', { description: 'Says hello' }, () => ({ content: [{ type: 'text', text: 'hello' }] }));
server.registerTool('wait', { description: 'Waits' }, async () => {
  await new Promise((done) => setTimeout(done, 3300));
  return { content: [{ type: 'text', text: 'waited' }] };
});
await server.connect(new StdioServerTransport());
