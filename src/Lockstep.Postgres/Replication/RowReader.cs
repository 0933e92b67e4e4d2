using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;

namespace Lockstep.Postgres.Replication;

/// <summary>Reads rows from the stream's messages, which hold them only until the next message is requested.</summary>
internal static class RowReader
{
    /// <summary>The table of the row that a message changes; null if it changes none.</summary>
    public static RelationMessage? RelationOf(PgOutputReplicationMessage message) =>
        message switch
        {
            InsertMessage insert => insert.Relation,
            UpdateMessage update => update.Relation,
            DeleteMessage delete => delete.Relation,
            _ => null,
        };

    /// <summary>What a message says about a row: that it left a key, that it is now under another key, or both.</summary>
    /// <param name="message">The message.</param>
    /// <param name="places">The positions of the columns of <paramref name="sql"/> in it.</param>
    /// <param name="transaction">The transaction to which it belongs.</param>
    /// <param name="sql">The query that turns the row into JSON.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidDataException">It does not identify the row.</exception>
    public static async Task<IReadOnlyList<StreamChange>> ReadAsync(
        PgOutputReplicationMessage message,
        int[] places,
        LoggedTransaction transaction,
        ChangeSql sql,
        CancellationToken cancellationToken
    )
    {
        Row? before = null,
            after = null;
        switch (message)
        {
            case InsertMessage insert:
                after = await ReadAsync(insert.NewRow, places, cancellationToken).ConfigureAwait(false);
                break;
            case IndexUpdateMessage update:
                before = await ReadAsync(update.Key, places, cancellationToken).ConfigureAwait(false);
                after = await ReadAsync(update.NewRow, places, cancellationToken).ConfigureAwait(false);
                break;
            case FullUpdateMessage update:
                before = await ReadAsync(update.OldRow, places, cancellationToken).ConfigureAwait(false);
                after = await ReadAsync(update.NewRow, places, cancellationToken).ConfigureAwait(false);
                break;
            case UpdateMessage update:
                after = await ReadAsync(update.NewRow, places, cancellationToken).ConfigureAwait(false);
                break;
            case KeyDeleteMessage delete:
                before = await ReadAsync(delete.Key, places, cancellationToken).ConfigureAwait(false);
                break;
            case FullDeleteMessage delete:
                before = await ReadAsync(delete.OldRow, places, cancellationToken).ConfigureAwait(false);
                break;
        }

        if (before is not null && after is not null)
            after = Complete(after, before, sql, isFull: message is FullUpdateMessage);
        var changes = new List<StreamChange>(2);
        if (before is not null && (after is null || !SameKey(before, after, sql)))
            changes.Add(new StreamChange(transaction.Lsn, transaction.Txid, before.Values, null, IsGone: true));
        if (after is not null)
            changes.Add(new StreamChange(transaction.Lsn, transaction.Txid, after.Values, after.Missing, IsGone: false));
        foreach (var change in changes)
        {
            foreach (var column in sql.Key)
            {
                if (change.Values[column] is null)
                    throw new InvalidDataException("A change in the stream lacks the key of its row.");
            }
        }

        return changes;
    }

    /// <summary>
    /// Fills in the values that the stream omitted from the new row from the old row, of which there may be all columns or only the key.
    /// </summary>
    private static Row Complete(Row after, Row before, ChangeSql sql, bool isFull)
    {
        if (after.Missing is null)
            return after;
        for (var i = 0; i < after.Values.Length; i++)
        {
            if (!after.Missing[i] || !(isFull || sql.Key.Contains(i)))
                continue;
            (after.Values[i], after.Missing[i]) = (before.Values[i], false);
        }

        return Array.TrueForAll(after.Missing, m => !m) ? after with { Missing = null } : after;
    }

    private static bool SameKey(Row before, Row after, ChangeSql sql)
    {
        foreach (var column in sql.Key)
        {
            if (before.Values[column] != after.Values[column])
                return false;
        }

        return true;
    }

    private static async Task<Row> ReadAsync(ReplicationTuple tuple, int[] places, CancellationToken cancellationToken)
    {
        var values = new string?[tuple.NumColumns];
        bool[]? missing = null;
        var i = 0;
        await foreach (var value in tuple.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (value.IsUnchangedToastedValue)
                (missing ??= new bool[values.Length])[i] = true;
            else if (!value.IsDBNull)
                values[i] = await value.Get<string>(cancellationToken).ConfigureAwait(false);
            i++;
        }

        return new Row(
            Array.ConvertAll(places, at => at < 0 ? null : values[at]),
            missing is null ? null : Array.ConvertAll(places, at => at >= 0 && missing[at])
        );
    }

    private sealed record Row(string?[] Values, bool[]? Missing);
}
