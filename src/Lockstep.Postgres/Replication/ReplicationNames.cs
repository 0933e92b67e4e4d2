using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Postgres.Replication;

/// <summary>The names that a database's feeds use on the server for their slot and publication.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Publication">The publication.</param>
/// <param name="OwnsSlot">Whether a slot of this name can only belong to the feeds.</param>
/// <param name="OwnsPublication">Whether the feeds create the publication.</param>
internal sealed record ReplicationNames(string Slot, string Publication, bool OwnsSlot, bool OwnsPublication)
{
    /// <summary>The names for a database. Slots belong to the whole server, so their names include the database.</summary>
    public static ReplicationNames For(PostgresReplicationOptions options, string database)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(database)).AsSpan(0, 4));
        var slot = options.Slot ?? $"{Prefix(database)}{digest}";
        return new ReplicationNames(slot, options.Publication ?? slot, options.Slot is null, options.Publication is null);
    }

    /// <summary>Whether a slot's name is the one that an earlier version gave to a table's own slot.</summary>
    public static bool IsOfOneTable(string slot, TableName table) => slot.StartsWith(Prefix(table.Name), StringComparison.Ordinal);

    private static string Prefix(string name)
    {
        var plain = string.Concat(name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return $"lockstep_{plain[..Math.Min(plain.Length, 40)]}_";
    }
}
