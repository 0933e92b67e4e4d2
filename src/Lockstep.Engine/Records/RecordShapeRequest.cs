namespace Lockstep.Engine.Records;

/// <summary>What the user said of the records' shape; the rest is told by the first record.</summary>
/// <param name="Dialect">The dialect, or <see cref="Dialect.Auto"/>.</param>
/// <param name="KeyFields">The key fields, or null for <c>id</c>, else the first field.</param>
/// <param name="OrderField">The order field; in the transaction dialect it is always <c>since</c>.</param>
internal sealed record RecordShapeRequest(Dialect Dialect, IReadOnlyList<string>? KeyFields, string OrderField);
