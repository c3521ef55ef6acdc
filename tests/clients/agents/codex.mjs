// Codex lists servers without starting them; its app server starts them and says what they answered.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const server = spawn(process.argv[2], ['app-server'], { stdio: ['pipe', 'pipe', 'ignore'] })
const say = (message) => server.stdin.write(JSON.stringify(message) + '\n')
const end = (code, words) => {
  console.log(words)
  server.kill()
  process.exit(code)
}
setTimeout(() => end(1, 'no answer within 40 s'), 40_000)
createInterface({ input: server.stdout }).on('line', (line) => {
  const message = JSON.parse(line)
  if (message.id === 1) {
    say({ method: 'initialized' })
    say({ id: 2, method: 'mcpServerStatus/list', params: {} })
  }
  if (message.id !== 2) return
  const ours = message.result?.data?.find((s) => s.name === 'vast-gpu')
  const tools = Object.keys(ours?.tools ?? {})
  if (ours?.serverInfo?.name !== 'vast-gpu' || tools.length < 10) end(1, JSON.stringify(message).slice(0, 500))
  end(0, `connected, server ${ours.serverInfo.version}, ${tools.length} tools`)
})
say({ id: 1, method: 'initialize', params: { clientInfo: { name: 'vast-gpu-test', title: 'test', version: '1' } } })
