using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.Serving.Hosting;

/// <summary>A connection that keeps its place until its socket is closed. It is one of its own features.</summary>
internal sealed class CountedConnection : ConnectionContext
{
    private readonly ConnectionContext _connection;
    private Action? _left;

    /// <param name="connection">The connection; taken over.</param>
    /// <param name="isExcess">Whether it exceeds the limit, and only gets an answer that says so.</param>
    /// <param name="left">Called once, when its socket is closed.</param>
    public CountedConnection(ConnectionContext connection, bool isExcess, Action left)
    {
        (_connection, IsExcess, _left) = (connection, isExcess, left);
        Features.Set(this);
    }

    /// <summary>Whether the server already has the maximum number of connections without this one.</summary>
    public bool IsExcess { get; }

    /// <inheritdoc/>
    public override string ConnectionId
    {
        get => _connection.ConnectionId;
        set => _connection.ConnectionId = value;
    }

    /// <inheritdoc/>
    public override IFeatureCollection Features => _connection.Features;

    /// <inheritdoc/>
    public override IDictionary<object, object?> Items
    {
        get => _connection.Items;
        set => _connection.Items = value;
    }

    /// <inheritdoc/>
    public override IDuplexPipe Transport
    {
        get => _connection.Transport;
        set => _connection.Transport = value;
    }

    /// <inheritdoc/>
    public override CancellationToken ConnectionClosed
    {
        get => _connection.ConnectionClosed;
        set => _connection.ConnectionClosed = value;
    }

    /// <inheritdoc/>
    public override EndPoint? LocalEndPoint
    {
        get => _connection.LocalEndPoint;
        set => _connection.LocalEndPoint = value;
    }

    /// <inheritdoc/>
    public override EndPoint? RemoteEndPoint
    {
        get => _connection.RemoteEndPoint;
        set => _connection.RemoteEndPoint = value;
    }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason) => _connection.Abort(abortReason);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        try
        {
            await _connection.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Exchange(ref _left, null)?.Invoke();
            await base.DisposeAsync().ConfigureAwait(false);
        }
    }
}
