// A node of npm's scuttlebutt over TCP, told what to do by JSON lines on its standard input; it answers with JSON lines.
// Its one argument is a JSON object: kind (model | events), id, listen | dial (a port), stream (options of createStream),
// security ({private, public, trusted: [file, ...]}).
'use strict'
const fs = require('fs')
const net = require('net')
const readline = require('readline')
const Model = require('scuttlebutt/model')
const Emitter = require('scuttlebutt/events')
const security = require('scuttlebutt/security')

const options = JSON.parse(process.argv[2])
const say = object => process.stdout.write(JSON.stringify(object) + '\n')

function identity () {
  if (!options.security) return options.id
  const keys = {}
  const own = security(keys, fs.readFileSync(options.security.private), fs.readFileSync(options.security.public))
  for (const file of options.security.trusted) {
    const pem = fs.readFileSync(file)
    keys[security(keys, null, pem).createId()] = pem
  }
  return own
}

const node = options.kind === 'events' ? new Emitter(identity()) : new Model(identity())
const on = require('events').EventEmitter.prototype.on
on.call(node, 'unverified_data', update => say({ unverified: update }))
on.call(node, 'error', error => say({ error: String(error) }))

function attach (socket) {
  const stream = node.createStream(Object.assign({}, options.stream))
  stream.on('header', header => say({ header }))
  stream.on('synced', () => say({ synced: true }))
  stream.on('error', error => say({ streamError: String(error) }))
  socket.on('error', () => {})
  socket.on('close', () => { say({ closed: true }); stream.destroy() })
  socket.pipe(stream).pipe(socket)
}

function state () {
  const history = node.history({})
  const values = options.kind === 'events' ? history.map(update => update[0]) : node.toJSON()
  return { state: values, clock: node.sources, history: options.history ? history : undefined }
}

const commands = {
  set: ([key, value]) => node.set(key, value),
  fill: ({ count, prefix }) => { for (let i = 0; i < count; i++) node.set(prefix + i, i) },
  emit: args => node.emit.apply(node, args),
  state: () => say(state()),
  count: () => say({ count: node.history({}).length }),
  sign: change => say({ text: JSON.stringify([change, 1, 'x']) }),
  dial: port => attach(net.connect(port, '127.0.0.1')),
  destroy: () => process.exit(0)
}

readline.createInterface({ input: process.stdin })
  .on('line', line => {
    const command = JSON.parse(line)
    for (const name in command) commands[name](command[name])
  })
  .on('close', () => process.exit(0))

if (options.dial) attach(net.connect(options.dial, '127.0.0.1'))
if (options.listen) {
  const server = net.createServer(attach)
  server.listen(0, '127.0.0.1', () => say({ port: server.address().port, id: node.id }))
} else {
  say({ id: node.id })
}
