using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Rows of a query (txid, deleted, data as JSON text) as lines.</summary>
internal static class RowLines
{
    /// <summary>Where the key's texts begin in rows that have them.</summary>
    public const int KeyAt = 3;

    /// <summary>Appends a row of which the key is known, if a client can hold that.</summary>
    /// <inheritdoc cref="Append(FeedLines, NpgsqlDataReader, long, SentRows?)"/>
    /// <exception cref="PostgresTableException">It cannot.</exception>
    public static void Append(this FeedLines lines, NpgsqlDataReader row, TableDescription table, long horizon, SentRows? sent = null)
    {
        for (var i = 0; i < table.Key.Count; i++)
        {
            if (table.Key[i].KeyFitness == KeyFitness.Finite)
                KeyFit.Check(table.SqlName, table.Key[i], row.GetString(KeyAt + i));
        }

        lines.Append(row, horizon, sent);
    }

    /// <summary>Appends the reader's row; its JSON is copied once, from the driver's buffer.</summary>
    /// <param name="lines">Gets it.</param>
    /// <param name="row">Stands on the row; without a txid it gets the horizon for one.</param>
    /// <param name="horizon">The most that its <c>since</c> may be.</param>
    /// <param name="sent">Knows which rows were sent already, which are left out; null to leave out none.</param>
    public static void Append(this FeedLines lines, NpgsqlDataReader row, long horizon, SentRows? sent = null)
    {
        var txid = row.IsDBNull(0) ? horizon : row.GetInt64(0);
        var isDeleted = row.GetBoolean(1);
        var json = lines.Begin(txid, horizon, isDeleted, checked((int)row.GetBytes(2, 0, null, 0, 0)));
        for (var read = 0; read < json.Count; )
            read += (int)row.GetBytes(2, read, json.Array, json.Offset + read, json.Count - read);
        if (sent?.IsRepeated(txid, isDeleted, json) != true)
            lines.End();
    }
}
