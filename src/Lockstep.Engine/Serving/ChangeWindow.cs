namespace Lockstep.Engine.Serving;

/// <summary>What a follower finds at its position.</summary>
internal enum WindowOutcome
{
    /// <summary>Lines; the position moves past them.</summary>
    Lines,

    /// <summary>Nothing yet: it has everything that the window has.</summary>
    AtEnd,

    /// <summary>What follows is not in the window, or belongs to another identity: read from the file.</summary>
    Lost,
}

/// <summary>
/// The changes of the last moments by sequence number, written by one reader of the table and read by any number of followers, none of
/// which can hold up the others or keep alive what the window has let go (I8). Thread-safe.
/// </summary>
internal sealed class ChangeWindow(long capacity)
{
    private const int Overhead = 256;

    private readonly Lock _gate = new();
    private readonly LinkedList<(SequencedLines Lines, long To)> _pieces = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _identity;
    private long _start;
    private long _end;
    private long _bytes;

    /// <summary>Whose sequence numbers these are; null before the first look at the table.</summary>
    public string? Identity
    {
        get
        {
            lock (_gate)
                return _identity;
        }
    }

    /// <summary>Everything up to this number is in the window, or was.</summary>
    public long End
    {
        get
        {
            lock (_gate)
                return _end;
        }
    }

    /// <summary>Empties the window; it begins anew at a sequence number.</summary>
    public void Reset(string identity, long sequence)
    {
        lock (_gate)
        {
            _pieces.Clear();
            (_identity, _start, _end, _bytes) = (identity, sequence, sequence, 0);
            Signal();
        }
    }

    /// <summary>Adds what follows the end, and lets go of the oldest where there is too much.</summary>
    /// <param name="lines">The changes after <see cref="End"/>; there may be none.</param>
    /// <param name="to">The new end.</param>
    public void Append(SequencedLines lines, long to)
    {
        lock (_gate)
        {
            _pieces.AddLast((lines, to));
            _end = to;
            _bytes += lines.Bytes + Overhead;
            while (_bytes > capacity && _pieces.First is { } first)
            {
                _start = first.Value.To;
                _bytes -= first.Value.Lines.Bytes + Overhead;
                _pieces.RemoveFirst();
            }

            Signal();
        }
    }

    /// <summary>What follows a position.</summary>
    /// <param name="identity">Whose position it is.</param>
    /// <param name="position">The sequence number up to which the follower has everything.</param>
    /// <param name="lines">The lines.</param>
    /// <param name="to">The position after them.</param>
    /// <param name="more">Whether still more follows.</param>
    /// <param name="changed">At the end: completes when there may be more.</param>
    public WindowOutcome Read(string identity, long position, out ReadOnlyMemory<byte> lines, out long to, out bool more, out Task changed)
    {
        lock (_gate)
        {
            (lines, to, more, changed) = (default, position, false, _changed.Task);
            if (identity != _identity || position < _start)
                return WindowOutcome.Lost;

            // Most followers are near the end.
            var piece = _pieces.Last;
            while (piece?.Previous is { } before && before.Value.To > position)
                piece = before;
            if (piece is null || piece.Value.To <= position)
                return WindowOutcome.AtEnd;
            (lines, to, more) = (piece.Value.Lines.After(position), piece.Value.To, piece.Value.To < _end);
            return WindowOutcome.Lines;
        }
    }

    private void Signal()
    {
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
