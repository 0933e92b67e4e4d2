namespace Lockstep.Postgres.Feed;

/// <summary>Refuses keys that clients cannot hold, rather than let them set such rows aside one by one.</summary>
internal static class KeyFit
{
    /// <summary>Whether a table can have this key.</summary>
    /// <exception cref="PostgresTableException">It cannot.</exception>
    public static void Check(TableName table, IReadOnlyList<TableColumn> key)
    {
        if (key.FirstOrDefault(k => k.KeyFitness == KeyFitness.Never) is not { } column)
            return;
        throw new PostgresTableException(
            $"The key column {column.Name} of {table} is of type {column.Type}, and a client's key is made of texts and numbers.",
            $"Serve a view that makes it one (say, {Sql.Quote(column.Name)}::text), or give the table another key."
        );
    }

    /// <summary>Whether a row can have this key.</summary>
    /// <param name="table">Whose row.</param>
    /// <param name="column">A column of the key.</param>
    /// <param name="value">Its value as text.</param>
    /// <exception cref="PostgresTableException">It cannot.</exception>
    public static void Check(string table, TableColumn column, string value)
    {
        if (column.KeyFitness != KeyFitness.Finite || value is not ("NaN" or "Infinity" or "-Infinity"))
            return;
        throw new PostgresTableException(
            $"A row of {table} has {value} in its key column {column.Name}, and JSON has no such number.",
            "Give that row another key, or serve a view that leaves it out."
        );
    }
}
