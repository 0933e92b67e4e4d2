using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Rows of a query (txid, deleted, data as JSON text) as lines.</summary>
internal static class RowLines
{
    /// <summary>Where the key's texts begin in rows that have them.</summary>
    public const int KeyAt = 3;

    /// <summary>Appends the reader's row; its JSON is copied once, from the driver's buffer.</summary>
    /// <param name="lines">Gets it.</param>
    /// <param name="row">Positioned on the row; without a txid it gets the horizon for one.</param>
    /// <param name="key">The columns of its key; one that no client can hold is left out.</param>
    /// <param name="horizon">The most that its <c>since</c> may be.</param>
    /// <param name="sent">Knows which rows were sent already, which are left out; null to leave out none.</param>
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
