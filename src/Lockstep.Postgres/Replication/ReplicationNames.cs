using System.Security.Cryptography;
using System.Text;

namespace Lockstep.Postgres.Replication;

/// <summary>What a feed calls its slot and its publication on the server.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Publication">The publication.</param>
/// <param name="OwnsSlot">Whether a slot of the name can only be this feed's.</param>
/// <param name="OwnsPublication">Whether the feed makes the publication.</param>
internal sealed record ReplicationNames(string Slot, string Publication, bool OwnsSlot, bool OwnsPublication)
{
    /// <summary>The names for a table of a database: slots are the whole server's, so theirs tell databases apart.</summary>
    public static ReplicationNames For(PostgresReplicationOptions options, TableName table, string database)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{database}\n{table.ToSql()}")).AsSpan(0, 4));
        var plain = string.Concat(table.Name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        var slot = options.Slot ?? $"lockstep_{plain[..Math.Min(plain.Length, 40)]}_{digest}";
        return new ReplicationNames(slot, options.Publication ?? slot, options.Slot is null, options.Publication is null);
    }
}
