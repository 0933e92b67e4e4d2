namespace Lockstep.Engine.Tables;

/// <summary>
/// Records that were deleted with their parent. Their changes are read from the table when they are reported: there may be any number.
/// </summary>
/// <param name="Parent">The key that theirs begin with.</param>
/// <param name="After">The sequence number before the first of their changes.</param>
/// <param name="Last">That of the last one. In between, the numbers ascend with the keys.</param>
internal readonly record struct DeletedChildren(byte[] Parent, long After, long Last)
{
    /// <summary>Whether a change with this sequence number is one of theirs.</summary>
    public bool Has(long sequence) => sequence > After && sequence <= Last;
}
