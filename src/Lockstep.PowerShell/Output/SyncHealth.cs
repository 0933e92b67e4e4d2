using System.Collections.Concurrent;
using EngineSyncResult = Lockstep.Engine.Sync.SyncResult;

namespace Lockstep;

/// <summary>
/// The health of a sync in this process: its last error, when the feed was last heard, when the table last changed. Kept after the table's
/// last sync has ended. Written by the thread that handles the sync's steps, read by any.
/// </summary>
/// <param name="result">What the sync has done so far.</param>
internal sealed class SyncHealth(Func<EngineSyncResult> result)
{
    private static readonly ConcurrentDictionary<(string Path, string Table), SyncHealth> OfTables = new();

    private volatile Reading _last = new(null, null, null, null);
    private Func<EngineSyncResult>? _result = result;
    private long _changes;

    /// <summary>The health of the table's newest sync in this process; null if there was none.</summary>
    /// <param name="path">The file's full path, or the description of the store.</param>
    /// <param name="table">The table's name.</param>
    public static SyncHealth? Find(string path, string table) => OfTables.GetValueOrDefault((path, table));

    /// <summary>Forgets it, together with the table.</summary>
    public static void Forget(string path, string table) => OfTables.TryRemove((path, table), out _);

    /// <summary>The last error; null if there was none. Kept after a recovery.</summary>
    public string? LastError => _last.Error;

    /// <summary>When the feed was last heard, by an answer or by a byte; null if it never was.</summary>
    public DateTimeOffset? LastContact => _last.Contact;

    /// <summary>When a change of the table was last seen to be committed; null if never.</summary>
    public DateTimeOffset? LastChange => _last.Change;

    /// <summary>When the feed last answered with records; null if it never did.</summary>
    public DateTimeOffset? ConnectedAt => _last.Connected;

    /// <summary>Records an event.</summary>
    /// <param name="happened">What happened.</param>
    /// <param name="at">When.</param>
    /// <returns>Whether something went wrong.</returns>
    public bool Note(FeedEvent happened, DateTimeOffset at)
    {
        var kind = happened.Kind;
        var wentWrong =
            kind
            is FeedEventKind.Close
                or FeedEventKind.SocketError
                or FeedEventKind.ClientError
                or FeedEventKind.ServerError
                or FeedEventKind.OtherStatus;
        var isAnswer = kind is FeedEventKind.Connect or FeedEventKind.Disconnect or FeedEventKind.Heartbeat;
        // An error status is still an answer.
        isAnswer |= wentWrong && kind is not (FeedEventKind.Close or FeedEventKind.SocketError);
        _last = new Reading(
            wentWrong ? happened.Message : _last.Error,
            isAnswer ? at : _last.Contact,
            _last.Change,
            kind == FeedEventKind.Connect ? at : _last.Connected
        );
        if (wentWrong || kind == FeedEventKind.Connect)
            Register();
        return wentWrong;
    }

    /// <summary>Notes the sync's progress.</summary>
    public void Note(EngineSyncResult reached)
    {
        var now = DateTimeOffset.UtcNow;
        var heard = now - reached.SinceLastByte;
        var changes = reached.Added + reached.Updated + reached.Deleted;
        _last = _last with
        {
            Contact = _last.Contact is { } known && !(heard > known) ? known : heard,
            Change = changes > _changes ? now : _last.Change,
        };
        _changes = changes;
        Register();
    }

    /// <summary>Records what ended the sync.</summary>
    public void Fail(string message)
    {
        _last = _last with { Error = message };
        Register();
    }

    /// <summary>The table's name is known once it is open. After that this no longer references the sync.</summary>
    private void Register()
    {
        if (_result?.Invoke() is not { Table: { Length: > 0 } table, Location: var path })
            return;

        OfTables[(path, table)] = this;
        _result = null;
    }

    private sealed record Reading(string? Error, DateTimeOffset? Contact, DateTimeOffset? Change, DateTimeOffset? Connected);
}
