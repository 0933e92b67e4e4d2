// A server of another dialect on a port of its own: node server.mjs durable|json|pouch. It ends when its input does.
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
