using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Exporting;

/// <summary>Writes a table's records to a file, as of one moment. The file gets its name when it is whole.</summary>
/// <param name="table">The table.</param>
/// <param name="query">Which records.</param>
/// <param name="format">How they are written.</param>
/// <param name="properties">The only fields wanted, in this order, wildcards allowed; null for all. For CSV only.</param>
internal sealed class TableExport(ITable table, RecordQuery query, ExportFormat format, IReadOnlyList<string>? properties)
{
    private const int BufferSize = 1 << 16;

    /// <summary>The extension of a format's files.</summary>
    public static string ExtensionOf(ExportFormat format) =>
        format switch
        {
            ExportFormat.Csv => ".csv",
            ExportFormat.Json => ".json",
            _ => ".ndjson",
        };

    /// <summary>The format that is meant for a file.</summary>
    /// <exception cref="InvalidOptionException">Its extension tells of none of them: the file would not be what its name says.</exception>
    public static ExportFormat Resolve(ExportFormat format, string file) =>
        format != ExportFormat.Auto
            ? format
            : System.IO.Path.GetExtension(file).ToUpperInvariant() switch
            {
                ".CSV" => ExportFormat.Csv,
                ".JSON" => ExportFormat.Json,
                "" or ".NDJSON" or ".JSONL" or ".TXT" => ExportFormat.Ndjson,
                var other => throw new InvalidOptionException(
                    $"'{other.ToLowerInvariant()}' is not an export format.",
                    "Give -Format Ndjson, Json or Csv, or a -Destination that ends so. For Parquet and others, see docs/OTHER-TOOLS.md."
                ),
            };

    /// <summary>Writes the file.</summary>
    /// <param name="file">Its full path.</param>
    /// <param name="force">Overwrites a file that is there, unless it is a table.</param>
    /// <param name="warn">Told of what could not be exported.</param>
    /// <param name="cancellationToken">Gives up; there is no file then.</param>
    /// <exception cref="InvalidOptionException">There is a file.</exception>
    public void Write(string file, bool force, Action<string> warn, CancellationToken cancellationToken)
    {
        if (Table.IsTable(file))
            throw new InvalidOptionException($"'{file}' is a table.", "Give another -Destination; Remove-LockstepTable removes a table.");
        if (File.Exists(file) && !force)
        {
            throw new InvalidOptionException(
                $"The file '{file}' already exists.",
                "Give another -Destination, or overwrite it with -Force."
            );
        }

        using var unfinished = new UnfinishedFile(file);
        WriteAll(unfinished.Stream, warn, cancellationToken);
        unfinished.Complete();
    }

    private void WriteAll(Stream target, Action<string> warn, CancellationToken cancellationToken)
    {
        using var records = table.Read(query);
        using var export = Open(new BufferedStream(target, BufferSize), warn);
        while (records.Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            export.Write(records);
        }
    }

    private IRecordExport Open(Stream target, Action<string> warn)
    {
        if (format == ExportFormat.Json)
            return new JsonExport(target);
        if (format != ExportFormat.Csv)
            return new NdjsonExport(target);

        return properties is null
            ? new CsvExport(
                target,
                table.GetInfo().Fields,
                field =>
                    warn($"The field '{field}' is not in the file: a table knows the names of its first 500 fields. NDJSON has them all.")
            )
            : new CsvExport(target, Select(table.GetInfo().Fields, properties), unknown: null);
    }

    /// <summary>A name that is no field becomes an empty column, so that files of one kind look alike.</summary>
    private static IReadOnlyList<string> Select(IReadOnlyList<string> fields, IReadOnlyList<string> wanted) =>
        [
            .. wanted
                .SelectMany(name =>
                    WildcardPattern.ContainsWildcardCharacters(name)
                        ? fields.Where(WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch)
                        : [fields.FirstOrDefault(field => field.Equals(name, StringComparison.OrdinalIgnoreCase)) ?? name]
                )
                .Distinct(StringComparer.Ordinal),
        ];
}
