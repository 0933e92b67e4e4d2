namespace Lockstep.Engine.Conformance;

/// <summary>What the requests of a check have shown.</summary>
/// <param name="First">The answer to cursor 0.</param>
/// <param name="Snapshot">What a redirect leads to; null without one.</param>
/// <param name="Whole">The records that cursor 0 leads to: of the answer, or of the snapshot; null where there are none.</param>
/// <param name="Boundary">The answer to the greatest cursor seen; null where there is none.</param>
/// <param name="Middle">The answer to a cursor in the middle; null where there is none.</param>
/// <param name="Update">The answer to cursor 0 with update=true; null unless there was a redirect.</param>
/// <param name="Heartbeat">A long wait for a heartbeat; null where it is not checked.</param>
/// <param name="BoundaryCursor">What <paramref name="Boundary"/> was asked with.</param>
/// <param name="MiddleCursor">What <paramref name="Middle"/> was asked with.</param>
internal sealed record FeedObservation(
    ObservedResponse First,
    ObservedResponse? Snapshot,
    ObservedResponse? Whole,
    ObservedResponse? Boundary,
    ObservedResponse? Middle,
    ObservedResponse? Update,
    ObservedResponse? Heartbeat,
    FeedItem? BoundaryCursor,
    FeedItem? MiddleCursor
)
{
    public IEnumerable<ObservedResponse> Readings =>
        new[] { First, Snapshot, Boundary, Middle, Update, Heartbeat }.OfType<ObservedResponse>();

    public IEnumerable<(ObservedResponse Reading, FeedItem Item)> Records =>
        Readings.SelectMany(reading => reading.Records.Select(item => (reading, item)));

    public bool IsEndless => Whole?.End is ReadingEnd.Settled or ReadingEnd.Enough && Snapshot is null;
}
