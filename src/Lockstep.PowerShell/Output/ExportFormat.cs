namespace Lockstep;

/// <summary>How exported records are written.</summary>
public enum ExportFormat
{
    /// <summary>By the file's extension: <c>.csv</c> for CSV, <c>.json</c> for JSON, else NDJSON.</summary>
    Auto,

    /// <summary>One JSON object per line, as received.</summary>
    Ndjson,

    /// <summary>One JSON array.</summary>
    Json,

    /// <summary>Comma-separated values with a header line.</summary>
    Csv,
}
