namespace Lockstep.TestServer.Foreign;

/// <summary>A document that contains a list, as bytes.</summary>
/// <param name="head">The text before the items.</param>
/// <param name="items">The items.</param>
/// <param name="tail">The text after them.</param>
/// <param name="separator">The text between two items.</param>
internal sealed class JsonPage(string head, IReadOnlyList<ReadOnlyMemory<byte>> items, string tail, string separator = ",")
{
    public ReadOnlyMemory<byte> Head { get; } = JsonBody.Bytes(head);

    public IReadOnlyList<ReadOnlyMemory<byte>> Items => items;

    public ReadOnlyMemory<byte> Tail { get; } = JsonBody.Bytes(tail);

    public ReadOnlyMemory<byte> Separator { get; } = JsonBody.Bytes(separator);

    /// <summary>Its length in bytes.</summary>
    public long Length =>
        Head.Length + Tail.Length + items.Sum(item => (long)item.Length) + ((long)Math.Max(0, items.Count - 1) * Separator.Length);
}
