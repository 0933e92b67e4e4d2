using System.Globalization;

namespace Lockstep.Serving.Hosting;

/// <summary>How many files and connections this process may have open.</summary>
internal static class OpenFiles
{
    /// <summary>How many more it may open now; null if there is no limit, or it is unknown.</summary>
    public static long? Left
    {
        get
        {
            try
            {
                return Limit - Directory.EnumerateFileSystemEntries("/proc/self/fd").LongCount();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    /// <summary>The system's limit; null if there is none, or it is unknown.</summary>
    private static long? Limit
    {
        get
        {
            try
            {
                var line = File.ReadLines("/proc/self/limits")
                    .FirstOrDefault(l => l.StartsWith("Max open files", StringComparison.Ordinal));
                var soft = line?["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
                return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }
}
