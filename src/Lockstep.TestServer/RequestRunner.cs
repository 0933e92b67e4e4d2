using System.Collections.Concurrent;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer;

/// <summary>
/// Has requests answered: logs each, lets the faults meant for it take part, and ends its connection as it has to end. Thread-safe.
/// </summary>
internal sealed class RequestRunner(RequestLog log, FaultList faults, TimeProvider time, IFeed feed, Pulse changed)
{
    private readonly ConcurrentDictionary<TestRequest, OpenRequest> _open = new();
    private readonly SentTotals<TestRequest> _sent = new();

    public delegate Task Serve(HttpContext context, TestRequest log, CancellationToken cancellationToken);

    /// <summary>How many are being answered.</summary>
    public int OpenCount => _open.Count;

    /// <summary>Those that are being answered, at this moment.</summary>
    public ICollection<TestRequest> Open => _open.Keys;

    /// <summary>Records and bytes sent since the start.</summary>
    public (long Records, long Bytes) Sent => _sent.Now;

    /// <summary>Ends all that are being answered.</summary>
    /// <returns>How many there were.</returns>
    public int Close(CutKind how)
    {
        OpenRequest[] open = [.. _open.Values];
        foreach (var request in open)
            request.Close(how);
        return open.Length;
    }

    public async Task RunAsync(HttpContext context, Serve serve, CancellationToken stopping)
    {
        var entry = log.Begin(context.Request, feed.CursorOf(context.Request));
        using OpenRequest open = new(context.RequestAborted, stopping);
        _open[entry] = open;
        _sent.Begin(entry);
        changed.Raise();
        CutKind? cut = null;
        try
        {
            cut = await RunAsync(context, entry, serve, open, stopping).ConfigureAwait(false);
        }
        finally
        {
            _open.TryRemove(entry, out _);
            _sent.End(entry);
            changed.Raise();
        }
        if (cut is not { } how)
            return;
        await HostedConnection.Of(context.Features).EndAsync(how).ConfigureAwait(false);
        // Kestrel must not add a word: the end of a body can complete a snapshot (I6).
        context.Abort();
    }

    /// <returns>How the connection is to be ended; null to leave that to Kestrel.</returns>
    private async Task<CutKind?> RunAsync(HttpContext context, TestRequest entry, Serve serve, OpenRequest open, CancellationToken stopping)
    {
        try
        {
            var faulted = faults.Select(context, entry, time, feed);
            await (faulted?.Answer is { } answer ? answer(open.Ended) : serve(context, entry, open.Ended)).ConfigureAwait(false);
            if (faulted is not null)
                await faulted.CompleteAsync(open.Ended).ConfigureAwait(false);
            entry.Status = context.Response.StatusCode;
            entry.End(RequestEnding.Completed);
            return faulted is null ? null : CutKind.Fin;
        }
        catch (ResponseEndedException end)
        {
            entry.End(end.Ending);
            return end.How;
        }
        catch (Exception error) when (error is OperationCanceledException or ConnectionAbortedException or ConnectionResetException)
        {
            var ending =
                open.Closed is not null ? RequestEnding.Cut
                : stopping.IsCancellationRequested ? RequestEnding.ServerStopped
                : RequestEnding.ClientClosed;
            entry.End(ending);
            // With a FIN the client can still read all that was sent; one that is gone needs none.
            return open.Closed ?? (ending == RequestEnding.ServerStopped ? CutKind.Fin : CutKind.Reset);
        }
        catch (Exception error)
        {
            entry.Status = StatusCodes.Status500InternalServerError;
            entry.End(RequestEnding.Failed, error.Message);
            throw;
        }
    }
}

/// <summary>A request that is being answered, and the way to end it early.</summary>
internal sealed class OpenRequest(CancellationToken aborted, CancellationToken stopping) : IDisposable
{
    private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(aborted, stopping);
    private readonly Lock _gate = new();
    private bool _disposed;

    /// <summary>Signalled when the client is gone, the server stops, or the request was closed.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>How it was closed; null when it was not.</summary>
    public CutKind? Closed { get; private set; }

    public void Close(CutKind how)
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            Closed = how;
        }
        _ = _ended.CancelAsync();
    }

    public void Dispose()
    {
        lock (_gate)
            _disposed = true;
        _ended.Dispose();
    }
}
