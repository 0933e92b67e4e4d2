using System.IO.Pipelines;
using Lockstep.Engine.Sync;

namespace Lockstep.Sync;

/// <summary>
/// An import whose records arrive one by one on the pipeline thread, while it writes on its own thread. When it falls behind, adding waits
/// for it, and handles its steps meanwhile. Pipeline thread only.
/// </summary>
internal sealed class PipelineImport : IDisposable
{
    private const int Ahead = 4 << 20;

    private readonly Pipe _pipe = new(
        new PipeOptions(pauseWriterThreshold: Ahead, resumeWriterThreshold: Ahead / 2, useSynchronizationContext: false)
    );
    private readonly CancellationTokenSource _stop;
    private readonly SyncStepHandler _handler;
    private readonly IAsyncEnumerator<SyncStep> _steps;
    private Task<bool>? _next;

    public PipelineImport(SyncOptions options, SyncStepHandler handler, CancellationToken cancellationToken)
    {
        _handler = handler;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _steps = new TableImport(options, _pipe.Reader.AsStream()).RunAsync(_stop.Token).GetAsyncEnumerator(_stop.Token);
    }

    /// <summary>Adds one record, as JSON.</summary>
    public void Add(ReadOnlySpan<byte> record)
    {
        var line = _pipe.Writer.GetSpan(record.Length + 1);
        record.CopyTo(line);
        line[record.Length] = (byte)'\n';
        _pipe.Writer.Advance(record.Length + 1);
        TakeStepsUntil(_pipe.Writer.FlushAsync(CancellationToken.None).AsTask());
    }

    /// <summary>Ends the records, and waits until all are in the table.</summary>
    public void Complete()
    {
        _pipe.Writer.Complete();
        while (TakeStep())
        {
            // Until there are no more.
        }
    }

    /// <summary>Ends the import; what was not committed is not in the table.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _next?.ContinueWith(static _ => { }, TaskScheduler.Default).Wait();
        _steps.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _stop.Dispose();
    }

    private void TakeStepsUntil(Task done)
    {
        while (!done.IsCompleted)
        {
            _next ??= _steps.MoveNextAsync().AsTask();
            Task.WaitAny(done, _next);
            if (_next.IsCompleted && !TakeStep())
                return;
        }
    }

    private bool TakeStep()
    {
        var next = _next ?? _steps.MoveNextAsync().AsTask();
        _next = null;
        if (!next.GetAwaiter().GetResult())
            return false;

        _handler.Take(_steps.Current);
        return true;
    }
}
