using System.Management.Automation;
using System.Threading.Channels;
using Lockstep.Engine.Tables;
using Lockstep.Pipeline;

namespace Lockstep.Records;

/// <summary>
/// Creates the objects of a scan on the thread pool, some records ahead of the pipeline, which meanwhile processes earlier ones: each takes
/// about half of the time of reading a large table. Objects that the pipeline does not take are not created.
/// </summary>
internal sealed class RecordsAhead : IDisposable
{
    // Enough that the two seldom wait for each other, and few enough to die young in the garbage collector.
    private const int MostRecords = 64;
    private const int MostBatches = 3;

    private readonly Channel<List<object>> _batches = Channel.CreateBounded<List<object>>(
        new BoundedChannelOptions(MostBatches) { SingleReader = true, SingleWriter = true }
    );
    private readonly CancellationTokenSource _stop = new();
    private readonly IRecordScan _scan;
    private readonly RecordObjects _objects;
    private readonly Task _making;
    private List<object> _batch = new(MostRecords);

    /// <param name="scan">The records; nothing else may read them until this is disposed.</param>
    /// <param name="objects">Creates their objects; its warnings go to <see cref="Warn"/>.</param>
    public RecordsAhead(IRecordScan scan, RecordObjects objects)
    {
        (_scan, _objects) = (scan, objects);
        _making = Task.Run(MakeAsync);
    }

    /// <summary>Writes a warning before the record it is about.</summary>
    public void Warn(string text) => _batch.Add(text);

    /// <summary>Writes all remaining records. Pipeline thread.</summary>
    public void WriteTo(LockstepCmdlet cmdlet)
    {
        var batches = _batches.Reader;
        while (LockstepCmdlet.Await(batches.WaitToReadAsync()))
        {
            while (batches.TryRead(out var batch))
            {
                foreach (var item in batch)
                {
                    if (cmdlet.Stopping)
                        return;
                    if (item is string warning)
                        cmdlet.WriteWarning(warning);
                    else
                        cmdlet.WriteObject(item);
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        // It ends soon, within a record, and without an error: errors belong to the reader.
        _making.GetAwaiter().GetResult();
        _stop.Dispose();
    }

    private async Task MakeAsync()
    {
        try
        {
            try
            {
                while (!_stop.IsCancellationRequested && _scan.Read())
                {
                    _batch.Add(_objects.Read(_scan));
                    if (_batch.Count >= MostRecords)
                        await PassOnAsync();
                }
            }
            finally
            {
                // Records that could be read are written before an error, even if that has to wait for the pipeline.
                await PassOnAsync();
            }

            _batches.Writer.Complete();
        }
        catch (Exception error)
        {
            _batches.Writer.Complete(error);
        }
    }

    private async ValueTask PassOnAsync()
    {
        var full = _batch;
        _batch = new List<object>(MostRecords);
        await _batches.Writer.WriteAsync(full, _stop.Token);
    }
}
