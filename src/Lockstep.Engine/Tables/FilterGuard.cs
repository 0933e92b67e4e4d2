using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Lockstep.Engine.Tables;

/// <summary>Prepares a statement that contains a user's filter: SQLite's authorizer lets it read the records and nothing else.</summary>
internal static class FilterGuard
{
    /// <summary>SQLITE_DBCONFIG_DQS_DML.</summary>
    private const int DoubleQuotedStrings = 1013;

    /// <summary>The maximum length of a filter in characters.</summary>
    public const int MaximumLength = 64 * 1024;

    /// <summary>The maximum bytes of a text that a filter creates or reads: four of the largest records.</summary>
    public const int MaximumText = 64 << 20;

    private static readonly HashSet<string> Refused = new(StringComparer.OrdinalIgnoreCase)
    {
        "load_extension",
        "fts3_tokenizer",
        "readfile",
        "writefile",
        "edit",
        "randomblob",
        "zeroblob",
    };

    /// <summary>A filter as embedded in a statement: a line end keeps a comment from swallowing what follows.</summary>
    public static string Embed(string filter) => $"\n{filter}\n";

    /// <summary>Refuses a filter that is empty or too long.</summary>
    /// <exception cref="FilterException">It is.</exception>
    public static void RequireLength(string filter)
    {
        if (string.IsNullOrWhiteSpace(filter))
        {
            throw new FilterException(
                filter,
                "The filter is empty.",
                $"Leave {Term.Filter} out, or give an SQL expression such as \"port > 1000\"."
            );
        }

        if (filter.Length > MaximumLength)
        {
            throw new FilterException(
                filter[..100] + "...",
                $"The filter has {filter.Length} characters; the limit is {MaximumLength}.",
                "Use a shorter one. Put many values into a list: \"id in (1, 2, 3)\", or are looked up by key."
            );
        }
    }

    /// <summary>Prepares a statement with a filter in it.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="sql">The statement, with the filter in it in brackets, as <see cref="ExactFilter"/> writes it.</param>
    /// <param name="filter">The filter.</param>
    /// <param name="source">What the statement reads from.</param>
    /// <param name="fields">The fields, for an error's advice.</param>
    public static Statement Prepare(SqliteConnection connection, string sql, string filter, string source, IReadOnlyList<string> fields)
    {
        // A short expression can ask for gigabytes.
        raw.sqlite3_limit(connection.Handle, raw.SQLITE_LIMIT_LENGTH, MaximumText);
        strdelegate_authorizer authorize = Authorize;
        raw.sqlite3_set_authorizer(connection.Handle, authorize, null);
        // An unknown name is an error, not the text between its double quotes.
        raw.sqlite3_db_config(connection.Handle, DoubleQuotedStrings, 0, out _);
        try
        {
            RequireOneExpression(connection, filter, source);
            var statement = new Statement(connection, sql);
            if (!statement.HasTail)
                return statement;
            statement.Dispose();
            throw NotOne(filter);
        }
        catch (SqliteException e)
        {
            var known =
                fields.Count == 0
                    ? "the table has no fields yet"
                    : "the fields are " + string.Join(", ", fields.Take(20)) + (fields.Count > 20 ? ", ..." : "");
            throw new FilterException(
                filter,
                $"The filter is not a valid expression: {Plain(e.Message)}",
                FilterMistake.Find(filter, Plain(e.Message).TrimEnd('.'), fields) is { } meant
                    ? (Remedy)$"{meant}; {known}."
                    : $"Give one read-only SQL expression over the fields, such as \"port > 1000 and ip like '10.%'\"; {known}.",
                e
            );
        }
        finally
        {
            raw.sqlite3_set_authorizer(connection.Handle, (strdelegate_authorizer?)null, null);
            GC.KeepAlive(authorize);
        }
    }

    /// <summary>Runs a step of a statement; a failure caused by the filter comes out as a <see cref="FilterException"/>.</summary>
    public static bool Run(string? filter, Func<bool> step)
    {
        try
        {
            return step();
        }
        catch (SqliteException e)
            when (filter is not null && e.SqliteErrorCode is raw.SQLITE_ERROR or raw.SQLITE_TOOBIG or raw.SQLITE_NOMEM)
        {
            throw new FilterException(
                filter,
                $"The filter cannot be evaluated: {Plain(e.Message)}",
                "Change the expression so that it can be evaluated for every record, for example with typeof() or json_valid().",
                e
            );
        }
    }

    /// <summary>
    /// A filter that closes its bracket early, to continue with SQL of its own, needs different words after it in a SELECT list than in a
    /// CASE: whatever is an expression in both places is a single expression.
    /// </summary>
    private static void RequireOneExpression(SqliteConnection connection, string filter, string source)
    {
        foreach (
            var sql in (string[])[$"SELECT ({Embed(filter)}) FROM {source}", $"SELECT CASE WHEN ({Embed(filter)}) THEN 1 END FROM {source}"]
        )
        {
            using var statement = new Statement(connection, sql);
            if (statement.HasTail)
                throw NotOne(filter);
        }
    }

    private static FilterException NotOne(string filter) =>
        new(filter, "The filter is more than one expression.", "Give one SQL expression such as \"port > 1000\".");

    private static int Authorize(object userData, int action, string first, string second, string database, string view) =>
        action switch
        {
            raw.SQLITE_SELECT => raw.SQLITE_OK,
            raw.SQLITE_READ => first == TableSchema.Rows || first is "json_each" or "json_tree" ? raw.SQLITE_OK : raw.SQLITE_DENY,
            raw.SQLITE_FUNCTION => Refused.Contains(second) ? raw.SQLITE_DENY : raw.SQLITE_OK,
            _ => raw.SQLITE_DENY,
        };

    /// <summary>SQLite's messages without the parts that only SQLite's developers need.</summary>
    private static string Plain(string message)
    {
        int quote = message.IndexOf('\'', StringComparison.Ordinal),
            last = message.LastIndexOf('\'');
        var plain =
            quote >= 0 && last > quote && message.StartsWith("SQLite Error", StringComparison.Ordinal)
                ? message[(quote + 1)..last]
                : message;
        return plain is [.., '.' or '?' or '!'] ? plain : plain + ".";
    }
}
