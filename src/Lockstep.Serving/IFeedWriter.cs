using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>Writes what a client is sent, in its dialect. One thread at a time.</summary>
internal interface IFeedWriter
{
    /// <summary>Bytes written.</summary>
    long Bytes { get; }

    /// <summary>Rows written.</summary>
    long Rows { get; }

    /// <summary>Writes a chunk's rows, and sends all but the last slice; false if the filter left none.</summary>
    ValueTask<bool> WriteRowsAsync(FeedChunk chunk, CancellationToken cancellationToken);

    /// <summary>Writes that the whole set is complete, up to a cursor.</summary>
    void WriteCompleted(long since);

    /// <summary>Writes that there is nothing more for now, up to a cursor if one is given.</summary>
    void WriteHeartbeat(long? since);

    /// <summary>Shows that the connection is alive, without saying anything about what is still to come.</summary>
    void WriteBlankLine();

    /// <summary>Writes where the whole set continues.</summary>
    /// <param name="address">The page's address; in ASCII, without quotes or backslashes.</param>
    void WritePage(string address);

    /// <summary>Writes the mark up to which the client has seen every change once what follows has arrived.</summary>
    void WriteMark(FeedMark mark);

    /// <summary>Sends what was written.</summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}
