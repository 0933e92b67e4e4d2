namespace Lockstep.Engine.Records;

/// <summary>Whether bytes are JSON as far as they have been read.</summary>
internal enum ScanStatus : byte
{
    Ok = 0,

    /// <summary>The bytes end within the value.</summary>
    Incomplete,

    /// <summary>The bytes are no JSON.</summary>
    Invalid,
}
