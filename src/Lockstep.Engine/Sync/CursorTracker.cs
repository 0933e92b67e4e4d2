using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>
/// How far a body has got, and from where a later request may continue without missing anything (I4): while records arrive in order, the
/// largest order value; after one out of order, the start of this request, until the end of the body proves that nothing is missing.
/// </summary>
internal sealed class CursorTracker
{
    private readonly Cursor _start;
    private readonly bool _replaces;
    private Cursor _reached;
    private long _maximumInteger;
    private OrderValue _maximum;
    private bool _hasMaximum;
    private bool _isComplete;

    /// <param name="start">Where the request started, before any look-back window.</param>
    /// <param name="isHeld">Whether no cursor may be committed until the body's set is complete.</param>
    /// <param name="replaces">Whether this is an explicit resync, the only thing that may move the cursor back (I4).</param>
    public CursorTracker(Cursor start, bool isHeld, bool replaces = false)
    {
        _replaces = replaces;
        _start = _reached = start;
        IsHeld = isHeld;
    }

    /// <summary>Whether no cursor may be committed yet.</summary>
    public bool IsHeld { get; private set; }

    /// <summary>Whether a record arrived, or a control row with a cursor.</summary>
    public bool HasMoved => _hasMaximum || _reached != _start;

    /// <summary>Whether a record's order value was below an earlier one.</summary>
    public bool WasOutOfOrder { get; private set; }

    /// <summary>How many times a value exceeded all before it: a sign of progress, even if nothing in the body is new.</summary>
    public long Advances { get; private set; }

    /// <summary>
    /// Whether records arrived and all of them are at exactly the requested position: the server honours the cursor and has nothing newer.
    /// </summary>
    public bool RepeatsStartOnly =>
        _hasMaximum && !WasOutOfOrder && Advances <= 1 && !_start.IsStart && Cursor.Compare(Cursor.From(_maximum), _start) == 0;

    /// <summary>Notes a record's order value. Returns whether it is out of order.</summary>
    public bool Note(in RoutedRecord record)
    {
        if (record.OrderIsText || (_hasMaximum && !_maximum.IsInteger))
            return NoteText(record);
        var value = record.IntegerOrder;
        if (_hasMaximum && value < _maximumInteger)
            return NoteOutOfOrder();
        if (!_hasMaximum || value > _maximumInteger)
        {
            _maximumInteger = value;
            _maximum = OrderValue.FromInteger(value);
            _hasMaximum = true;
            Advances++;
        }

        return false;
    }

    /// <summary>A control row has named a cursor: everything before it has been sent.</summary>
    public void Note(Cursor horizon)
    {
        if (Cursor.Compare(horizon, _reached) > 0)
            _reached = horizon;
    }

    /// <summary>The set is complete, or the sender has nothing more: the largest order value is valid as the cursor.</summary>
    public void Complete()
    {
        IsHeld = false;
        WasOutOfOrder = false;
        _isComplete = true;
    }

    /// <summary>Holds the cursor back until <see cref="Complete"/>.</summary>
    public void Hold() => IsHeld = true;

    /// <summary>What to commit now, given the stored cursor: the newest position, and where to resume if that is earlier.</summary>
    public (Cursor? Cursor, Cursor? Resume) Position(Cursor stored, Cursor? storedResume)
    {
        if (IsHeld)
            return (null, storedResume);
        if (_maximum.Kind == OrderKind.Text)
            return (Cursor.From(_maximum), null);
        if (_replaces)
            stored = _start;
        var maximum = _hasMaximum ? Later(Cursor.From(_maximum), _reached) : _reached;
        var newest = Later(maximum, stored);
        var safe = WasOutOfOrder ? _start : Later(maximum, _start);
        return (newest, !_isComplete && Cursor.Compare(safe, newest) < 0 ? safe : null);
    }

    private bool NoteText(in RoutedRecord record)
    {
        var value =
            record.OrderKind == OrderKind.Text ? OrderValue.FromText(Encoding.UTF8.GetString(record.OrderText))
            : record.OrderIsText ? OrderValue.FromNumber(record.OrderText)
            : OrderValue.FromInteger(record.IntegerOrder);
        if (_hasMaximum && OrderValue.Compare(value, _maximum) < 0)
            return NoteOutOfOrder();
        if (value.Kind == OrderKind.Number && (!_hasMaximum || OrderValue.Compare(value, _maximum) > 0))
            Advances++;
        _maximum = value;
        _maximumInteger = value.IsInteger ? value.Integer : 0;
        _hasMaximum = true;
        return false;
    }

    /// <summary>What was complete no longer is: other records as late as this one may be on their way.</summary>
    private bool NoteOutOfOrder()
    {
        _isComplete = false;
        return WasOutOfOrder = true;
    }

    private static Cursor Later(Cursor left, Cursor right) => Cursor.Compare(left, right) >= 0 ? left : right;
}
