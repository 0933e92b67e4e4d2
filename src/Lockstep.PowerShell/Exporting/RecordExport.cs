using Lockstep.Engine.Tables;

namespace Lockstep.Exporting;

/// <summary>Writes records in a format. One thread at a time; disposing it writes the rest, and closes the file.</summary>
internal interface IRecordExport : IDisposable
{
    /// <summary>Writes the scan's current record.</summary>
    void Write(IRecordScan record);
}

/// <summary>Writes records one a line, as they came.</summary>
internal sealed class NdjsonExport(Stream target) : IRecordExport
{
    private byte[] _line = new byte[4096];

    public void Write(IRecordScan record)
    {
        var json = record.Json;
        if (_line.Length <= json.Length)
            _line = new byte[json.Length * 2];

        // A feed may break its lines within a record. Outside of texts, where JSON has no line breaks, a space means the same.
        json.CopyTo(_line);
        _line.AsSpan(0, json.Length).Replace((byte)'\n', (byte)' ');
        _line.AsSpan(0, json.Length).Replace((byte)'\r', (byte)' ');
        _line[json.Length] = (byte)'\n';
        target.Write(_line, 0, json.Length + 1);
    }

    public void Dispose() => target.Dispose();
}
