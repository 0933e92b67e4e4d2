namespace Lockstep.Engine.Conformance;

/// <summary>What the requests of a check have shown.</summary>
/// <param name="First">The answer to cursor 0.</param>
/// <param name="Snapshot">What a redirect leads to; null if there was none.</param>
/// <param name="Whole">The records that cursor 0 leads to, in the answer or in the snapshot; null if there are none.</param>
/// <param name="Boundary">The answer to the greatest cursor seen; null if there is none.</param>
/// <param name="Middle">The answer to a cursor in the middle; null if there is none.</param>
/// <param name="Update">The answer to cursor 0 with update=true; null unless there was a redirect.</param>
/// <param name="Heartbeat">A long wait for a heartbeat; null if that is not checked.</param>
/// <param name="BoundaryCursor">The cursor of <paramref name="Boundary"/>.</param>
/// <param name="MiddleCursor">The cursor of <paramref name="Middle"/>.</param>
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
