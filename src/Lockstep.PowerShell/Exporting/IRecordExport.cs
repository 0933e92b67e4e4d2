using Lockstep.Engine.Tables;

namespace Lockstep.Exporting;

/// <summary>Writes records in a format. One thread at a time; disposing it writes the rest, and closes the file.</summary>
internal interface IRecordExport : IDisposable
{
    /// <summary>Writes the scan's current record.</summary>
    void Write(IRecordScan record);
}
