namespace Lockstep.Postgres.Replication;

/// <summary>A transaction whose start the stream has brought, but not yet its end.</summary>
/// <param name="transaction">Its position in the server's log and its id.</param>
/// <param name="first">The index of its first row among the gathered changes.</param>
internal sealed class OpenTransaction(LoggedTransaction transaction, int first)
{
    public LoggedTransaction Transaction => transaction;

    /// <summary>The index of its first row among the gathered changes.</summary>
    public int First { get; set; } = first;

    /// <summary>Whether it changed the table.</summary>
    public bool IsRelevant { get; set; }

    /// <summary>Whether every snapshot of the stretch already shows it.</summary>
    public bool IsShown { get; init; }

    /// <summary>Whether its rows have another form than the table's rows.</summary>
    public bool IsOdd { get; set; }

    /// <summary>Whether clients must start over after it.</summary>
    public bool EndsEpoch { get; set; }

    /// <summary>Whether some of its rows have already been written.</summary>
    public bool IsSpilled { get; set; }

    /// <summary>Whether its rows stay out of the log.</summary>
    public bool IsDropped => IsShown || IsOdd || EndsEpoch;
}
