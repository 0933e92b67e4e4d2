using System.Collections;

namespace Lockstep.Engine.Records;

/// <summary>
/// The distinct names of a JSON object's fields, in the order in which they first occur. A <see cref="RecordReader"/> returns the same
/// instance for the same sequence of names, so that whatever follows from the names is computed once per sequence.
/// </summary>
/// <remarks>
/// Each instance knows which ones continue it by one more name: reading an object walks from the empty sequence along its names, and in a
/// feed whose records look alike every step is one comparison of bytes.
/// </remarks>
internal sealed class FieldNames : IReadOnlyList<string>
{
    private readonly byte[] _utf8;
    private readonly string _last;
    private readonly FieldNames? _before;
    private Dictionary<string, FieldNames>? _after;
    private FieldNames? _likely;
    private string[]? _all;

    private FieldNames(FieldNames before, string last, int slot)
    {
        _before = before;
        _last = last;
        _utf8 = System.Text.Encoding.UTF8.GetBytes(last);
        Slot = slot;
        Count = Math.Max(before.Count, slot + 1);
    }

    private FieldNames(string[] all)
    {
        _utf8 = [];
        _last = "";
        _all = all;
        Slot = -1;
        Count = all.Length;
    }

    /// <summary>The number of names.</summary>
    public int Count { get; }

    /// <summary>
    /// A slot for an <see cref="IRecordFactory"/> to keep what it derived from these names, for as long as they are in use.
    /// </summary>
    public object? Attachment { get; set; }

    /// <summary>The position of the name read last; not the last position if that name had occurred before.</summary>
    internal int Slot { get; }

    /// <summary>The name at a position, from 0.</summary>
    public string this[int index] => All[index];

    private string[] All => _all ??= Collect();

    /// <summary>Iterates over the names in order.</summary>
    public IEnumerator<string> GetEnumerator() => ((IEnumerable<string>)All).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static FieldNames Empty() => new([]);

    /// <summary>A sequence that no other continues.</summary>
    internal static FieldNames Of(string[] names) => new(names);

    /// <summary>The sequence last taken from here, if its last name is this one, given without escapes.</summary>
    internal FieldNames? Likely(ReadOnlySpan<byte> name) => _likely is { } likely && name.SequenceEqual(likely._utf8) ? likely : null;

    /// <summary>The sequence with one more name.</summary>
    /// <param name="name">The name; if it is there already, the sequence only remembers at which position.</param>
    /// <param name="created">Whether the sequence is new.</param>
    internal FieldNames Then(string name, out bool created)
    {
        _after ??= new Dictionary<string, FieldNames>(StringComparer.Ordinal);
        created = !_after.TryGetValue(name, out var next);
        if (next is null)
            _after.Add(name, next = new FieldNames(this, name, SlotOf(name)));

        return _likely = next;
    }

    private int SlotOf(string name)
    {
        for (var names = this; names._before is not null; names = names._before)
        {
            if (names._last == name)
                return names.Slot;
        }

        return Count;
    }

    private string[] Collect()
    {
        var all = new string[Count];
        for (var names = this; names._before is not null; names = names._before)
            all[names.Slot] = names._last;

        return all;
    }
}
