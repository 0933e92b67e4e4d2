using System.Text;
using Lockstep.Postgres.Replication;

namespace Lockstep.Postgres.Tests.Replication;

public sealed class CommitPositionTests
{
    [Fact]
    public void A_commit_that_begins_where_the_last_one_ended_is_still_to_come()
    {
        var lines = Encoding.UTF8.GetBytes("{\"txid\":9,\"data\":{}}\n{\"txid\":10,\"data\":{}}\n{\"txid\":11,\"data\":{}}\n");

        var rest = new CommitPosition(10).Rest(lines);

        Assert.Equal("{\"txid\":10,\"data\":{}}\n{\"txid\":11,\"data\":{}}\n", Encoding.UTF8.GetString(rest.Span));
    }
}
