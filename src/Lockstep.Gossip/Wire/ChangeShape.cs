namespace Lockstep.Gossip.Wire;

/// <summary>
/// What was observed of a change while its line was parsed, so that it need not be parsed again to see whether it fits the data type.
/// </summary>
/// <param name="IsArray">Whether it is an array.</param>
/// <param name="Count">How many elements that has.</param>
/// <param name="StartsWithName">Whether the first of them may be a key or an event's name: is not <c>__proto__</c>.</param>
internal readonly record struct ChangeShape(bool IsArray, int Count, bool StartsWithName);
