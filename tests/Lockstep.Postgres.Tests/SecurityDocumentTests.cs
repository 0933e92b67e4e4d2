using Lockstep.Testing;

namespace Lockstep.Postgres.Tests;

/// <summary>The limits of PostgreSQL feeds in docs/SECURITY.md are those of the code.</summary>
public sealed class SecurityDocumentTests
{
    [Fact]
    public void A_limit_in_the_document_is_that_of_the_code() =>
        Assert.Equal(
            new PostgresFeedOptions { Table = new TableName(null, "t") }.SpillBytes >> 30,
            DocumentedLimits.Of("PostgresFeedOptions.SpillBytes")
        );
}
