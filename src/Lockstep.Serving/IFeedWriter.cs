using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>Writes what a client is sent, in its dialect. One thread at a time.</summary>
internal interface IFeedWriter
{
    /// <summary>Bytes written.</summary>
    long Bytes { get; }

    /// <summary>Rows among them.</summary>
    long Rows { get; }

    /// <summary>Writes a chunk's rows, and sends all but the last of them; false if the filter left none.</summary>
    ValueTask<bool> WriteRowsAsync(FeedChunk chunk, CancellationToken cancellationToken);

    /// <summary>Says that the whole set is complete, up to a cursor.</summary>
    void WriteCompleted(long since);

    /// <summary>Says that there is nothing more for now, up to a cursor if one is named.</summary>
    void WriteHeartbeat(long? since);

    /// <summary>Says that the connection is alive, and nothing about what is still to come.</summary>
    void WriteBlankLine();

    /// <summary>Says where the whole set continues.</summary>
    /// <param name="address">The page's; in ASCII, without quotes and backslashes.</param>
    void WritePage(string address);

    /// <summary>Says up to where the client has seen every change once what follows has arrived.</summary>
    void WriteMark(FeedMark mark);

    /// <summary>Sends what was written.</summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}
