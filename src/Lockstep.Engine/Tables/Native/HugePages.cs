using System.Runtime.InteropServices;

namespace Lockstep.Engine.Tables.Native;

/// <summary>
/// Asks Linux to lay memory out in huge pages. A batch is read in the order of its keys, so all over its memory: with pages of 4 KB, most
/// of that time goes into finding the page, and much of the time in which it is filled into making one.
/// </summary>
internal static unsafe partial class HugePages
{
    private const nuint Size = 2 * 1024 * 1024;
    private const int Advice = 14;

    private static bool _isUnknown = !OperatingSystem.IsLinux();

    /// <summary>
    /// Asks for it, for memory that stays where it is and has not been touched. Nothing happens where there is no such thing, or where the
    /// memory is less than one of them.
    /// </summary>
    public static void Advise(ReadOnlySpan<byte> memory)
    {
        if (_isUnknown || (nuint)memory.Length < Size)
            return;
        fixed (byte* pointer = memory)
        {
            // To the ends of the pages: the pieces of a batch lie side by side, and a page that two of them share is worth having too.
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
