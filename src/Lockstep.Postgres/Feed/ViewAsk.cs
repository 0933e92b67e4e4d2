namespace Lockstep.Postgres.Feed;

/// <summary>A client waiting for a view to be read. The reader may run on another thread than the client.</summary>
/// <param name="pieces">Receives the rows; owned by the client, which closes this first.</param>
/// <param name="since">The client's cursor: it wants rows labelled with this or later; 0 for all rows.</param>
/// <param name="asked">When it asked, as a timestamp.</param>
/// <param name="stop">The client has gone.</param>
internal sealed class ViewAsk(RowSpill pieces, long since, long asked, CancellationToken stop) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly TaskCompletionSource<FeedStamp> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isClosed;

    public long Since => since;

    public long Asked => asked;

    /// <summary>Whether rows were sent, so that the read cannot be restarted.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether nobody is waiting any more.</summary>
    public bool IsOver => _done.Task.IsCompleted || stop.IsCancellationRequested;

    /// <summary>What was read, once all of it has been written.</summary>
    public Task<FeedStamp> Done => _done.Task;

    /// <summary>Passes on rows. A client that cannot take them fails on its own.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> piece)
    {
        if (IsOver)
            return;
        await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            if (_isClosed)
                return;
            HasBegun = true;
            await pieces.WriteAsync(piece, stop).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // The error is the client's.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Fail(e);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Complete(FeedStamp stamp) => _done.TrySetResult(stamp);

    public void Fail(Exception error) => _done.TrySetException(error);

    /// <summary>Returns once nothing more is written; <c>stop</c> must have been cancelled.</summary>
    public async ValueTask DisposeAsync()
    {
        // Not disposed itself: a late writer finds it closed.
        await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        _isClosed = true;
        _turn.Release();
        if (!_done.TrySetCanceled(CancellationToken.None))
            _ = _done.Task.Exception;
    }
}
