namespace Lockstep;

/// <summary>What a sync does with a malformed record.</summary>
public enum MalformedRecordAction
{
    /// <summary>It ends with an error; what came before the record is committed.</summary>
    Stop = 0,

    /// <summary>It sets the record aside in the table file and goes on.</summary>
    Quarantine = 1,
}
