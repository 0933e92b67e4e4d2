using System.Text.Json;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Which keys clients can hold. A table that can have no such key is refused; a row with an unsuitable key value is left out.
/// </summary>
internal static class KeyFit
{
    /// <summary>Checks that a table can have this key.</summary>
    /// <exception cref="PostgresTableException">It cannot.</exception>
    public static void Check(TableName table, IReadOnlyList<TableColumn> key)
    {
        if (key.FirstOrDefault(k => k.KeyFitness == KeyFitness.Never) is not { } column)
            return;
        throw new PostgresTableException(
            $"The key column {column.Name} of {table} is of type {column.Type}, and a client's key consists of strings and numbers.",
            $"Serve a view that makes it one (say, {Sql.Quote(column.Name)}::text), or give the table another key."
        );
    }

    /// <summary>What is wrong with a row's key, as a sentence in plain ASCII without quotes; null if a client can hold it.</summary>
    /// <param name="key">The key's columns.</param>
    /// <param name="data">The row's JSON, where a number that JSON cannot represent is a string.</param>
    public static string? WhatIsWrong(IReadOnlyList<TableColumn> key, ReadOnlySpan<byte> data)
    {
        // This is the usual case, and needs no parsing.
        if (data.IndexOf("NaN\""u8) < 0 && data.IndexOf("Infinity\""u8) < 0)
            return null;
        var json = new Utf8JsonReader(data, FeedFilter.AnyDepth);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isNumber = false;
            foreach (var column in key)
                isNumber |= column.KeyFitness == KeyFitness.Finite && json.ValueTextEquals(column.Name);
            json.Read();
            if (isNumber && json.TokenType == JsonTokenType.String)
                return $"Its key is {json.GetString()}, and JSON has no such number.";
            json.Skip();
        }

        return null;
    }
}
