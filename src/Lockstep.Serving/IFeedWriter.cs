using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>Writes what a client is sent, in the dialect that it is served in. One thread at a time.</summary>
internal interface IFeedWriter
{
    /// <summary>Bytes written.</summary>
    long Bytes { get; }

    /// <summary>Rows among them.</summary>
    long Rows { get; }

    /// <summary>Writes a chunk's rows, and sends all but the last of them; false when the filter left nothing of them.</summary>
    ValueTask<bool> WriteRowsAsync(FeedChunk chunk, CancellationToken cancellationToken);

    /// <summary>Says that the whole set is there, up to a cursor.</summary>
    void WriteCompleted(long since);

    /// <summary>Says that there is nothing more for now, up to a cursor where one is named.</summary>
    void WriteHeartbeat(long? since);

    /// <summary>Says that the connection lives, and nothing of what is still to come.</summary>
    void WriteBlankLine();

    /// <summary>Says where the whole set goes on.</summary>
    /// <param name="address">The page's; of ASCII, without quotes and backslashes.</param>
    void WritePage(string address);

    /// <summary>Says up to where the client has seen every change once what follows has arrived.</summary>
    void WriteMark(FeedMark mark);

    /// <summary>Sends what was written.</summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}
