using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables.Native;

/// <summary>
/// A prepared statement. Bound memory is not copied: it must stay in place (pinned) until the next <see cref="Reset"/>. One thread at a
/// time; disposed before its connection.
/// </summary>
internal sealed unsafe class Statement : IDisposable
{
    private const uint Persistent = 1;
    private static readonly nint Transient = -1;

    private readonly nint _database;
    private nint _handle;

    public Statement(SqliteConnection connection, string sql)
    {
        _database = connection.Handle!.DangerousGetHandle();
        var utf8 = Encoding.UTF8.GetBytes(sql);
        fixed (byte* pointer = utf8)
        {
            var code = NativeSqlite.Prepare(_database, pointer, utf8.Length, Persistent, out _handle, out var tail);
            if (code != NativeSqlite.Ok)
                throw Error(code);
            var rest = new ReadOnlySpan<byte>(tail, (int)(pointer + utf8.Length - tail));
            HasTail = rest.IndexOfAnyExcept(" \t\r\n;"u8) >= 0;
        }
    }

    /// <summary>Whether anything follows the first statement in the text.</summary>
    public bool HasTail { get; }

    /// <summary>The names of the parameters with their prefix, by index from 1.</summary>
    public IEnumerable<(int Index, string Name)> Parameters
    {
        get
        {
            for (var i = 1; i <= NativeSqlite.ParameterCount(_handle); i++)
            {
                yield return (i, Marshal.PtrToStringUTF8(NativeSqlite.ParameterName(_handle, i)) ?? "?");
            }
        }
    }

    public void Bind(int index, long value) => Check(NativeSqlite.BindInteger(_handle, index, value));

    public void Bind(int index, double value) => Check(NativeSqlite.BindDouble(_handle, index, value));

    public void BindNull(int index) => Check(NativeSqlite.BindNull(_handle, index));

    /// <summary>Binds UTF-8 text in pinned memory.</summary>
    public void BindPinnedText(int index, ReadOnlySpan<byte> pinned)
    {
        fixed (byte* pointer = pinned)
            Check(NativeSqlite.BindStaticText(_handle, index, NotNull(pointer), pinned.Length, 0));
    }

    /// <summary>Binds bytes in pinned memory.</summary>
    public void BindPinnedBlob(int index, ReadOnlySpan<byte> pinned)
    {
        fixed (byte* pointer = pinned)
            Check(NativeSqlite.BindStaticBlob(_handle, index, NotNull(pointer), pinned.Length, 0));
    }

    /// <summary>Binds a copy of UTF-8 text.</summary>
    public void BindText(int index, ReadOnlySpan<byte> text)
    {
        fixed (byte* pointer = text)
            Check(NativeSqlite.BindText(_handle, index, NotNull(pointer), text.Length, Transient));
    }

    /// <summary>Binds a copy of bytes.</summary>
    public void BindBlob(int index, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* pointer = bytes)
            Check(NativeSqlite.BindBlob(_handle, index, NotNull(pointer), bytes.Length, Transient));
    }

    /// <summary>Advances to the next row; false if there is none.</summary>
    public bool Step()
    {
        var code = NativeSqlite.Step(_handle);
        if (code == NativeSqlite.Row)
            return true;
        if (code == NativeSqlite.Done)
            return false;
        var error = Error(code);
        Reset();
        throw error;
    }

    /// <summary>Runs a statement that returns no rows, and resets it.</summary>
    public void Execute()
    {
        Step();
        Reset();
    }

    /// <summary>Like <see cref="Execute"/>; returns the number of rows that it changed.</summary>
    public int ExecuteAndCount()
    {
        Execute();
        return NativeSqlite.Changes(_database);
    }

    /// <summary>
    /// Makes it ready to run again. <see cref="Step"/> has already reported how the last run ended; SQLite repeats that here.
    /// </summary>
    public void Reset() => _ = NativeSqlite.Reset(_handle);

    public bool IsNull(int column) => NativeSqlite.ColumnType(_handle, column) == NativeSqlite.NullType;

    public bool IsInteger(int column) => NativeSqlite.ColumnType(_handle, column) == NativeSqlite.IntegerType;

    public long Integer(int column) => NativeSqlite.ColumnInteger(_handle, column);

    /// <summary>The bytes of a text or blob column; valid until the next step or reset.</summary>
    public ReadOnlySpan<byte> Bytes(int column)
    {
        var pointer = NativeSqlite.ColumnBlob(_handle, column);
        return new ReadOnlySpan<byte>(pointer, NativeSqlite.ColumnBytes(_handle, column));
    }

    public void Dispose()
    {
        if (_handle == 0)
            return;
        _ = NativeSqlite.Finalize(_handle);
        _handle = 0;
    }

    private void Check(int code)
    {
        if (code != NativeSqlite.Ok)
            throw Error(code);
    }

    /// <summary>A null pointer would bind NULL; an empty value is not NULL.</summary>
    private static byte* NotNull(byte* pointer) => pointer == null ? (byte*)1 : pointer;

    private SqliteException Error(int code) =>
        new(
            Marshal.PtrToStringUTF8(NativeSqlite.ErrorMessage(_database)) ?? "SQLite error",
            code & 0xFF,
            NativeSqlite.ExtendedErrorCode(_database)
        );
}
