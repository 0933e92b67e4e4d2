namespace Lockstep.Engine.Tables;

/// <summary>What the bodies of a table's feed have shown of their end: what silence in the next one means depends on it.</summary>
internal enum FeedEnding
{
    /// <summary>Nothing yet.</summary>
    Unknown = 0,

    /// <summary>One has ended by itself, so that a pause is no end.</summary>
    Ends = 1,

    /// <summary>It goes on for ever: it repeated itself, or gave signs of life when it had nothing to say.</summary>
    Endless = 2,

    /// <summary>It stayed open and sent nothing at all at its cursor: nobody can tell an endless feed from one that hangs.</summary>
    Quiet = 3,
}
