using System.Diagnostics;
using System.Globalization;
using Lockstep.Bench.Report;

namespace Lockstep.Bench.EndToEnd;

/// <summary>
/// From HTTP to a durable table, whole processes, ours beside a limit and peers on the same feeds: interleaved, so that a noisy machine is
/// noisy for all, and reported as medians and ratios.
/// </summary>
internal static class EndToEndRun
{
    private static readonly string Self = Environment.ProcessPath!;

    private const string Limit = "raw SQLite loop, from memory";

    /// <param name="rounds">How often each contestant runs.</param>
    /// <param name="feeds">The feeds to run; empty for all.</param>
    public static IEnumerable<ComparisonTable> Tables(int rounds, IReadOnlyList<string> feeds)
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            foreach (var feed in feeds.Count > 0 ? feeds : BenchFeed.Names)
                yield return RunFeed(folder.FullName, feed, rounds);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static ComparisonTable RunFeed(string folder, string feed, int rounds)
    {
        var file = Path.Combine(folder, feed + ".ndjson");
        using (var output = new BufferedStream(File.Create(file), 1 << 20))
            BenchFeed.Write(feed, output);
        using var host = new HostProcess(file, 1);
        var contestants = Contestants(folder, file, host.Uri).ToList();
        var table = new ComparisonTable(feed, Limit);
        for (var round = 0; round < rounds; round++)
        {
            foreach (var contestant in contestants)
            {
                contestant.Prepare();
                table.Add(
                    contestant.Name,
                    contestant.IsOurs,
                    Measured.Run(contestant.Program, contestant.Arguments, contestant.PrintsTime)
                );
            }
        }

        return table;
    }

    private static IEnumerable<Contestant> Contestants(string folder, string file, string uri)
    {
        string Database(string name) => Path.Combine(folder, name + ".db");
        void Remove(string name)
        {
            foreach (var suffix in (string[])["", "-wal", "-shm", "-lock"])
                File.Delete(Database(name) + suffix);
        }

        yield return new Contestant(
            "lockstep sync, whole process",
            Lockstep,
            ["sync", uri, "--path", Database("ours"), "--quiet"],
            () => Remove("ours")
        );
        yield return new Contestant(
            "lockstep sync --memory-limit 128MB",
            Lockstep,
            ["sync", uri, "--path", Database("limited"), "--quiet", "--memory-limit", "128MB"],
            () => Remove("limited")
        );
        yield return new Contestant(Limit, Self, ["raw", file, Database("raw")], () => Remove("raw")) { PrintsTime = true };
        yield return new Contestant(
            "raw SQLite loop, sorted by key",
            Self,
            ["raw", file, Database("sorted"), "sorted"],
            () => Remove("sorted")
        )
        {
            PrintsTime = true,
        };
        yield return new Contestant(
            "lockstep sync again, nothing new",
            Lockstep,
            ["sync", uri, "--path", Database("ours"), "--quiet"],
            () => { }
        );
        if (Tool.Find("python3") is { } python)
        {
            yield return new Contestant(
                "python, urllib + sqlite3, one transaction",
                python,
                ["-c", Peers.Python, uri, Database("python")],
                () => Remove("python")
            );
        }

        if (Tool.Find("node") is { } node && Tool.HasNodeModule(node, "better-sqlite3"))
        {
            yield return new Contestant(
                "node, http + better-sqlite3, one transaction",
                node,
                ["-e", Peers.Node, uri, Database("node")],
                () => Remove("node")
            );
        }

        if (Tool.Find("node") is { } duck && Tool.HasNodeModule(duck, "@duckdb/node-api"))
        {
            yield return new Contestant(
                "DuckDB, read_json and the newest row of each id",
                duck,
                ["-e", Peers.DuckDb, uri, Database("duckdb")],
                () => Remove("duckdb")
            );
        }

        if (Tool.Find("pwsh") is { } pwsh && StagedModule is { } module)
        {
            var script =
                $"Import-Module '{module}'; $w = [Diagnostics.Stopwatch]::StartNew(); Sync-LockstepTable -Uri {uri} -Path "
                + $"'{Database("pwsh")}' | Out-Null; $w.Elapsed.TotalSeconds.ToString([cultureinfo]::InvariantCulture)";
            yield return new Contestant(
                "pwsh, Sync-LockstepTable alone",
                pwsh,
                ["-NoProfile", "-NonInteractive", "-Command", script],
                () => Remove("pwsh")
            )
            {
                PrintsTime = true,
            };
        }
    }

    /// <summary>
    /// The command line: the published one, compiled ahead of time (<c>./build.ps1 Program</c>), else the one built beside this program.
    /// </summary>
    internal static string Lockstep
    {
        get
        {
            var name = OperatingSystem.IsWindows() ? "lockstep.exe" : "lockstep";
            string[] places = [Path.Combine(Root, "out", "cli", name), Path.Combine(AppContext.BaseDirectory, name)];
            return places.FirstOrDefault(File.Exists)
                ?? throw new FileNotFoundException("Build the solution first: the command line is not there.", places[1]);
        }
    }

