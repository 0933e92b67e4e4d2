using System.Diagnostics;
using System.Globalization;
using Lockstep.Bench.EndToEnd;
using Lockstep.Bench.Report;
using Lockstep.Engine.Tables;

namespace Lockstep.Bench.Dialects;

/// <summary>
/// Other servers' feeds, from HTTP to a durable table: whole processes, ours beside a node script that fetches the same pages and upserts
/// them, interleaved (<c>dialects [rounds] [items]</c>).
/// </summary>
internal static class DialectRun
{
    private const string Limit = "node, http + better-sqlite3, one transaction";
    private const string PollLimit = "node, the same pages again, upserted where they differ";

    /// <summary>How many items the polled lists have.</summary>
    public static readonly IReadOnlyList<int> PollSizes = [100_000, 1_000_000];

    /// <summary>A poll of what has not changed writes no record, and nothing else that would be as large.</summary>
    private const long MostGrowth = 1024 * 1024;

    /// <summary>Whether there is what it is measured beside.</summary>
    public static bool IsPossible => EndToEndRun.Tool.Find("node") is { } node && EndToEndRun.Tool.HasNodeModule(node, "better-sqlite3");

    /// <param name="rounds">How many runs each contestant gets.</param>
    /// <param name="items">How many items a server has.</param>
    public static IEnumerable<ComparisonTable> Tables(int rounds, int items)
    {
        var node = Node();
        foreach (var dialect in DialectPages.Feeds.Keys)
            yield return Compare(node, dialect, rounds, items);
    }

    private static string Node() =>
        IsPossible
            ? EndToEndRun.Tool.Find("node")!
            : throw new FileNotFoundException("Dialects are measured beside node and better-sqlite3, which is looked for by NODE_PATH.");

    private static ComparisonTable Compare(string node, string dialect, int rounds, int items)
    {
        using var folder = new BenchFolder();
        using var host = new Host(dialect, items);
        var table = new ComparisonTable(string.Create(CultureInfo.InvariantCulture, $"{dialect}, {items:#,0} items"), Limit);
        string ours = folder["ours.db"],
            theirs = folder["node.db"];
        for (var round = 0; round < rounds; round++)
        {
            folder.Empty();
            table.Add(Limit, false, Measured.Run(node, ["-e", Script, dialect, host.Uri, theirs]));
            table.Add("lockstep sync", true, Sync(dialect, host.Uri, ours));
            if (new Table(ours).GetInfo().Rows != items)
                throw new InvalidOperationException($"{dialect}: the table has {new Table(ours).GetInfo().Rows} rows.");
            table.Add("lockstep sync again, nothing new", true, Sync(dialect, host.Uri, ours));
        }

        return table;
    }

    /// <summary>
    /// Polls ever longer lists again, with all of their items unchanged: memory stays flat, and nothing is written
    /// (<c>polls [rounds] [items]...</c>).
    /// </summary>
    public static IEnumerable<ComparisonTable> Polls(int rounds, IEnumerable<int> sizes)
    {
        var node = Node();
        foreach (var items in sizes)
        {
            using var folder = new BenchFolder();
            using var host = new Host("Rest", items);
            var table = new ComparisonTable(
                string.Create(CultureInfo.InvariantCulture, $"A list of {items:#,0} items, polled again unchanged"),
                PollLimit
            );
            string ours = folder["ours.db"],
                theirs = folder["node.db"];
            Measured.Run(node, ["-e", Script, "Rest", host.Uri, theirs]);
            table.Add("lockstep sync, the first load", true, Sync("Rest", host.Uri, ours));
            var (sequence, size) = (new Table(ours).GetInfo().Sequence, new FileInfo(ours).Length);
            for (var round = 0; round < rounds; round++)
            {
                table.Add(PollLimit, false, Measured.Run(node, ["-e", Script, "Rest", host.Uri, theirs, "differ"]));
                table.Add("lockstep sync again", true, Sync("Rest", host.Uri, ours));
                var (written, grown) = (new Table(ours).GetInfo().Sequence - sequence, new FileInfo(ours).Length - size);
                if (written > 0 || grown > MostGrowth)
                    throw new InvalidOperationException($"The poll wrote {written} records, and the file grew by {grown} bytes.");
            }

            yield return table;
        }
    }

