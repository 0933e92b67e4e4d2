// A third-party client of another server, reading the test server. Its arguments are the reader's name and the feed's URI; it writes its
// idea of the set as one line of JSON each time that it changes, and ends with its standard input.
import { setTimeout as pause } from 'node:timers/promises'

const [name, uri] = process.argv.slice(2)
const show = rows => process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(rows).sort())) + '\n')
process.stdin.resume().on('end', () => process.exit(0)).on('close', () => process.exit(0))
process.on('unhandledRejection', error => { console.error(error); process.exit(1) })

const readers = {
  // The informer lists, watches from the list's version, and lists again if that is too old.
  async kubernetes () {
    const k8s = await import('@kubernetes/client-node')
    const origin = new URL(uri).origin
    const config = new k8s.KubeConfig()
    config.loadFromOptions({
      clusters: [{ name: 'c', server: origin, skipTLSVerify: true }], users: [{ name: 'u' }], contexts: [{ name: 'x', cluster: 'c', user: 'u' }], currentContext: 'x'
    })
    const api = config.makeApiClient(k8s.CoreV1Api)
    const informer = k8s.makeInformer(config, '/api/v1/pods', () => api.listPodForAllNamespaces())
    const tell = () => show(Object.fromEntries(informer.list().map(pod => [pod.metadata.name, pod.metadata.labels?.v])))
    for (const event of ['add', 'update', 'delete', 'connect']) informer.on(event, tell)
    informer.on('error', async () => { await pause(50); informer.start() })
    await informer.start()
  },

  async shape () {
    const { ShapeStream, Shape } = await import('@electric-sql/client')
    const url = new URL(uri)
    const stream = new ShapeStream({ url: url.origin + url.pathname, params: { table: url.searchParams.get('table') } })
    const shape = new Shape(stream)
    shape.subscribe(({ rows }) => show(Object.fromEntries(rows.map(row => [String(row.id), row.v]))))
  },

  async couch () {
    const { default: nano } = await import('nano')
    const rows = {}
    const url = new URL(uri)
    const db = nano(url.origin).db.use(url.pathname.split('/')[1])
    const reader = db.changesReader.start({ since: 0, includeDocs: true, timeout: 2000 })
    reader.on('batch', batch => {
      for (const change of batch) change.deleted ? delete rows[change.id] : rows[change.id] = change.doc.v
      show(rows)
    })
  },

  async events () {
    const { createParser } = await import('eventsource-parser')
    const rows = {}
    let last
    for (;;) {
      try {
        const response = await fetch(uri, { headers: { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) } })
        const parser = createParser({
          onEvent ({ id, event, data }) {
            last = id
            const record = JSON.parse(data)
            event === 'delete' ? delete rows[record.id] : rows[record.id] = record.v
            show(rows)
          }
        })
        for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) parser.feed(chunk)
      } catch {
        // The next request continues after the last event.
      }
      await pause(50)
    }
  },

  async durable () {
    const { stream } = await import('@durable-streams/client')
    const rows = {}
    const response = await stream({ url: uri, offset: '-1', live: process.argv[4] ?? 'long-poll' })
    response.subscribeJson(batch => {
      for (const record of batch.items) record.deleted ? delete rows[record.id] : rows[record.id] = record.v
      show(rows)
    })
  }
}

await readers[name]()
