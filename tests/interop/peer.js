// A node of npm's scuttlebutt, or of a package built on it, over TCP, told what to do by JSON lines on its standard input; it answers with JSON lines.
// Its one argument is a JSON object: kind (model | events | value | doc | expiry | bucket), id, listen (true, or the path of a pipe) | dial (a port or such a path),
// stream (options of createStream), security ({private, public, trusted: [file, ...]}), spawn ([program, argument, ...]: speaks with it over its
// standard input and output), stdio (speaks over its own), do ([command, ...] to begin with), answer (a key: once a peer has set it, its value is set as 'answer').
'use strict'
const childProcess = require('child_process')
const fs = require('fs')
const net = require('net')
const readline = require('readline')
const Model = require('scuttlebutt/model')
const Emitter = require('scuttlebutt/events')
const security = require('scuttlebutt/security')
const Value = require('r-value')
const { Doc } = require('crdt')
const ExpiryModel = require('expiry-model')
const Bucket = require('scuttlebucket')

const options = JSON.parse(process.argv[2])
const say = object => (options.stdio ? process.stderr : process.stdout).write(JSON.stringify(object) + '\n')

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

// Two parts: values, and events whose state is their history.
function TwoParts (id) {
  const bucket = new Bucket(id).add('config', new Model()).add('log', new Emitter())
  bucket.toJSON = () => ({ config: bucket.get('config').toJSON(), log: bucket.get('log').history({}).map(update => update[0]) })
  return bucket
}

const Expiring = id => new ExpiryModel({ maxAge: options.maxAge || 60000 }).setId(id)
const Kind = { expiry: Expiring, bucket: TwoParts, model: Model, events: Emitter, value: Value, doc: Doc }[options.kind || 'model']
const node = options.kind === 'expiry' ? Kind(options.id || 'expiring') : new Kind(identity())
const on = require('events').EventEmitter.prototype.on
on.call(node, 'unverified_data', update => say({ unverified: update }))
on.call(node, 'error', error => say({ error: String(error) }))

if (options.answer) on.call(node, 'update', ([key, value]) => { if (key === options.answer) node.set('answer', value) })

function attach (socket) {
  speak(socket, socket)
}

function speak (input, output) {
  const stream = node.createStream(Object.assign({}, options.stream))
  stream.on('header', header => say({ header }))
  stream.on('synced', () => say({ synced: true }))
  stream.on('error', error => say({ streamError: String(error) }))
  input.on('error', () => {})
  if (output !== input) output.on('error', () => {})
  input.on('close', () => { say({ closed: true }); stream.destroy() })
  input.pipe(stream).pipe(output)
}

const connect = to => typeof to === 'string' ? net.connect(to) : net.connect(to, '127.0.0.1')

function state () {
  const history = node.history({})
  const values = options.kind === 'events' ? history.map(update => update[0]) : node.toJSON()
  return { state: values, clock: node.sources, history: options.history ? history : undefined }
}

const commands = {
  set: args => node.set.apply(node, args),
  fill: ({ count, prefix }) => { for (let i = 0; i < count; i++) node.set(prefix + i, i) },
  // What JSON cannot express, so it is made here.
  odd: () => {
    node.set(undefined, 'undefined').set(null, 'null').set(true, 'true').set(1.5, 'number').set(-0, 'zero').set('\ud800', '\udfff')
    node.set('undefined value').set('not a number', NaN).set('infinity', -Infinity).set('date', new Date(0)).set('huge', 12345678901234567890)
    node.set('tiny', 5e-324).set('proto', JSON.parse('{"__proto__":{"__proto__":1}}')).set('', '').set('__defineGetter__', 1)
  },
  part: ([name, method, ...args]) => { const part = node.get(name); part[method].apply(part, args) },
  update: update => node._update(update),
  keys: () => say({ keys: node.keys() }),
  emit: args => node.emit.apply(node, args),
  state: () => say(state()),
  count: () => say({ count: node.history({}).length }),
  sign: change => say({ text: JSON.stringify([change, 1, 'x']) }),
  dial: to => attach(connect(to)),
  destroy: () => process.exit(0)
}

function run (command) {
  for (const name in command) commands[name](command[name])
}

;(options.do || []).forEach(run)
if (options.stdio) {
  speak(process.stdin, process.stdout)
} else {
  readline.createInterface({ input: process.stdin }).on('line', line => run(JSON.parse(line))).on('close', () => process.exit(0))
}

if (options.spawn) {
  const child = childProcess.spawn(options.spawn[0], options.spawn.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
  child.on('exit', code => say({ exit: code }))
  commands.end = () => child.stdin.end()
  speak(child.stdout, child.stdin)
}
if (options.dial) attach(connect(options.dial))
if (options.listen) {
  const server = net.createServer(attach)
  const ready = () => say({ port: server.address().port, id: node.id })
  if (typeof options.listen === 'string') server.listen(options.listen, ready)
  else server.listen(0, '127.0.0.1', ready)
} else {
  say({ id: node.id })
}
