/**
 * `node load.cjs URL...`: asks the URLs in turn, each time over a new connection, some at once, until SIGTERM; then
 * prints {"answered", "failed": {why: count}} as JSON. A process of its own, because the tests' one blocks.
 */

const { get } = require('node:http')

const urls = process.argv.slice(2)
const atOnce = 4
const patienceMs = 5_000
const pauseMs = 2
const failed = {}
let answered = 0
let next = 0
const over = new AbortController()

function ask(url) {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: patienceMs }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode === 200 ? undefined : `status ${response.statusCode}`))
      response.once('error', ({ code, message }) => resolve(code ?? message))
    })
    request.once('timeout', () => request.destroy(new Error('timed out')))
    request.once('error', ({ code, message }) => resolve(code ?? message))
  })
}

async function work() {
  while (!over.signal.aborted) {
    const why = await ask(urls[next++ % urls.length])
    if (why === undefined) answered += 1
    else failed[why] = (failed[why] ?? 0) + 1
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

process.once('SIGTERM', () => over.abort())
process.stdout.write('started\n')
void Promise.all(Array.from({ length: atOnce }, work)).then(() =>
  process.stdout.write(`${JSON.stringify({ answered, failed })}\n`),
)
