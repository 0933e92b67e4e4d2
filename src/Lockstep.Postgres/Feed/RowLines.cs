using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Turns a query's rows (txid, deleted, data as JSON text) into lines.</summary>
internal static class RowLines
{
    /// <summary>The first column of the key's texts, in queries that return them.</summary>
    public const int KeyAt = 3;

    /// <summary>Appends the reader's current row; its JSON is copied once, from the driver's buffer.</summary>
    /// <param name="lines">Receives the row.</param>
    /// <param name="row">Positioned on the row; a row without a txid gets the horizon as its txid.</param>
    /// <param name="key">The key columns; a row whose key no client can hold is left out.</param>
    /// <param name="horizon">The upper bound of its <c>since</c>.</param>
    /// <param name="sent">Knows which rows were already sent and can be left out; null to leave out none.</param>
    public static void Append(
        this FeedLines lines,
        NpgsqlDataReader row,
        IReadOnlyList<TableColumn> key,
        long horizon,
        SentRows? sent = null
    )
    {
        var txid = row.IsDBNull(0) ? horizon : row.GetInt64(0);
        var isDeleted = row.GetBoolean(1);
        var json = lines.Begin(txid, horizon, isDeleted, checked((int)row.GetBytes(2, 0, null, 0, 0)));
        for (var read = 0; read < json.Count; )
            read += (int)row.GetBytes(2, read, json.Array, json.Offset + read, json.Count - read);
        if (sent?.IsRepeated(txid, isDeleted, json) == true)
            return;
        if (KeyFit.WhatIsWrong(key, json) is { } reason)
            lines.LeaveOutWithKey(reason);
        else
            lines.End();
    }
}
