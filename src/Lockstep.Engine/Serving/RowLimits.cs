using System.Globalization;
using System.Text.Json;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Serving;

/// <summary>The versions of rows that a source has left out of its feed.</summary>
/// <param name="Count">How many, as far as they can be distinguished; old ones may count twice.</param>
/// <param name="Last">The last one, its key and what is wrong with it; null if there is none.</param>
public sealed record LeftOutRows(long Count, string? Last)
{
    /// <summary>None.</summary>
    public static LeftOutRows None { get; } = new(0, null);
}

/// <summary>
/// Which rows a client can accept. One that is too large or nested too deep would end the sync of each client, whatever else there is for
/// it: it is left out, and its key is reported, to clients with a control row and to the operator in the log. One for each source.
/// Thread-safe.
/// </summary>
/// <param name="feed">The feed's name, for the log.</param>
/// <param name="maximumBytes">The longest line of a row.</param>
/// <param name="checksJson">Whether the source's rows may be anything, as in a file from elsewhere; a database has checked its own.</param>
/// <param name="logger">Gets each version of a row that is left out, once.</param>
internal sealed partial class RowLimits(string feed, int maximumBytes, bool checksJson, ILogger logger)
{
    /// <summary>What clients accept by default.</summary>
    public const int DefaultBytes = FrameReader.DefaultMaximumLength;

    /// <summary>How deep a row's data may be nested: its line adds one level.</summary>
    public const int MaximumDepth = RecordParser.MaximumDepth - 1;

    /// <summary>How many versions are remembered.</summary>
    private const int MostKnown = 10_000;

    private readonly Lock _gate = new();
    private readonly HashSet<(string Key, long Transaction)> _known = [];
    private LeftOutRows _leftOut = LeftOutRows.None;

    /// <summary>What was left out so far.</summary>
    public LeftOutRows LeftOut => Volatile.Read(ref _leftOut);

    /// <summary>What is wrong with a row, as a sentence in plain ASCII without quotes; null if a client can accept it.</summary>
    /// <param name="line">How long its line is, in bytes.</param>
    /// <param name="data">Its JSON.</param>
    public string? WhatIsWrong(int line, ReadOnlySpan<byte> data) =>
        line > maximumBytes
            ? string.Create(CultureInfo.InvariantCulture, $"The row takes {line} bytes; the largest record is {maximumBytes}.")
        : !IsReadable(data) ? "The row is not a JSON object."
        : IsTooDeep(data) ? string.Create(CultureInfo.InvariantCulture, $"The row is nested deeper than {MaximumDepth} levels.")
        : null;

    /// <summary>Whether a row is so large by itself that its line need not be made to know it.</summary>
    public bool IsTooLarge(ReadOnlySpan<byte> data) => data.Length > maximumBytes;

    /// <summary>Whether a row is JSON, so that its key can be read.</summary>
    public bool IsReadable(ReadOnlySpan<byte> data) => !checksJson || JsonText.IsObject(data);

    /// <summary>A version of a row was left out.</summary>
    public void Tell(string key, long transaction, string reason)
    {
        lock (_gate)
        {
            if (_known.Count >= MostKnown)
                _known.Clear();
            if (!_known.Add((key, transaction)))
                return;
            Volatile.Write(ref _leftOut, new LeftOutRows(_leftOut.Count + 1, $"{key}: {reason}"));
        }

        Log(logger, feed, key, reason);
    }

    private static bool IsTooDeep(ReadOnlySpan<byte> data)
    {
        // With fewer brackets nothing can be nested that deep, which is the rule.
        if (data.Count((byte)'{') + data.Count((byte)'[') <= MaximumDepth)
            return false;
        var json = new Utf8JsonReader(data, FeedFilter.AnyDepth);
        while (json.Read())
        {
            if (json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray && json.CurrentDepth >= MaximumDepth)
                return true;
        }

        return false;
    }

    [LoggerMessage(30, LogLevel.Warning, "{Feed} leaves out the row {Key}, which clients then lack. {Reason}")]
    private static partial void Log(ILogger logger, string feed, string key, string reason);
}
