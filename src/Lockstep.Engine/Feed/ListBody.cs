namespace Lockstep.Engine.Feed;

/// <summary>
/// A file of records that is one JSON array, as an export writes it, or has one record after another: of an array, its brackets and the
/// commas between its elements come out as spaces, so that every byte keeps its offset. Owns the stream; reading only.
/// </summary>
internal sealed class ListBody(Stream source) : ReadOnlyStream
{
    private bool? _isList;
    private int _depth;
    private bool _isText;
    private bool _isEscaped;

    /// <summary>Whether it is an array whose closing bracket has not come.</summary>
    public bool IsCutOff => _isList == true;

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (_isList != false)
            Rewrite(buffer.Span[..count]);
        return count;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }

    private void Rewrite(Span<byte> bytes)
    {
        foreach (ref var value in bytes)
        {
            // White space and a byte order mark may come before it.
            if (_isList is null && value is not ((byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or 0xEF or 0xBB or 0xBF))
                _isList = value == (byte)'[';
            if (_isList == false)
                return;
            if (_isText)
            {
                _isText = _isEscaped || value != (byte)'"';
                _isEscaped = !_isEscaped && value == (byte)'\\';
                continue;
            }

            switch (value)
            {
                case (byte)'"':
                    _isText = true;
                    break;
                case (byte)'[' or (byte)'{':
                    if (_depth++ == 0)
                        value = (byte)' ';
                    break;
                case (byte)']' or (byte)'}':
                    if (--_depth > 0)
                        break;
                    // What follows the array is not part of it.
                    _isList = false;
                    if (value == (byte)']')
                        value = (byte)' ';
                    break;
                case (byte)',' when _depth == 1:
                    value = (byte)' ';
                    break;
            }
        }
    }
}
