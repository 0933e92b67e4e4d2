using System.Globalization;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// A cursor that is the largest value of a field that changes with the record, for APIs that return what was updated since a time. It is
/// kept as a number, or as a time in UTC. One thread at a time.
/// </summary>
internal sealed class MaximumCursor(DialectRules rules)
{
    /// <summary>How late writers may be unless configured otherwise.</summary>
    private static readonly TimeSpan DefaultLookback = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Granularity = TimeSpan.FromSeconds(1);

    private OrderValue? _number;
    private DateTimeOffset? _time;
    private (OrderValue? Number, DateTimeOffset? Time)? _first;
    private (OrderValue? Number, DateTimeOffset? Time)? _last;

    /// <summary>Whether no value so far was below the one before it.</summary>
    public bool IsAscending { get; private set; } = true;

    /// <summary>The largest value so far; null before the first.</summary>
    public string? Largest => _time?.ToString("O", CultureInfo.InvariantCulture) ?? _number?.ToString();

    private bool IsTime => rules.CursorType != CursorType.Number;

    /// <summary>Whether this reading has met a larger value than the previous one: something changed in between.</summary>
    public bool HasGrown =>
        _last is { } last
        && (
            IsTime
                ? _time is { } time && (last.Time is null || time > last.Time)
                : _number is { } number && (last.Number is not { } known || OrderValue.Compare(number, known) > 0)
        );

    /// <summary>
    /// Starts another reading of the same values. What changed since the first reading may have moved past other records, so the cursor
    /// stays behind what the first one reached (D9), whatever clock the values come from.
    /// </summary>
    public void Restart()
    {
        _last = (_number, _time);
        _first ??= _last;
        (_number, _time) = (null, null);
    }

    /// <summary>Whether a text is a possible value of such a cursor.</summary>
    public bool CanBe(string text) => IsTime ? TimeText.Parse(text, rules.Zone) is not null : Cursor.Parse(text).IsNumber;

    /// <summary>Records an item's value. False if it does not have the dialect's type.</summary>
    public bool Note(PlaceValue value)
    {
        if (!IsTime)
        {
            if (value.Kind != JsonKind.Number)
                return false;
            var number = OrderValue.FromNumber(value.Json.Span);
            var order = _number is { } known ? OrderValue.Compare(number, known) : 1;
            IsAscending &= order >= 0;
            if (order > 0)
                _number = number;
            return true;
        }

        if (TimeOf(value) is not { } time)
            return false;
        IsAscending &= _time is null || time >= _time;
        if (_time is null || time > _time)
            _time = time;
        return true;
    }

    /// <summary>
    /// The cursor to keep after a round: a window before the largest value seen, for late writers, and the same window before the second
    /// that was still running when the round began (D10).
    /// </summary>
    /// <param name="stored">The cursor before the round.</param>
    /// <param name="began">The server's clock when the round began; null if it did not say.</param>
    /// <param name="lookback">The window, in the cursor's units or in seconds; 0 for the default.</param>
    public string? Next(string? stored, DateTimeOffset? began, decimal lookback)
    {
        if (!IsTime)
        {
            var largest = (_first is { } reached ? Lesser(reached.Number, _number) : _number)?.ToString() ?? stored;
            return largest is null || lookback == 0 ? largest : Cursor.Parse(largest).Back(lookback).ToString();
        }

        var window = lookback == 0 ? DefaultLookback : TimeSpan.FromSeconds((double)lookback);
        if ((_first is { } before ? Lesser(before.Time, _time) : _time) is not { } time)
            return stored;
        // The clock behind the values may be hours behind the server's; a late writer is late by that clock.
        time -= window;
        if (began is { } at && at - Granularity - window < time)
            time = at - Granularity - window;
        // A round never moves the cursor back: everything before it has been read.
        if (stored is not null && TimeText.Parse(stored, rules.Zone) is { } kept && kept > time)
            time = kept;
        return time.ToString("O", CultureInfo.InvariantCulture);
    }

    /// <summary>Writes a kept cursor as the server expects it.</summary>
    public string Write(string cursor, string? format)
    {
        if (!IsTime || TimeText.Parse(cursor, rules.Zone) is not { } time)
            return cursor;
        return rules.CursorType switch
        {
            CursorType.Seconds => TimeText.Write(time, format ?? "s", rules.Zone),
            CursorType.Milliseconds => TimeText.Write(time, format ?? "ms", rules.Zone),
            _ => TimeText.Write(time, format, rules.Zone),
        };
    }

    /// <summary>The lesser of two values; null is below all.</summary>
    private static OrderValue? Lesser(OrderValue? left, OrderValue? right) =>
        left is { } one && right is { } other ? (OrderValue.Compare(one, other) < 0 ? one : other) : null;

    private static DateTimeOffset? Lesser(DateTimeOffset? left, DateTimeOffset? right) =>
        left is { } one && right is { } other ? (one < other ? one : other) : null;

    private DateTimeOffset? TimeOf(PlaceValue value)
    {
        if (rules.CursorType == CursorType.Time)
            return value.Kind == JsonKind.String ? TimeText.Parse(value.Text ?? "", rules.Zone) : null;
        if (
            value.Kind != JsonKind.Number
            || !decimal.TryParse(value.Json.Span, NumberStyles.Float, CultureInfo.InvariantCulture, out var since)
        )
        {
            return null;
        }

        var milliseconds = rules.CursorType == CursorType.Seconds ? since * 1000 : since;
        return milliseconds is > -62135596800000 and < 253402300799000 ? DateTimeOffset.FromUnixTimeMilliseconds((long)milliseconds) : null;
    }
}
