using System.Runtime.InteropServices;

namespace Lockstep.Engine.Tables.Native;

/// <summary>
/// Asks Linux to back memory with huge pages. A batch is read in key order, so all over its memory: with pages of 4 KB, most of that time
/// goes into looking up pages, and much of the time to fill it into allocating them.
/// </summary>
internal static unsafe partial class HugePages
{
    private const nuint Size = 2 * 1024 * 1024;
    private const int Advice = 14;

    private static bool _isUnknown = !OperatingSystem.IsLinux();

    /// <summary>
    /// Requests huge pages for memory that stays in place and has not been touched; does nothing on systems without them.
    /// </summary>
    public static void Advise(ReadOnlySpan<byte> memory)
    {
        if (_isUnknown)
            return;
        fixed (byte* pointer = memory)
        {
            // Rounded outwards to whole pages: the pieces of a batch are adjacent, and a page shared by two of them is worth having too.
            var start = (nuint)pointer & ~(Size - 1);
            var end = ((nuint)pointer + (nuint)memory.Length + Size - 1) & ~(Size - 1);
            try
            {
                _ = MemoryAdvise(start, end - start, Advice);
            }
            catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
            {
                _isUnknown = true;
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(nuint address, nuint length, int advice);
}
