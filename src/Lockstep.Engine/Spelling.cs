namespace Lockstep.Engine;

/// <summary>Guesses which known name a user meant by an unknown one.</summary>
internal static class Spelling
{
    /// <summary>The known name most likely meant; empty if none is close.</summary>
    public static string Suggestion(string given, IEnumerable<string> known)
    {
        var nearest = known
            .Select(name => (Name: name, Distance: Distance(given, name)))
            .Where(near => near.Distance <= Math.Max(1, near.Name.TrimStart('-').Length / 3))
            .OrderBy(near => near.Distance)
            .FirstOrDefault();
        return nearest.Name is null ? "" : $" Did you mean '{nearest.Name}'?";
    }

    /// <summary>How many characters to add, drop, replace or swap with their neighbour.</summary>
    private static int Distance(string a, string b)
    {
        if (a.Length > 64)
            return int.MaxValue;
        var rows = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                var changed = rows[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(changed, 1 + Math.Min(rows[i - 1, j], rows[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
            }
        }

        return rows[a.Length, b.Length];
    }
}