    private static Measured Sync(string dialect, string uri, string file) =>
        Measured.Run(EndToEndRun.Lockstep, ["sync", uri, "--dialect", dialect, "--path", file, "--quiet"]);

    private sealed class BenchFolder : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lockstep-bench-");

        public string this[string name] => Path.Combine(_folder.FullName, name);

        public void Empty()
        {
            foreach (var file in _folder.EnumerateFiles())
                file.Delete();
        }

        public void Dispose() => _folder.Delete(recursive: true);
    }

    private sealed class Host : IDisposable
    {
        private readonly Process _process;

        public Host(string dialect, int items)
        {
            string[] arguments = ["dialect-host", dialect, items.ToString(CultureInfo.InvariantCulture)];
            _process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true })!;
            Uri = _process.StandardOutput.ReadLine() + DialectPages.Feeds[dialect];
        }

        public string Uri { get; }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    /// <summary>
    /// What a competent script would do for each server: follow its pages, parse them, upsert the records, one transaction.
    /// </summary>
    private const string Script = """
        const http = require('http'), Database = require('better-sqlite3');
        const [, dialect, feed, file, differ] = process.argv, db = new Database(file), agent = new http.Agent({ keepAlive: true });
        db.pragma('journal_mode=WAL'); db.pragma('synchronous=NORMAL'); db.pragma('cache_size=-65536');
        db.exec('CREATE TABLE IF NOT EXISTS row(key TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID');
        const upsert = db.prepare('INSERT INTO row VALUES(?,?) ON CONFLICT(key) DO UPDATE SET body=excluded.body'
          + (differ ? ' WHERE body<>excluded.body' : ''));
        const put = (key, record) => upsert.run(key, JSON.stringify(record));
        const get = uri => new Promise((done, fail) => http.get(uri, { agent }, r => {
          const parts = []; r.on('data', d => parts.push(d));
            r.on('end', () => done({ headers: r.headers, body: JSON.parse(Buffer.concat(parts)) })); r.on('error', fail);
        }));
        const at = (name, value) => { const uri = new URL(feed); uri.searchParams.set(name, value); return uri; };
        const ways = {
          async ODataDelta() { for (let uri = feed; uri;) {
            const { body } = await get(uri);
            for (const r of body.value) put(r.id, r);
            uri = body['@odata.nextLink']; } },
          async Rest() { for (let uri = feed; uri;) {
            const { headers, body } = await get(uri);
            for (const r of body) put(r.id, r);
            uri = /<([^>]*)>; rel="next"/.exec(headers.link ?? '')?.[1]; } },
          async Kubernetes() { for (let uri = feed; uri;) {
            const { body } = await get(uri);
            for (const r of body.items) put(r.metadata.uid, { kind: 'Pod', apiVersion: 'v1', ...r });
            uri = body.metadata.continue && at('continue', body.metadata.continue); } },
          async CouchDb() { for (let since = '0', more = true; more;) {
            const uri = at('since', since); uri.searchParams.set('include_docs', 'true');
            const { body } = await get(uri);
            for (const r of body.results) put(r.id, r.doc);
            since = body.last_seq; more = body.pending > 0; } },
          async Shape() { for (let offset = '-1', more = true; more;) {
            const { headers, body } = await get(at('offset', offset));
            for (const r of body) put(r.key, r.value);
            offset = headers['electric-offset']; more = headers['electric-up-to-date'] === undefined; } },
          async DurableStream() { for (let offset = '-1', more = true; more;) {
            const { headers, body } = await get(at('offset', offset));
            for (const r of body) put(r.id, r);
            offset = headers['stream-next-offset']; more = headers['stream-up-to-date'] === undefined; } },
          EventStream: () => new Promise((done, fail) => http.get(feed, r => {
            let rest = ''; r.setEncoding('utf8'); r.on('error', fail); r.on('end', done);
            r.on('data', d => { const events = (rest + d).split('\n\n'); rest = events.pop();
              for (const e of events) { const data = e.slice(e.indexOf('\ndata: ') + 7), o = JSON.parse(data); upsert.run(o.id, data); } });
          })),
        };
        db.exec('BEGIN');
        ways[dialect]().then(() => { db.exec('COMMIT'); db.close(); agent.destroy(); });
        """;
}
