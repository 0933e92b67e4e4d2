using Lockstep.Engine.Records;

namespace Lockstep.TestServer.Feeds;

/// <summary>One record of a scripted feed, ready to be sent: every client gets the same memory.</summary>
/// <param name="Bytes">UTF-8 JSON with the separator after it.</param>
/// <param name="Order">Its order value.</param>
/// <param name="Deleted">Whether it is a tombstone.</param>
internal sealed record FeedRecord(ReadOnlyMemory<byte> Bytes, OrderValue Order, bool Deleted);
