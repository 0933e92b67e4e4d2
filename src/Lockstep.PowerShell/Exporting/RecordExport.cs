using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Exporting;

/// <summary>Writes records in a format. One thread at a time; disposing it writes the rest, and closes the file.</summary>
internal interface IRecordExport : IDisposable
{
    /// <summary>Writes the scan's current record.</summary>
    void Write(IRecordScan record);
}

/// <summary>Writes records one per line, unchanged.</summary>
internal sealed class NdjsonExport(Stream target) : IRecordExport
{
    public void Write(IRecordScan record)
    {
        target.Write(JsonText.OnOneLine(record.CheckedJson));
        target.WriteByte((byte)'\n');
    }

    public void Dispose() => target.Dispose();
}

/// <summary>Writes records as one JSON array, one per line, unchanged.</summary>
internal sealed class JsonExport(Stream target) : IRecordExport
{
    private bool _hasRecord;

    public void Write(IRecordScan record)
    {
        target.Write(_hasRecord ? ",\n"u8 : "[\n"u8);
        target.Write(JsonText.OnOneLine(record.CheckedJson));
        _hasRecord = true;
    }

    public void Dispose()
    {
        target.Write(_hasRecord ? "\n]\n"u8 : "[]\n"u8);
        target.Dispose();
    }
}
