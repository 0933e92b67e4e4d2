// A server of another dialect on its own port: node server.mjs durable|events|json|pouch. It ends when its input does.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const listen = app =>
  new Promise(done => {
    const server = app.listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`));
  });

const servers = {
  async durable() {
    const { DurableStreamTestServer } = await import('@durable-streams/server');
    return new DurableStreamTestServer({ port: 0, host: '127.0.0.1' }).start();
  },
  // What is posted is sent as an event with an id; a client that names the last one gets what came since. DELETE closes all streams.
  async events() {
    const { createChannel, createSession } = await import('better-sse');
    const express = require('express');
    const app = express();
    const channel = createChannel();
    const sent = [];
    const sockets = new Set();
    app.get('/events', async (req, res) => {
      const session = await createSession(req, res, { retry: 50, keepAlive: 100 });
      for (const [data, type, id] of sent.slice(Number(session.lastId.split('-')[1] ?? 0))) session.push(data, type, id);
      channel.register(session);
      sockets.add(req.socket);
    });
    app.post('/events', express.json(), (req, res) => {
      const event = [req.body, req.query.type ?? 'message', `e-${sent.length + 1}`];
      sent.push(event);
      channel.broadcast(event[0], event[1], { eventId: event[2] });
      res.end();
    });
    app.delete('/events', (req, res) => {
      for (const socket of sockets) socket.destroy();
      res.end();
    });
    return listen(app);
  },
  json() {
    const jsonServer = require('json-server');
    const app = jsonServer.create();
    app.use(jsonServer.bodyParser);
    app.use(jsonServer.router({ items: [] }));
    return listen(app);
  },
  pouch() {
    const PouchDB = require('pouchdb').plugin(require('pouchdb-adapter-memory')).defaults({ adapter: 'memory' });
    const app = require('express')();
    app.use('/', require('express-pouchdb')(PouchDB, { mode: 'minimumForPouchDB', inMemoryConfig: true }));
    return listen(app);
  },
};

console.log(`URL ${await servers[process.argv[2]]()}`);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
