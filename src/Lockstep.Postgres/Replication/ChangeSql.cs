using System.Text;
using Lockstep.Postgres.Feed;
using Npgsql.Replication.PgOutput.Messages;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// The query that turns changes into JSON: PostgreSQL converts each value's text back into the value, and builds the row's JSON with the
/// expression that snapshots use, so that a row looks the same wherever it comes from.
/// </summary>
internal sealed class ChangeSql
{
    private readonly TableDescription _table;
    private readonly List<TableColumn> _columns;
    private readonly int[] _key;

    public ChangeSql(TableDescription table)
    {
        _table = table;
        _columns = [.. table.Columns.Where(c => !c.IsGenerated)];
        _key = [.. table.Key.Select(k => _columns.FindIndex(c => c.Name == k.Name))];
        HasGenerated = table.Columns.Any(c => c.IsGenerated);
        Text = Build();
    }

    /// <summary>Whether there are columns that the stream omits, so that each row must be looked up.</summary>
    public bool HasGenerated { get; }

    public IReadOnlyList<TableColumn> KeyColumns => _table.Key;

    /// <summary>The positions of the key among the stream's columns.</summary>
    public ReadOnlySpan<int> Key => _key;

    /// <summary>
    /// Returns txid (the lsn), deleted, data: one row per change, in order, but none for a row that must be looked up and no longer exists.
    /// </summary>
    public string Text { get; }

    /// <summary>
    /// The position of each column in rows of the table or of a partition, as the stream describes them; -1 for a column that did not exist
    /// when they were written and is therefore null. Null if the rows have another form.
    /// </summary>
    /// <remarks>
    /// Columns are added at the end, so rows that lack other columns than the last ones, or have them in another order, were written when a
    /// name belonged to another column. Only a partition may have its own order.
    /// </remarks>
    public int[]? MapOf(RelationMessage relation)
    {
        var places = new int[_columns.Count];
        Array.Fill(places, -1);
        var known = 0;
        for (var i = 0; i < relation.Columns.Count; i++)
        {
            var streamed = relation.Columns[i];

            // From PostgreSQL 18 on a publication may include generated columns; they are looked up all the same.
            if (_table.Columns.Any(c => c.IsGenerated && c.Name == streamed.ColumnName))
                continue;
            var at = _columns.FindIndex(c =>
                c.Name == streamed.ColumnName && c.TypeId == streamed.DataTypeId && c.TypeModifier == streamed.TypeModifier
            );
            if (at < 0 || (at != known && relation.RelationId == _table.Oid))
                return null;
            places[at] = i;
            known++;
        }

        return Array.IndexOf(places, -1) is var end && (end >= 0 ? end : places.Length) == known && Array.TrueForAll(_key, k => k < known)
            ? places
            : null;
    }

    /// <summary>The query's parameters.</summary>
    public object[] Parameters(IReadOnlyList<StreamChange> changes)
    {
        var (whole, partial, gone) = (new List<int>(), new List<int>(), new List<int>());
        for (var i = 0; i < changes.Count; i++)
        {
            (
                changes[i].IsGone ? gone
                : changes[i].Missing is null && !HasGenerated ? whole
                : partial
            ).Add(i);
        }

        var parameters = new List<object>();
        foreach (var group in HasGenerated ? (List<int>[])[partial, gone] : [whole, partial, gone])
        {
            parameters.Add(group.ToArray());
            parameters.Add(group.Select(i => changes[i].Lsn).ToArray());
            if (group != gone)
                parameters.AddRange(_columns.Select((_, c) => group.Select(i => changes[i].Values[c]).ToArray()));
            else
                parameters.AddRange(_key.Select(c => group.Select(i => changes[i].Values[c]).ToArray()));
            if (group == partial)
                parameters.AddRange(_columns.Select((_, c) => group.Select(i => changes[i].Missing?[c] == true).ToArray()));
        }

        return [.. parameters];
    }

    private string Build()
    {
        var sql = new StringBuilder("SELECT x.lsn, x.deleted, x.data FROM (\n");
        var parameter = 0;
        string Next(string type) => FormattableString.Invariant($"${++parameter}::{type}[]");
        string Unnest(string types, IEnumerable<string> names) =>
            $"unnest({Next("int")}, "
            + $"{Next("bigint")}{string.Concat(types.Select(t => ", " + Next(t == 't' ? "text" : "bool")))}) AS t(n, "
            + $"lsn{string.Concat(names.Select(n => ", " + n))})";
        string Cast(int column) => FormattableString.Invariant($"t.c{column}::{_columns[column].Type}");
        var names = Enumerable.Range(0, _columns.Count).Select(i => FormattableString.Invariant($"c{i}")).ToArray();

        if (!HasGenerated)
        {
            var values = string.Join(", ", _columns.Select((c, i) => $"{Cast(i)} AS {Sql.Quote(c.Name)}"));
            sql.Append("SELECT t.n, t.lsn, false, ")
                .Append(FeedSql.Json("d"))
                .Append(" FROM ")
                .Append(Unnest(new string('t', names.Length), names))
                .Append(", LATERAL (SELECT ")
                .Append(values)
                .Append(") AS r, ")
                .Append(FeedSql.Data(_table.Columns, "r"))
                .Append("\nUNION ALL\n");
        }

        var looked = string.Join(
            ", ",
            _table.Columns.Select(c =>
            {
                var (name, at) = (Sql.Quote(c.Name), _columns.IndexOf(c));
                return at < 0
                    ? $"now.{name}"
                    : FormattableString.Invariant($"CASE WHEN t.m{at} THEN now.{name} ELSE {Cast(at)} END AS {name}");
            })
        );
        var same = string.Join(" AND ", _key.Select(c => $"now.{Sql.Quote(_columns[c].Name)} = {Cast(c)}"));
        sql.Append("SELECT t.n, t.lsn, false, ")
            .Append(FeedSql.Json("d"))
            .Append(" FROM ")
            .Append(Unnest(new string('t', names.Length) + new string('b', names.Length), [.. names, .. names.Select(n => "m" + n[1..])]))
            .Append(" JOIN ")
            .Append(_table.SqlName)
            .Append(" AS now ON ")
            .Append(same)
            .Append(", LATERAL (SELECT ")
            .Append(looked)
            .Append(") AS r, ")
            .Append(FeedSql.Data(_table.Columns, "r"));

        var keys = string.Join(", ", _key.Select(c => $"{Cast(c)} AS {Sql.Quote(_columns[c].Name)}"));
        sql.Append("\nUNION ALL\nSELECT t.n, t.lsn, true, ")
            .Append(FeedSql.Json("d"))
            .Append(" FROM ")
            .Append(Unnest(new string('t', _key.Length), _key.Select(c => names[c])))
            .Append(", LATERAL (SELECT ")
            .Append(keys)
            .Append(") AS r, ")
            .Append(FeedSql.Data(_table.Key, "r"));
        return sql.Append("\n) AS x(n, lsn, deleted, data) ORDER BY x.n").ToString();
    }
}
