using System.Buffers;
using System.Globalization;
using System.Text;
using Lockstep.Engine.Framing;

namespace Lockstep.Engine.Dialects;

/// <summary>What was read from an event stream.</summary>
internal enum EventKind
{
    /// <summary>An event with data.</summary>
    Event,

    /// <summary>A comment, or an event without data: a sign of life.</summary>
    Heartbeat,
}

/// <summary>
/// Reads server-sent events as browsers do (WHATWG HTML, 9.2.6), however they are chunked: lines end in LF, CR or CRLF, and an event not
/// ended by a blank line is dropped. It does no I/O. One thread at a time.
/// </summary>
/// <param name="maximumLength">The largest line and event in bytes.</param>
internal sealed class EventReader(int maximumLength)
{
    private readonly StreamBuffer _buffer = new();
    private readonly ArrayBufferWriter<byte> _data = new();
    private string _type = "";
    private bool _hasData;
    private bool _skipsLineFeed;
    private bool _hasBegun;

    /// <summary>The last id, which stays in force until another one arrives; empty for none.</summary>
    public string Id { get; private set; } = "";

    /// <summary>The id of the last dispatched event.</summary>
    public string DispatchedId { get; private set; } = "";

    /// <summary>How long the server asks its clients to wait before they reconnect; null if it did not say.</summary>
    public TimeSpan? Retry { get; private set; }

    /// <summary>The event's type; empty for the default one.</summary>
    public string Type { get; private set; } = "";

    /// <summary>The event's data, valid until the next call.</summary>
    public ReadOnlyMemory<byte> Data { get; private set; }

    /// <summary>The position in the stream of the next bytes.</summary>
    public long Offset => _buffer.Offset;

    /// <summary>Whether an event has begun that no blank line has ended: what has come of it counts for nothing.</summary>
    public bool IsWithinEvent => _hasData || _type.Length > 0 || Id != DispatchedId || _buffer.Held is [not (byte)':', ..];

    /// <summary>Free space to read into.</summary>
    public Memory<byte> GetFreeMemory() => _buffer.GetFreeMemory();

    /// <summary>Takes the number of bytes written.</summary>
    public void Advance(int count) => _buffer.Advance(count);

    /// <summary>Takes the next event. False when it needs more bytes.</summary>
    /// <exception cref="InvalidDataException">An event is too large.</exception>
    public bool TryRead(out EventKind kind)
    {
        kind = EventKind.Event;
        if (!TryBegin())
            return false;
        while (TryReadLine(out var line))
        {
            if (line.IsEmpty)
            {
                if (!Dispatch())
                    continue;
                return true;
            }

            if (line[0] == (byte)':')
            {
                kind = EventKind.Heartbeat;
                return true;
            }

            Take(line);
        }

        return false;
    }

    /// <summary>A byte order mark may precede the first line.</summary>
    private bool TryBegin()
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        var held = _buffer.Held;
        if (_hasBegun)
            return true;
        if (held.Length < mark.Length && mark.StartsWith(held))
            return false;
        _hasBegun = true;
        if (held.StartsWith(mark))
            _buffer.Consume(mark.Length);
        return true;
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        var held = _buffer.Held;
        if (_skipsLineFeed && !held.IsEmpty)
        {
            _skipsLineFeed = false;
            if (held[0] == (byte)'\n')
            {
                _buffer.Consume(1);
                held = _buffer.Held;
            }
        }

        var end = held.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0)
        {
            line = default;
            Require(held.Length);
            return false;
        }

        // A line feed that belongs to this line end may be in the next chunk.
        _skipsLineFeed = held[end] == (byte)'\r';
        line = held[..end];
        _buffer.Consume(end + 1);
        return true;
    }

    private void Take(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        var name = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? default : line[(colon + 1)..];
        if (!value.IsEmpty && value[0] == (byte)' ')
            value = value[1..];
        if (name.SequenceEqual("data"u8))
        {
            if (_hasData)
                _data.Write("\n"u8);
            else
                _data.ResetWrittenCount();
            _data.Write(value);
            _hasData = true;
            Require(_data.WrittenCount);
        }
        else if (name.SequenceEqual("event"u8))
        {
            _type = Encoding.UTF8.GetString(value);
        }
        else if (name.SequenceEqual("id"u8))
        {
            if (!value.Contains((byte)0))
                Id = Encoding.UTF8.GetString(value);
        }
        else if (
            name.SequenceEqual("retry"u8)
            && value.Length is > 0 and < 10
            && value.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0
            && int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
        )
        {
            Retry = TimeSpan.FromMilliseconds(milliseconds);
        }
    }

    private bool Dispatch()
    {
        // The id takes effect from here on, even without data (WHATWG).
        DispatchedId = Id;
        Type = _type;
        _type = "";
        if (!_hasData)
            return false;
        Data = _data.WrittenMemory;
        _hasData = false;
        return true;
    }

    private void Require(int length)
    {
        if (length > maximumLength)
            throw new InvalidDataException($"an event is larger than {maximumLength} bytes");
    }
}
