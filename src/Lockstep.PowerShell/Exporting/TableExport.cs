using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Records;

namespace Lockstep.Exporting;

/// <summary>Writes a table's records to a file, as of one moment. The file gets its name once it is complete.</summary>
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

    /// <summary>The format to use for a file.</summary>
    /// <exception cref="InvalidOptionException">Its extension matches no format: the file would not be what its name says.</exception>
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
    /// <param name="force">Overwrites an existing file, unless it is a table.</param>
    /// <param name="warn">Called with what could not be exported.</param>
    /// <param name="cancellationToken">Gives up; it then leaves no file.</param>
    /// <exception cref="InvalidOptionException">The file exists.</exception>
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

        if (System.IO.Path.GetDirectoryName(file) is { Length: > 0 } folder && MissingFolder.Describe(folder) is { } wrong)
            throw new InvalidOptionException(wrong, $"{MissingFolder.Advice(folder)} a file in a folder that exists with -Destination.");

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

        var fields = table.GetInfo().Fields;
        var names = new PropertyNames(fields);
        if (names.FirstRenamed is { } renamed)
        {
            warn(
                $"The column of the field '{renamed.Field}' is called '{renamed.Property}', since PowerShell does not read "
                    + "columns whose names differ only by case. NDJSON has the fields as they are."
            );
        }

        if (properties is not null)
        {
            var columns = Select(fields, names, properties);
            return new CsvExport(target, [.. columns.Select(c => c.Field)], [.. columns.Select(c => c.Header)], unknown: null);
        }

        return new CsvExport(
            target,
            fields,
            [.. fields.Select((_, i) => names[i])],
            field => warn($"The field '{field}' is not in the file: a table knows the names of its first 500 fields. NDJSON has them all.")
        );
    }

    /// <summary>A name that is not a field becomes an empty column, so that files of the same kind look alike.</summary>
    private static IReadOnlyList<(string Field, string Header)> Select(
        IReadOnlyList<string> fields,
        PropertyNames names,
        IReadOnlyList<string> wanted
    )
    {
        var columns = new List<(string Field, string Header)>();
        foreach (var name in wanted)
        {
            var matching = Matching(name);
            if (matching.Length == 0 && !WildcardPattern.ContainsWildcardCharacters(name))
                columns.Add((name, name));
            columns.AddRange(matching.Select(i => (fields[i], names[i])));
        }

        return [.. columns.DistinctBy(column => column.Field)];

        int[] Matching(string name)
        {
            // A name as the field spells it means that field, also where another one that differs by case comes first.
            if (fields.ToList().IndexOf(name) is >= 0 and var exact)
                return [exact];
            int[] literal = [.. Enumerable.Range(0, fields.Count).Where(i => names[i].Equals(name, StringComparison.OrdinalIgnoreCase))];
            if (literal.Length > 0)
                return literal;
            var pattern = WildcardPattern.Get(name, PatternOptions.AnyCase);
            return [.. Enumerable.Range(0, fields.Count).Where(i => pattern.IsMatch(names[i]))];
        }
    }
}
