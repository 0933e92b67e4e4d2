using System.Diagnostics;
using Lockstep.Bench.Parts;
using Lockstep.Bench.Report;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Bench.EndToEnd;

/// <summary>
/// Reads a million rows back: as bytes, as typed objects, as dictionaries, and beside them node and PowerShell if they are installed.
/// </summary>
internal static class ReadRun
{
    private const string Limit = "scan, bytes only";

    /// <summary>At least as many rows pass the filter.</summary>
    private const long Passing = 980_000;

    public static ComparisonTable Table(int rounds)
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            var contestants = Contestants(Fill(folder.FullName)).ToList();
            var table = new ComparisonTable("Reading 1,000,000 rows", Limit);
            for (var round = 0; round <= rounds; round++)
            {
                foreach ((var name, var run) in contestants)
                {
                    var took = run();
                    // The first round warms up the JIT and the file cache.
                    if (round > 0)
                        table.Add(name, !name.StartsWith("node", StringComparison.Ordinal), new Measured(took, 0, 0));
                }
            }

            return table;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Fill(string folder)
    {
        string file = Path.Combine(folder, "F2.ndjson"),
            database = Path.Combine(folder, "rows.db");
        using (var output = new BufferedStream(File.Create(file), 1 << 20))
            BenchFeed.Write("F2", output);
        using var host = new EndToEndRun.HostProcess(file, 1);
        Measured.Run(EndToEndRun.Lockstep, ["sync", host.Uri, "--path", database, "--quiet"]);
        return database;
    }

    private static IEnumerable<(string Name, Func<double> Run)> Contestants(string database)
    {
        var table = new Table(database);
        yield return (
            Limit,
            () =>
                Time(() =>
                {
                    using var scan = table.Read();
                    long bytes = 0;
                    while (scan.Read())
                        bytes += scan.Json.Length;
                    return bytes;
                })
        );
        yield return (
            "-Filter 'port > 1000', which most rows pass",
            () =>
                Time(
                    () =>
                    {
                        using var scan = table.Read(new RecordQuery { Filter = "port > 1000" });
                        long count = 0;
                        while (scan.Read())
                            count += scan.Json.Length > 0 ? 1 : 0;
                        return count;
                    },
                    Passing
                )
        );
        yield return (
            "the same predicate, SQLite alone",
            () =>
            {
                using var connection = new SqliteConnection($"Data Source={database};Mode=ReadOnly;Pooling=False");
                connection.Open();
                return Time(
                    () =>
                    {
                        using var rows = new Statement(
                            connection,
                            "SELECT body FROM lockstep_row WHERE gone = 0 AND json_extract(body, '$.port') > 1000 ORDER BY key"
                        );
                        long count = 0;
                        while (rows.Step())
                            count += rows.Bytes(0).Length > 0 ? 1 : 0;
                        return count;
                    },
                    Passing
                );
            }
        );
        yield return ("Table.Read<T>", () => Time(() => table.Read(HostContext.Default.Host).LongCount()));
        yield return (
            "dictionaries by RecordReader",
            () =>
                Time(() =>
                {
                    var reader = new RecordReader(new Dictionaries());
                    using var scan = table.Read();
                    long count = 0;
                    while (scan.Read())
                        count += reader.Read(scan.Json) is not null ? 1 : 0;
                    return count;
                })
        );
        if (EndToEndRun.Tool.Find("node") is { } node && EndToEndRun.Tool.HasNodeModule(node, "better-sqlite3"))
        {
            yield return (
                "node, better-sqlite3 and JSON.parse",
                () => Measured.Run(node, ["-e", Node, database], takesPrintedTime: true).Seconds
            );
        }

        if (EndToEndRun.Tool.Find("pwsh") is { } pwsh && EndToEndRun.StagedModule is { } module)
        {
            yield return (
                "pwsh, Get-LockstepRecord | Out-Null",
                () =>
                    PowerShell(
                        pwsh,
                        $"Import-Module '{module}'; $null = Get-LockstepRecord -Path '{database}' -First 1",
                        $"Get-LockstepRecord -Path '{database}' | Out-Null"
                    )
            );
            yield return (
                "pwsh, as many objects from memory | Out-Null",
                () =>
                    PowerShell(
                        pwsh,
                        "",
                        "& { for ($i = 0; $i -lt 1000000; $i++) { [pscustomobject]@{ id = $i; updated_at = $i; deleted_at "
                            + "= $null; ip = '10.0.0.1'; port = 80 } } } | Out-Null"
                    )
            );
        }
    }

    private static double PowerShell(string pwsh, string before, string timed) =>
        Measured
            .Run(
                pwsh,
                [
                    "-NoProfile",
                    "-NonInteractive",
                    "-Command",
                    $"{before}; $w = [Diagnostics.Stopwatch]::StartNew(); {timed}; "
                        + $"$w.Elapsed.TotalSeconds.ToString([cultureinfo]::InvariantCulture)",
                ],
                takesPrintedTime: true
            )
            .Seconds;

    private const string Node = """
        const Database = require('better-sqlite3'), start = process.hrtime.bigint();
        let count = 0;
        const rows = new Database(process.argv[1], { readonly: true }).prepare('SELECT body FROM lockstep_row WHERE gone = 0 ORDER BY key');
        for (const row of rows.iterate()) count += JSON.parse(row.body) ? 1 : 0;
        console.log(Number(process.hrtime.bigint() - start) / 1e9);
        """;

    private static double Time(Func<long> work, long rows = 1_000_000)
    {
        var start = Stopwatch.GetTimestamp();
        if (work() < rows)
            throw new InvalidOperationException("Rows are missing.");
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Makes each record a dictionary.</summary>
    private sealed class Dictionaries : IRecordFactory
    {
        public object Create(FieldNames names, ReadOnlySpan<object?> values, int depth)
        {
            var record = new Dictionary<string, object?>(values.Length, StringComparer.Ordinal);
            var i = 0;
            foreach (var name in names)
                record[name] = values[i++];
            return record;
        }
    }
}
