using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Lockstep.Engine.Tables;

/// <summary>Prepares a statement that holds a user's filter: SQLite's authorizer lets it read the records and nothing else.</summary>
internal static class FilterGuard
{
    private static readonly HashSet<string> Refused = new(StringComparer.OrdinalIgnoreCase)
    {
        "load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "randomblob", "zeroblob",
    };

    public static Statement Prepare(SqliteConnection connection, string sql, string filter, IReadOnlyList<string> fields)
    {
        strdelegate_authorizer authorize = Authorize;
        raw.sqlite3_set_authorizer(connection.Handle, authorize, null);
        try
        {
            var statement = new Statement(connection, sql);
            if (!statement.HasTail) return statement;
            statement.Dispose();
            throw new FilterException(filter, "The filter is more than one expression.", "Give one SQL expression such as \"port > 1000\".");
        }
        catch (SqliteException e)
        {
            string known = fields.Count == 0 ? "the table has no fields yet" : "the fields are " + string.Join(", ", fields.Take(20)) + (fields.Count > 20 ? ", ..." : "");
            throw new FilterException(
                filter, $"The filter is not a valid expression: {Plain(e.Message)}.",
                $"Give one read-only SQL expression over the fields, such as \"port > 1000 and ip like '10.%'\"; {known}.", e);
        }
        finally
        {
            raw.sqlite3_set_authorizer(connection.Handle, (strdelegate_authorizer?)null, null);
            GC.KeepAlive(authorize);
        }
    }

    private static int Authorize(object userData, int action, string first, string second, string database, string view) => action switch
    {
        raw.SQLITE_SELECT => raw.SQLITE_OK,
        raw.SQLITE_READ => first == TableSchema.Rows || first is "json_each" or "json_tree" ? raw.SQLITE_OK : raw.SQLITE_DENY,
        raw.SQLITE_FUNCTION => Refused.Contains(second) ? raw.SQLITE_DENY : raw.SQLITE_OK,
        _ => raw.SQLITE_DENY,
    };

    /// <summary>SQLite's words without the parts that only its own programmers need.</summary>
    private static string Plain(string message)
    {
        int quote = message.IndexOf('\'', StringComparison.Ordinal), last = message.LastIndexOf('\'');
        return quote >= 0 && last > quote && message.StartsWith("SQLite Error", StringComparison.Ordinal) ? message[(quote + 1)..last] : message;
    }
}