    /// <summary>The staged module; null if it was not built.</summary>
    internal static string? StagedModule => Path.Combine(Root, "out", "Lockstep") is var folder && Directory.Exists(folder) ? folder : null;

    /// <summary>The repository's folder.</summary>
    internal static string Root
    {
        get
        {
            var folder = AppContext.BaseDirectory;
            while (folder is not null && !File.Exists(Path.Combine(folder, "Lockstep.PS.sln")))
                folder = Path.GetDirectoryName(folder);
            return folder ?? throw new DirectoryNotFoundException("Run the benchmarks from the repository.");
        }
    }

    private sealed record Contestant(string Name, string Program, IReadOnlyList<string> Arguments, Action Prepare)
    {
        public bool PrintsTime { get; init; }

        /// <summary>Whether it is Lockstep, not a limit or a peer.</summary>
        public bool IsOurs => Program == Lockstep || Name.StartsWith("pwsh", StringComparison.Ordinal);
    }

    /// <summary>The feed's server, in its own process.</summary>
    internal sealed class HostProcess : IDisposable
    {
        private readonly Process _process;

        public HostProcess(string file, long repeats)
        {
            _process = Process.Start(
                new ProcessStartInfo(Self, ["host", file, repeats.ToString(CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true }
            )!;
            Uri = $"http://127.0.0.1:{_process.StandardOutput.ReadLine()}/feed/";
        }

        public string Uri { get; }

        public void Dispose()
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    internal static class Tool
    {
        public static string? Find(string name) =>
            (Environment.GetEnvironmentVariable("PATH") ?? "")
                .Split(Path.PathSeparator)
                .Select(folder => Path.Combine(folder, name))
                .FirstOrDefault(File.Exists);

        public static bool HasNodeModule(string node, string module)
        {
            using var probe = Process.Start(new ProcessStartInfo(node, ["-e", $"require('{module}')"]) { RedirectStandardError = true })!;
            probe.WaitForExit();
            return probe.ExitCode == 0;
        }
    }

    /// <summary>What a competent script would do: stream, parse, upsert, one transaction.</summary>
    private static class Peers
    {
        public const string Python = """
            import json, sqlite3, sys, urllib.request
            db = sqlite3.connect(sys.argv[2], isolation_level=None)
            db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA synchronous=NORMAL"); db.execute("PRAGMA cache_size=-65536")
            db.execute("CREATE TABLE row(key INTEGER PRIMARY KEY, ord INTEGER, gone INTEGER, body TEXT)")
            db.execute("BEGIN")
            def rows():
                with urllib.request.urlopen(sys.argv[1] + "0") as feed:
                    for line in feed:
                        r = json.loads(line)
                        yield r["id"], r["updated_at"], r["deleted_at"] is not None, line.decode()
            db.executemany("INSERT INTO row VALUES(?,?,?,?) ON CONFLICT(key) DO UPDATE SET ord=excluded.ord, gone=excluded.gone,"
                " body=excluded.body WHERE excluded.ord>=ord", rows())
            db.execute("COMMIT"); db.close()
            """;

        /// <summary>The body goes to a file first: DuckDB needs an extension, which it would download, to read HTTP.</summary>
        public const string DuckDb = """
            const http = require('http'), fs = require('fs'), { DuckDBInstance } = require('@duckdb/node-api');
            const [, uri, file] = process.argv, body = file + '.ndjson';
            http.get(uri + '0', r => r.pipe(fs.createWriteStream(body)).on('finish', async () => {
              const db = await (await DuckDBInstance.create(file)).connect();
              await db.run(`CREATE TABLE row AS SELECT * FROM read_json('${body}', format = 'newline_delimited')
                QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC) = 1`);
              db.closeSync(); fs.unlinkSync(body); process.exit(0);
            }));
            """;

        public const string Node = """
            const http = require('http'), Database = require('better-sqlite3');
            const [, uri, file] = process.argv, db = new Database(file);
            db.pragma('journal_mode=WAL'); db.pragma('synchronous=NORMAL'); db.pragma('cache_size=-65536');
            db.exec('CREATE TABLE row(key INTEGER PRIMARY KEY, ord INTEGER, gone INTEGER, body TEXT)');
            const put = db.prepare('INSERT INTO row VALUES(?,?,?,?) ON CONFLICT(key) DO UPDATE SET ord=excluded.ord, '
              + 'gone=excluded.gone, body=excluded.body WHERE excluded.ord>=ord');
            db.exec('BEGIN');
            let rest = '';
            http.get(uri + '0', r => { r.setEncoding('utf8');
              r.on('data', d => { const lines = (rest + d).split('\n'); rest = lines.pop();
                for (const l of lines) { const o = JSON.parse(l); put.run(o.id, o.updated_at, o.deleted_at === null ? 0 : 1, l); } });
              r.on('end', () => { db.exec('COMMIT'); db.close(); }); });
            """;
    }
}
