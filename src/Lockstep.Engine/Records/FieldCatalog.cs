using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lockstep.Engine.Records;

/// <summary>
/// The names of the fields that records have had, in the order in which they were first seen: the columns of a table's view. A feed's
/// records mostly repeat one sequence of names, so each name is first compared with the one that followed last time. One thread at a time.
/// </summary>
internal sealed class FieldCatalog
{
    /// <summary>
    /// Names beyond this count get no column: SQLite's views are limited to 2,000, and a feed that invents names must not fill memory (I8).
    /// </summary>
    public const int Limit = 500;

    /// <summary>The same for names longer than this, in bytes, or with a NUL, which no SQL text can hold.</summary>
    public const int LongestName = 250;

    private readonly List<byte[]> _names = [];
    private readonly Dictionary<byte[], int> _index = new(new Utf8Comparer());
    private readonly Dictionary<byte[], int>.AlternateLookup<ReadOnlySpan<byte>> _lookup;
    private int _taken;
    private int _next;
    private int _before;

    public FieldCatalog(IEnumerable<string> known)
    {
        _lookup = _index.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (var name in known)
            Add(Encoding.UTF8.GetBytes(name));
        _taken = _before = _names.Count;
    }

    /// <summary>Marks the beginning of a record, so that its first name is looked for at the start.</summary>
    public void BeginRecord()
    {
        _next = 0;
        _before = _names.Count;
    }

    /// <summary>Removes the names that the last record added: it was malformed.</summary>
    public void ForgetRecord()
    {
        for (var i = _names.Count - 1; i >= Math.Max(_before, _taken); i--)
        {
            _index.Remove(_names[i]);
            _names.RemoveAt(i);
        }
    }

    /// <summary>Records a name, given without escapes.</summary>
    [MethodImpl(HotCode.Options)]
    public void Note(ReadOnlySpan<byte> name)
    {
        if (_next < _names.Count && name.SequenceEqual(_names[_next]))
        {
            _next++;
            return;
        }

        if (_lookup.TryGetValue(name, out var index))
        {
            _next = index + 1;
        }
        else if (_names.Count < Limit && name.Length <= LongestName && !name.Contains((byte)0))
        {
            Add(name.ToArray());
            _next = _names.Count;
        }
    }

    /// <summary>The names added since the last call.</summary>
    public IReadOnlyList<string> TakeNew()
    {
        if (_taken == _names.Count)
            return [];
        string[] added = [.. _names.Skip(_taken).Select(Encoding.UTF8.GetString)];
        _taken = _names.Count;
        return added;
    }

    private void Add(byte[] name)
    {
        if (_index.TryAdd(name, _names.Count))
            _names.Add(name);
    }

    private sealed class Utf8Comparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }
    }
}
