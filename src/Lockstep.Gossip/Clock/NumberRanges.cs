using System.Globalization;
using Lockstep.Engine.Records;

namespace Lockstep.Gossip.Clock;

/// <summary>
/// A set of numbers of one source's updates, as a few ranges: <c>1-8,10</c>. It has at most <see cref="MaxRanges"/>; beyond that, the
/// lowest are dropped and <see cref="Floor"/> rises: what is below is unknown. Not safe for concurrent use.
/// </summary>
internal sealed class NumberRanges
{
    public const int MaxRanges = 32;

    private const int LongestRange = 34;

    private readonly List<(long First, long Last)> _ranges = [];

    public NumberRanges() { }

    private NumberRanges(IEnumerable<(long First, long Last)> ranges, long floor)
    {
        _ranges.AddRange(ranges);
        Floor = floor;
        Limit();
    }

    /// <summary>The number from which the set is known.</summary>
    public long Floor { get; private set; } = 1;

    public bool IsEmpty => _ranges.Count == 0;

    public long Count => _ranges.Sum(static range => range.Last - range.First + 1);

    public NumberRanges Copy() => new(_ranges, Floor);

    public bool Contains(long number) => IndexOf(number) >= 0;

    public void Add(long number)
    {
        var place = IndexOf(number);
        if (place >= 0 || number < Floor)
        {
            return;
        }

        place = ~place;
        var joinsBefore = place > 0 && _ranges[place - 1].Last == number - 1;
        var joinsAfter = place < _ranges.Count && _ranges[place].First == number + 1;
        if (joinsBefore && joinsAfter)
        {
            _ranges[place - 1] = (_ranges[place - 1].First, _ranges[place].Last);
            _ranges.RemoveAt(place);
        }
        else if (joinsBefore)
        {
            _ranges[place - 1] = (_ranges[place - 1].First, number);
        }
        else if (joinsAfter)
        {
            _ranges[place] = (number, _ranges[place].Last);
        }
        else
        {
            _ranges.Insert(place, (number, number));
            Limit();
        }
    }

    public void Remove(long number)
    {
        var place = IndexOf(number);
        if (place < 0)
        {
            return;
        }

        var (first, last) = _ranges[place];
        _ranges.RemoveAt(place);
        if (last > number)
        {
            _ranges.Insert(place, (number + 1, last));
        }

        if (first < number)
        {
            _ranges.Insert(place, (first, number - 1));
        }

        Limit();
    }

    /// <summary>The numbers from one to another, both included.</summary>
    public NumberRanges Between(long first, long last) =>
        new(
            _ranges
                .Where(range => range.Last >= first && range.First <= last)
                .Select(range => (Math.Max(range.First, first), Math.Min(range.Last, last))),
            Floor
        );

    /// <summary>The union of both sets.</summary>
    public NumberRanges Or(NumberRanges other)
    {
        var joined = new List<(long First, long Last)>();
        foreach (var range in _ranges.Concat(other._ranges).Order())
        {
            if (joined.Count > 0 && range.First <= joined[^1].Last + 1)
            {
                joined[^1] = (joined[^1].First, Math.Max(joined[^1].Last, range.Last));
            }
            else
            {
                joined.Add(range);
            }
        }

        return new NumberRanges(joined, Math.Max(Floor, other.Floor));
    }

    /// <summary>The numbers that the other set also contains, or that are below what it knows.</summary>
    public NumberRanges KnownTo(NumberRanges other) =>
        other._ranges.Aggregate(
            Between(1, other.Floor - 1),
            (kept, range) => kept.Or(Between(Math.Max(range.First, other.Floor), range.Last))
        );

    /// <summary>The ranges as text; empty for none.</summary>
    public override string ToString() =>
        string.Join(
            ',',
            _ranges.Select(static range =>
                range.First == range.Last
                    ? range.First.ToString(CultureInfo.InvariantCulture)
                    : string.Create(CultureInfo.InvariantCulture, $"{range.First}-{range.Last}")
            )
        );

    /// <summary>Parses what <see cref="ToString"/> writes, and nothing else.</summary>
    public static NumberRanges? TryParse(string text, long floor)
    {
        if (text.Length > MaxRanges * LongestRange)
        {
            return null;
        }

        var ranges = new NumberRanges { Floor = floor };
        var before = floor - 2;
        foreach (var part in text.Length == 0 ? [] : text.Split(','))
        {
            var ends = part.Split('-');
            var last = 0L;
            if (
                ranges._ranges.Count == MaxRanges
                || ends.Length > 2
                || !TryParse(ends[0], out var first)
                || (ends.Length == 2 ? !TryParse(ends[1], out last) || last <= first : (last = first) < 0)
                || first < before + 2
            )
            {
                return null;
            }

            ranges._ranges.Add((first, last));
            before = last;
        }

        return floor >= 1 && ranges.ToString() == text ? ranges : null;
    }

    private static bool TryParse(string text, out long number) => WholeNumber.TryParse(text, out number) && number <= GossipSeal.MaxNumber;

    private int IndexOf(long number)
    {
        var low = 0;
        var high = _ranges.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (number < _ranges[middle].First)
            {
                high = middle - 1;
            }
            else if (number > _ranges[middle].Last)
            {
                low = middle + 1;
            }
            else
            {
                return middle;
            }
        }

        return ~low;
    }

    private void Limit()
    {
        if (_ranges.Count > MaxRanges)
        {
            var surplus = _ranges.Count - MaxRanges;
            Floor = _ranges[surplus - 1].Last + 1;
            _ranges.RemoveRange(0, surplus);
        }
    }
}
