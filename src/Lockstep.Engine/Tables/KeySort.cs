using System.Buffers;
using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Sorts places by numbers that represent keys, keeping the order of equal ones: a radix sort from the least significant digit (Knuth, The
/// Art of Computer Programming 3, 5.2.5), which accesses memory in order and skips digits that are all the same.
/// </summary>
internal static class KeySort
{
    private const int DigitBits = 11;
    private const int Digits = 1 << DigitBits;

    /// <summary>Below this many places, a comparison sort is faster.</summary>
    private const int WorthDigits = 512;

    /// <summary>Sorts both spans by the numbers, as unsigned.</summary>
    /// <param name="numbers">The numbers; sorted afterwards.</param>
    /// <param name="places">The place of each number; in ascending order at first.</param>
    [MethodImpl(HotCode.Options)]
    public static void Sort(Span<ulong> numbers, Span<int> places)
    {
        if (numbers.Length < WorthDigits)
        {
            numbers.Sort(places);
            KeepOrder(numbers, places);
            return;
        }

        ulong least = ulong.MaxValue,
            greatest = 0;
        foreach (var number in numbers)
        {
            least = Math.Min(least, number);
            greatest = Math.Max(greatest, number);
        }

        if (greatest - least <= uint.MaxValue)
        {
            SortTogether(numbers, places, least, greatest - least);
            return;
        }

        var otherNumbers = ArrayPool<ulong>.Shared.Rent(numbers.Length);
        var otherPlaces = ArrayPool<int>.Shared.Rent(numbers.Length);
        Span<ulong> from = numbers,
            to = otherNumbers.AsSpan(0, numbers.Length);
        Span<int> fromPlaces = places,
            toPlaces = otherPlaces.AsSpan(0, numbers.Length);
        Span<int> starts = stackalloc int[Digits];
        var isSwapped = false;
        for (var shift = 0; shift < 64 && (greatest - least) >> shift != 0; shift += DigitBits)
        {
            CountDigits(from, least, shift, starts);
            for (var i = 0; i < from.Length; i++)
            {
                ref var at = ref starts[(int)((from[i] - least) >> shift) & (Digits - 1)];
                to[at] = from[i];
                toPlaces[at++] = fromPlaces[i];
            }

            var numbersSwap = from;
            from = to;
            to = numbersSwap;
            var placesSwap = fromPlaces;
            fromPlaces = toPlaces;
            toPlaces = placesSwap;
            isSwapped = !isSwapped;
        }

        if (isSwapped)
        {
            from.CopyTo(to);
            fromPlaces.CopyTo(toPlaces);
        }

        ArrayPool<ulong>.Shared.Return(otherNumbers);
        ArrayPool<int>.Shared.Return(otherPlaces);
    }

    /// <summary>Numbers that are close together fit into one word with their places, so less memory is moved.</summary>
    [MethodImpl(HotCode.Options)]
    private static void SortTogether(Span<ulong> numbers, Span<int> places, ulong least, ulong range)
    {
        const int PlaceBits = 32;
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = ((numbers[i] - least) << PlaceBits) | (uint)places[i];

        var others = ArrayPool<ulong>.Shared.Rent(numbers.Length);
        Span<ulong> from = numbers,
            to = others.AsSpan(0, numbers.Length);
        Span<int> starts = stackalloc int[Digits];
        for (var shift = 0; shift < PlaceBits && range >> shift != 0; shift += DigitBits)
        {
            CountDigits(from, 0, PlaceBits + shift, starts);
            foreach (var number in from)
                to[starts[(int)(number >> (PlaceBits + shift)) & (Digits - 1)]++] = number;
            var swap = from;
            from = to;
            to = swap;
        }

        for (var i = 0; i < from.Length; i++)
        {
            places[i] = (int)from[i];
            numbers[i] = (from[i] >> PlaceBits) + least;
        }

        ArrayPool<ulong>.Shared.Return(others);
    }

    /// <summary>Computes where the places of each digit start.</summary>
    private static void CountDigits(ReadOnlySpan<ulong> numbers, ulong least, int shift, Span<int> starts)
    {
        starts.Clear();
        foreach (var number in numbers)
            starts[(int)((number - least) >> shift) & (Digits - 1)]++;
        var start = 0;
        foreach (ref var digit in starts)
            (digit, start) = (start, start + digit);
    }

    /// <summary>A comparison sort leaves equal numbers in any order.</summary>
    private static void KeepOrder(ReadOnlySpan<ulong> numbers, Span<int> places)
    {
        for (int start = 0, end; start < numbers.Length; start = end)
        {
            for (end = start + 1; end < numbers.Length && numbers[end] == numbers[start]; end++) { }

            if (end - start > 1)
                places[start..end].Sort();
        }
    }
}
