namespace Lockstep.Engine.Records;

/// <summary>
/// The few forms that a feed's records have had lately. If every record has another form, templates gain nothing, so records read by a
/// template pay for learning new ones. One thread at a time.
/// </summary>
internal sealed class RecordTemplates
{
    private const int Most = 4;
    private const int LearningCost = 8;
    private const int MostCredit = 64;

    private readonly List<RecordTemplate> _templates = new(Most);
    private JsonSlice[] _found = [];
    private int _credit = MostCredit;

    /// <summary>Reads a record from the start of the bytes by one of the forms, which moves to the front.</summary>
    /// <param name="bytes">Bytes that may go on after the record.</param>
    /// <param name="length">The record's length.</param>
    /// <param name="body">Where its fields are.</param>
    /// <param name="routing">What each value of <paramref name="found"/> is read for.</param>
    /// <param name="found">The positions of those values.</param>
    public bool TryRead(
        ReadOnlySpan<byte> bytes,
        out int length,
        out (int Start, int Length) body,
        out ReadOnlySpan<RoutingValue> routing,
        out ReadOnlySpan<JsonSlice> found
    )
    {
        for (var i = 0; i < _templates.Count; i++)
        {
            var template = _templates[i];
            if (!template.TryRead(bytes, _found, out length, out body))
                continue;
            if (i > 0)
                (_templates[0], _templates[i]) = (template, _templates[0]);
            if (_credit < MostCredit)
                _credit++;
            routing = template.Routing;
            found = _found.AsSpan(0, routing.Length);
            return true;
        }

        length = 0;
        body = default;
        routing = default;
        found = default;
        return false;
    }

    /// <summary>Remembers the form of a record that was read without a template; the least recently used one makes room.</summary>
    public void Learn(ReadOnlySpan<byte> record, RecordShape shape)
    {
        if (_credit < LearningCost)
        {
            _credit++;
            return;
        }

        _credit -= LearningCost;
        if (RecordTemplate.Of(record, shape) is not { } template)
            return;
        if (_templates.Count == Most)
            _templates.RemoveAt(Most - 1);
        _templates.Insert(0, template);
        if (template.Routing.Length > _found.Length)
            _found = new JsonSlice[template.Routing.Length];
    }

    /// <summary>Forgets all forms: the purposes of the records' values have changed.</summary>
    public void Clear() => _templates.Clear();
}
