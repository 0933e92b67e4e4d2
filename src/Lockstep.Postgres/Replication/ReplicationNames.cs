using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Postgres.Replication;

/// <summary>The names that the feeds of a database use for their slot and their publication on the server.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Publication">The publication.</param>
/// <param name="OwnsSlot">Whether a slot with this name can only be theirs.</param>
/// <param name="OwnsPublication">Whether the feeds create the publication.</param>
internal sealed record ReplicationNames(string Slot, string Publication, bool OwnsSlot, bool OwnsPublication)
{
    /// <summary>The names for a database: slots belong to the whole server, so their names distinguish databases.</summary>
    public static ReplicationNames For(PostgresReplicationOptions options, string database)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(database)).AsSpan(0, 4));
        var slot = options.Slot ?? $"{Prefix(database)}{digest}";
        return new ReplicationNames(slot, options.Publication ?? slot, options.Slot is null, options.Publication is null);
    }

    /// <summary>Whether a slot has the name that an earlier version gave the one of a table alone.</summary>
    public static bool IsOfOneTable(string slot, TableName table) => slot.StartsWith(Prefix(table.Name), StringComparison.Ordinal);

    private static string Prefix(string name)
    {
        var plain = string.Concat(name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return $"lockstep_{plain[..Math.Min(plain.Length, 40)]}_";
    }
}
