// npm's scuttlebutt doing what the benchmark does: `listen <keys>` fills a model and serves it; `dial <port> <keys> <times>` gets it into a new model so many times.
// Each says one JSON line when it is ready or done; the dialler counts its time from the dial to the last key.
'use strict'
const fs = require('fs')
const net = require('net')
const Model = require('scuttlebutt/model')
const [role, first, second, third] = process.argv.slice(2)
const model = new Model()

// The peak of the resident set, as the system counts it.
const peak = () => process.resourceUsage().maxRSS
const say = object => fs.writeSync(1, JSON.stringify(object) + '\n')

if (role === 'listen') {
  const count = Number(first)
  for (let i = 0; i < count; i++) model.set('key' + i, { n: i, name: 'value ' + i })
  net.createServer(socket => {
    const stream = model.createStream()
    socket.on('error', () => {})
    socket.pipe(stream).pipe(socket)
  }).listen(0, '127.0.0.1', function () { say({ port: this.address().port }) })
  process.stdin.on('data', () => {}).on('end', () => { say({ peak: peak() }); process.exit(0) })
} else {
  const count = Number(second)
  const times = []
  const transfer = () => {
    const receiver = new Model()
    const cpu = process.cpuUsage()
    const started = process.hrtime.bigint()
    const socket = net.connect(Number(first), '127.0.0.1')
    let seen = 0
    receiver.on('update', () => {
      if (++seen < count) return
      const used = process.cpuUsage(cpu)
      times.push({ milliseconds: Number(process.hrtime.bigint() - started) / 1e6, cpu: (used.user + used.system) / 1e3, peak: peak() })
      socket.destroy()
      receiver.dispose()
      if (times.length < Number(third)) return setImmediate(transfer)
      say({ times })
      process.exit(0)
    })
    const stream = receiver.createStream()
    socket.pipe(stream).pipe(socket)
  }
  transfer()
}
