using System.Text.Json;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Parts;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Tests.Faults;

public sealed class FaultListTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_fault_meets_all_requests_the_nth_or_so_many()
    {
        await using var server = await FaultServer.StartAsync(Cancelled);
        var second = server.Faults.Add(new StatusFault { Code = 500, Request = 2 });
        Assert.Equal([200, 500, 200], await StatusesAsync(server, 3));
        Assert.Equal((3, 1), (second.Seen, second.Hits));
        Assert.True(server.Faults.Remove(second.Id));
        var once = server.Faults.Add(new StatusFault { Code = 429, Times = 1 });
        Assert.Equal([429, 200], await StatusesAsync(server, 2));
        server.Faults.Clear();
        server.Faults.Add(new StatusFault { Code = 503 });
        Assert.Equal([503, 503], await StatusesAsync(server, 2));
        Assert.False(server.Faults.Remove(once.Id));
    }

    [Fact]
    public async Task A_path_narrows_it_and_the_log_names_what_took_part()
    {
        await using var server = await FaultServer.StartAsync(Cancelled);
        server.Faults.Add(new StatusFault { Code = 404, Path = "/servers/2" }, "narrow");
        Assert.Contains(
            " 200 ",
            (await server.ReadAllAsync(Cancelled, "/servers/1", "Connection: close\r\n")).Head,
            StringComparison.Ordinal
        );
        Assert.Contains(" 404 ", (await server.ReadAllAsync(Cancelled, "/servers/2")).Head, StringComparison.Ordinal);
        Assert.Empty(server.Requests[0].Faults);
        Assert.Equal(["narrow"], server.Requests[1].Faults);
        Assert.Throws<ArgumentException>(() => server.Faults.Add(new StatusFault(), "Narrow"));
    }

    [Fact]
    public async Task Faults_compose()
    {
        await using var server = await FaultServer.StartAsync(Cancelled);
        server.Faults.Add(new DuplicateFault { AtRecord = 1 });
        server.Faults.Add(new RechunkFault { Size = 7 });
        server.Faults.Add(new CutFault { AtByte = 50 });
        (var head, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Contains("Transfer-Encoding: chunked", head, StringComparison.Ordinal);
        // Seven whole chunks of seven, and one byte of the eighth.
        var seen = string.Concat(
            rest.Split("7\r\n", StringSplitOptions.RemoveEmptyEntries).Select(chunk => chunk.Replace("\r\n", "", StringComparison.Ordinal))
        );
        Assert.Equal((FaultServer.A + FaultServer.A)[..50], seen);
        Assert.Equal(RequestEnding.Cut, (await server.EndOfOnlyRequestAsync()).Ending);
        Assert.Equal(50, server.Requests[0].Bytes);
        Assert.Equal(1, server.Requests[0].Records);
    }

    [Fact]
    public void Every_kind_can_be_made_by_name_and_says_what_it_does_and_takes()
    {
        Assert.Equal(22, FaultKinds.All.Count);
        foreach (var kind in FaultKinds.All)
        {
            var fault = FaultKinds.Create(kind.Name.ToUpperInvariant(), [new("Request", 3)]);
            Assert.EndsWith(", request 3", fault.ToString(), StringComparison.Ordinal);
            Assert.NotEmpty(kind.Description);
            Assert.All(kind.Parameters, parameter => Assert.NotEmpty(parameter.Description));
        }
    }

    [Theory]
    [InlineData("""{"kind":"Cut","atByte":100,"how":"reset","request":2,"id":"x"}""")]
    [InlineData("""{"Id":"x","KIND":"cut","AtByte":"100","How":"Reset","Request":"2"}""")]
    public void JSON_makes_the_same_objects(string json)
    {
        using var document = JsonDocument.Parse(json);
        var fault = Assert.IsType<CutFault>(FaultKinds.Create(document.RootElement, out var id));
        Assert.Equal("x", id);
        Assert.Equal((100, CutKind.Reset, 2), (fault.AtByte, fault.How, fault.Request));
        Assert.Equal("Cut the connection (RST) after byte 100 of the body, request 2", fault.ToString());
    }

    [Fact]
    public void Values_of_other_types_convert()
    {
        var status = (StatusFault)
            FaultKinds.Create(
                "Status",
                [new("Code", 418L), new("Headers", new System.Collections.Hashtable { ["X-A"] = 1 }), new("RetryAfter", 5)]
            );
        Assert.Equal((418, "1", "5"), (status.Code, status.Headers!["x-a"], status.RetryAfter));
        Assert.Equal(TimeSpan.FromSeconds(1.5), ((StallFault)FaultKinds.Create("Stall", [new("Duration", 1.5)])).Duration);
        Assert.Equal(TimeSpan.FromMinutes(2), ((StallFault)FaultKinds.Create("Stall", [new("Duration", "00:02:00")])).Duration);
    }

    [Theory]
    [InlineData("""{"kind":"Cutt"}""", "Cut, Drip")]
    [InlineData("""{"kind":"Cut","atBite":1}""", "AtByte")]
    [InlineData("""{"kind":"Cut","atByte":"x"}""", "AtByte takes Int64")]
    [InlineData("""{"kind":"Cut","how":"Politely"}""", "Fin|Reset")]
    [InlineData("""{"kind":"Cut","atByte":1,"atRecord":1}""", "only one")]
    [InlineData("""{"kind":"Status","code":99}""", "200")]
    [InlineData("""{"kind":"Cut","request":0}""", "at least 1")]
    [InlineData("""{"atByte":1}""", "needs its kind")]
    [InlineData("""[]""", "JSON object")]
    public void A_wrong_parameter_is_refused_with_what_would_be_right(string json, string advice)
    {
        using var document = JsonDocument.Parse(json);
        var error = Assert.ThrowsAny<ArgumentException>(() => FaultKinds.Create(document.RootElement, out _));
        Assert.Contains(advice, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task I9_a_fault_does_not_show_its_secret()
    {
        const string secret = "s3cr3t-value";
        await using var server = await FaultServer.StartAsync(Cancelled);
        var fault = server.Faults.Add("Unauthorized", [new("Token", secret)]);
        Assert.Equal("***", fault.Parameters["token"]);
        Assert.DoesNotContain(secret, fault.ToString(), StringComparison.Ordinal);
    }

    private static async Task<List<int>> StatusesAsync(LockstepTestServer server, int count)
    {
        List<int> statuses = [];
        for (var i = 0; i < count; i++)
        {
            (var head, _) = await server.ReadAllAsync(Cancelled, headers: "Connection: close\r\n");
            statuses.Add(int.Parse(head.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture));
        }
        return statuses;
    }
}
