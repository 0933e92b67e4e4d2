namespace Lockstep.Bench.FanOut;

/// <summary>The same feed in node: each turn of its loop frames what is due once, and every client's socket gets the same buffer.</summary>
internal static class NodeServer
{
    public const string Source = """
        const http = require('node:http');
        const rate = Number(process.argv[1]);
        const sockets = new Set();
        const server = http.createServer((request, response) => {
          response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
          response.flushHeaders();
          sockets.add(response.socket);
          response.on('close', () => sockets.delete(response.socket));
        });
        server.listen({ port: 0, host: '127.0.0.1', backlog: 2000 }, () => console.log(server.address().port));
        process.stdin.once('data', () => {
          const start = process.hrtime.bigint();
          let made = 0;
          setInterval(() => {
            const target = Math.floor(Number(process.hrtime.bigint() - start) / 1e9 * rate);
            if (made > target) return;
            let text = '';
            for (; made <= target; made++) {
              const due = start + BigInt(made) * 1000000000n / BigInt(rate);
              text += `{"id":${made % 10000},"updated_at":${made},"deleted_at":null,"host":"10.0.0.1","t":${due}}\n`;
            }
            const chunk = Buffer.from(text.length.toString(16) + '\r\n' + text + '\r\n');
            for (const socket of sockets) socket.write(chunk);
          }, 1);
        });
        """;
}
