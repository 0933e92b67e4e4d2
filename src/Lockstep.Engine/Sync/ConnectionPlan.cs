using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>What the next connection requests, depending on how the previous ones ended. One thread at a time.</summary>
internal sealed class ConnectionPlan
{
    private readonly SyncOptions _options;
    private Cursor? _override;
    private bool _resync;
    private bool _isAnotherFeed;
    private bool _isAnotherQuery;
    private bool _isLoadOver;
    private bool _hasSet;

    public ConnectionPlan(SyncOptions options, TableState state)
    {
        _options = options;
        _override = options.Since is null ? null : Cursor.Parse(options.Since);
        _resync = options.Resync || options.Repair;
        _isAnotherFeed = options.Repair;
        Start = _override ?? state.RequestCursor;
    }

    /// <summary>Where the next request resumes, before any look-back window.</summary>
    public Cursor Start { get; private set; }

    /// <summary>The cursor to send.</summary>
    public Cursor RequestCursor => _resync ? Cursor.Start : Start.Back(_options.Lookback);

    /// <summary>Where the table's first load resumes; null to request the feed from the cursor.</summary>
    public string? LoadPage(TableState state) => _resync || _isLoadOver || _override is not null || !Start.IsStart ? null : state.LoadPage;

    /// <summary>Whether the next connection would request the whole set from its beginning.</summary>
    public bool StartsOver(TableState state) => RequestCursor.IsStart && LoadPage(state) is null;

    /// <summary>The first load cannot resume: the next connection requests the whole set.</summary>
    public void GiveUpLoad() => _isLoadOver = true;

    /// <summary>
    /// Whether a snapshot has just been applied, so that the feed is asked for what follows it and must not redirect again.
    /// </summary>
    public bool UpdatesOnly { get; private set; }

    /// <summary>Whether only a whole set will do: the feed is not the one the table knows, or there is no cursor.</summary>
    public bool NeedsSet => !_options.Repair && (_isAnotherFeed || _isAnotherQuery || (!_resync && Start.IsStart));

    /// <summary>Whether the last body completed its set.</summary>
    public bool SetIsComplete { get; private set; }

    /// <summary>How many times in a row the feed made the sync start over without a set being applied in between.</summary>
    public int Resyncs { get; private set; }

    /// <summary>How many whole sets arrived in a row without a body in between that continued from the cursor.</summary>
    public int SetsInARow { get; private set; }

    /// <summary>Starts over with the next connection.</summary>
    public void Resync(bool isAnotherFeed)
    {
        Resyncs++;
        _resync = true;
        _isAnotherFeed |= isAnotherFeed;
        UpdatesOnly = false;
    }

    /// <summary>
    /// Forces a resync if the cursor is older than the tombstones that are kept, because deletions would be missed silently.
    /// </summary>
    public void CheckHorizon(TableState state)
    {
        if (_resync || state.Horizon is not { } horizon || state.Rows + state.Tombstones == 0)
            return;
        if (Cursor.Compare(Start, horizon) < 0)
            Resync(isAnotherFeed: false);
    }

    /// <summary>Fetches a whole set that could not be read in full again once its wait is over (I6).</summary>
    public void CheckOwed(TableState state, DateTimeOffset now)
    {
        if (_override is not null || state.Owed is not { } owed || owed.Until(now) > TimeSpan.Zero)
            return;
        _resync = true;
        UpdatesOnly = false;
    }

    /// <summary>A whole set was not trusted: the next connection continues from the cursor, if the feed is still the same.</summary>
    public void Postpone(TableState state)
    {
        _override = null;
        Start = state.RequestCursor;
        Resyncs = 0;
        SetsInARow++;
        _isAnotherQuery = state.IsOfAnotherQuery(_options.Feed.Asked) && !_options.Rebind;
        _resync = _isAnotherFeed || _isAnotherQuery;
    }

    /// <summary>The identity to which the cursor belongs; none in a resync, which accepts any feed.</summary>
    public string? IdentityToSend(TableState state) => _resync || Start.IsStart ? null : state.FeedIdentity;

