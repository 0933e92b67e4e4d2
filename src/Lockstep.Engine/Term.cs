using System.Runtime.CompilerServices;

namespace Lockstep.Engine;

/// <summary>
/// An option or command that a <see cref="Remedy"/> names; each front end has its own word for it. A ref struct, so that the compiler keeps
/// it out of ordinary strings: no front end can show advice in another's words.
/// </summary>
public readonly ref struct Term
{
    private Term(string name, string apiName, string? value = null)
    {
        Name = name;
        ApiName = apiName;
        Value = value;
    }

    /// <summary>Send credentials over plain HTTP.</summary>
    public static Term AllowUnencryptedAuthentication => Named();

    /// <summary>Trust the certificates of a file as the server's issuers.</summary>
    public static Term CertificateAuthority => Named();

    /// <summary>Copy a table to another file.</summary>
    public static Term BackupTable => Named("Table.Backup");

    /// <summary>Empty a table's quarantine.</summary>
    public static Term ClearQuarantined => Named("Table.ClearQuarantined");

    /// <summary>Remove all records of a table.</summary>
    public static Term ClearTable => Named("Table.Clear");

    /// <summary>How long connecting may take.</summary>
    public static Term ConnectionTimeout => Named();

    /// <summary>User name and password.</summary>
    public static Term Credential => Named();

    /// <summary>How the cursor is sent.</summary>
    public static Term CursorStyle => Named();

    /// <summary>Where a copy of a table goes.</summary>
    public static Term Destination => Named("target");

    /// <summary>How another server's feed is read; the value is a dialect's name.</summary>
    public static Term Dialect => Named("Foreign");

    /// <summary>How another server's feed is read, given as keys of a dialect.</summary>
    /// <param name="json">The keys, as a JSON object.</param>
    public static Term DialectWith(string json) => new(nameof(DialectWith), $"{Dialect.ApiName} {json}", json);

    /// <summary>Have PostgreSQL track the changes of a table; the value is the table's name.</summary>
    public static Term EnableTracking => Named("PostgresTracking.EnableAsync");

    /// <summary>The SQL expression that chooses records.</summary>
    public static Term Filter => Named();

    /// <summary>The values of the filter's parameters; the value is the name of one.</summary>
    public static Term FilterParameter => Named("FilterParameters");

    /// <summary>Stay connected to the feed.</summary>
    public static Term Follow => Named();

    /// <summary>How long to follow.</summary>
    public static Term FollowFor => Named();

    /// <summary>Let one whole set through, however much it removes.</summary>
    public static Term Force => Named();

    /// <summary>The fields that are the key.</summary>
    public static Term Key => Named("KeyFields");

    /// <summary>How far before the cursor a connection begins.</summary>
    public static Term Lookback => Named();

    /// <summary>What to do with malformed records.</summary>
    public static Term MalformedRecord => Named();

    /// <summary>The largest record.</summary>
    public static Term MaximumRecordSize => Named();

    /// <summary>How often to retry.</summary>
    public static Term MaximumRetryCount => Named();

    /// <summary>How much memory a sync may take.</summary>
    public static Term MemoryLimit => Named();

    /// <summary>How long a connection may be silent.</summary>
    public static Term OperationTimeout => Named();

    /// <summary>The field that orders the records.</summary>
    public static Term OrderBy => Named();

    /// <summary>Write over a file.</summary>
    public static Term Overwrite => Named("overwrite");

    /// <summary>The table's file.</summary>
    public static Term Path => Named("TablePath");

    /// <summary>Only show what tracking a table would change.</summary>
    public static Term PlanTracking => Named("PostgresTracking.PlanEnableAsync");

    /// <summary>Keep a table file from other users of the machine.</summary>
    public static Term Private => Named("IsPrivate");

    /// <summary>How long to wait between polls of another server's feed.</summary>
    public static Term PollInterval => Named();

    /// <summary>Query options to send with each request.</summary>
    public static Term Query => Named();

    /// <summary>How many malformed records are set aside.</summary>
    public static Term QuarantineLimit => Named();

    /// <summary>Show the malformed records that were set aside.</summary>
    public static Term ReadQuarantined => Named("Table.ReadQuarantined");

    /// <summary>Show the values of a variable and their times; the value is the variable's name.</summary>
    public static Term ReadSchedule => Named("ITickStore.ReadAsync");

    /// <summary>Bind a table to another feed.</summary>
    public static Term Rebind => Named();

    /// <summary>Remove a pending value of a variable; the value is its time.</summary>
    public static Term RemoveScheduled => Named("TickEditor.RemoveAsync");

    /// <summary>Replace a pending value.</summary>
    public static Term Replace => Named("replace");

    /// <summary>Fetch the whole set again.</summary>
    public static Term Resync => Named();

    /// <summary>The wait before another attempt.</summary>
    public static Term RetryInterval => Named();

    /// <summary>After how long without a change a feed without end counts as caught up.</summary>
    public static Term Settle => Named();

    /// <summary>The change to resume from.</summary>
    public static Term Since => Named("since");

    /// <summary>Accept any certificate.</summary>
    public static Term SkipCertificateCheck => Named();

    /// <summary>Have a column <c>deleted</c> of a tracked table mark rows that are gone.</summary>
    public static Term SoftDelete => Named("TrackingOptions.SoftDelete");

    /// <summary>How much of a table a whole set whose end is uncertain may remove.</summary>
    public static Term SweepLimit => Named();

    /// <summary>Sync to a table in PostgreSQL.</summary>
    public static Term SyncToDatabase => Named("TableSync");

    /// <summary>Sync to a table file.</summary>
    public static Term SyncToFile => Named("TableSync");

    /// <summary>The table's name.</summary>
    public static Term Table => Named("TableName");

    /// <summary>A bearer token.</summary>
    public static Term Token => Named("BearerToken");

    /// <summary>A script that supplies the tokens.</summary>
    public static Term TokenProvider => Named("AsksForToken");

    /// <summary>Wait for another writer to end.</summary>
    public static Term Wait => Named("WaitForWriter");

    /// <summary>What front ends know it by: the name of the property that made it.</summary>
    public string Name { get; }

    /// <summary>What it is called in this library.</summary>
    public string ApiName { get; }

    /// <summary>What it is set to or used on; null if the name says enough.</summary>
    public string? Value { get; }

    /// <summary>The same term with what it is set to or used on.</summary>
    public Term For(string value) => new(Name, ApiName, value);

    private static Term Named(string? apiName = null, [CallerMemberName] string name = "") => new(name, apiName ?? name);
}