    public bool MeetsAnotherFeed(TableState state, FeedResponse body) =>
        !_resync
        && state.FeedIdentity is { } known
        && body.FeedIdentity is { } met
        && !FeedMark.IsOf(known, met)
        && !(body.Continues is { } before && FeedMark.IsOf(known, before))
        && (state.Rows + state.Tombstones > 0 || !Start.IsStart);

    /// <summary>How much of the origin's history the table had heard of before.</summary>
    private static FeedMark? MarkOf(TableState state, FeedResponse body) =>
        state.FeedIdentity is { } stored && FeedMark.Split(stored) is var known && known.Identity == (body.Continues ?? body.FeedIdentity)
            ? known.Mark
            : null;

    public BodySource Describe(FeedClient client, FeedResponse body, TableState state)
    {
        var isEmpty = state.Rows + state.Tombstones == 0;
        bool replaces = _resync || body.IsSnapshot,
            isWhole = replaces || RequestCursor.IsStart;
        var goesOn = body.IsRest;
        var isTransaction = state.Shape?.Dialect == Dialect.Transaction;
        return new BodySource
        {
            Feed = client.Uri,
            Stream = body.Stream,
            Start = _resync ? Cursor.Start : Start,
            IsHeld = body.IsSnapshot,
            // With an empty table there is nothing to protect by staging. In any other table the whole set is staged, even after one that
            // was cut off: records deleted in between are missing from it and must be swept (I6).
            IsStaged = isWhole && !isEmpty && !goesOn,
            IsFirstLoad = isWhole && !_resync && (isEmpty || goesOn),
            // A first load in order resumes from its cursor, like everything else; that no sync has succeeded yet shows that it is a first
            // load.
            LoadedBefore = goesOn || (!isWhole && !_hasSet && state.LastSync is null) ? state.Rows : null,
            Page = body.Page,
            RangeStart = body.Start,
            RangeTag = body.RangeTag,
            KeepPage = client.Uri.Keep,
            Length = body.ContentLength,
            ExpectedRecords = body.ExpectedRecords,
            IsWholeSet = isWhole,
            IsResync = _resync,
            IsFinite = body.ContentLength is not null,
            MayMergeUnfinished = body.ContentLength is null && !(isTransaction && replaces),
            IsRedirected = body.IsSnapshot,
            IsAnotherFeed =
                _isAnotherFeed
                || (_resync && state.FeedIdentity is { } known && body.FeedIdentity is { } met && !FeedMark.IsOf(known, met)),
            HasDefiniteEnd = body.HasDefiniteEnd,
            CaughtUpBy = body.IsSnapshot ? CaughtUpSign.None : body.CaughtUpBy,
            IsMarkup = body.IsMarkup,
            FeedIdentity = body.FeedIdentity,
            Mark = () => body.Mark?.Invoke() is { } mark ? FeedMark.Later(mark, MarkOf(state, body)) : null,
            IdleTimeout = client.OperationTimeout,
        };
    }

    /// <summary>A body ended without an error.</summary>
    public void Ended(BodySource source, bool setIsComplete, TableState state)
    {
        SetIsComplete = setIsComplete;
        _hasSet |= setIsComplete;
        SetsInARow = source.IsResync ? SetsInARow + 1 : 0;
        _override = null;
        UpdatesOnly = source.IsRedirected && setIsComplete;
        Start = state.RequestCursor;
    }

    /// <summary>Part of a body was committed to the table, so the next connection continues from there.</summary>
    /// <param name="isCaughtUp">Whether that was everything the feed had.</param>
    public void MovedOn(bool isCaughtUp)
    {
        _override = null;
        if (!isCaughtUp)
            return;
        _resync = _isAnotherFeed = _isAnotherQuery = false;
        Resyncs = 0;
    }

    /// <summary>A connection failed; the next one continues from what is committed.</summary>
    public void Interrupted(TableState state)
    {
        if (_override is null)
            Start = state.RequestCursor;
    }
}
