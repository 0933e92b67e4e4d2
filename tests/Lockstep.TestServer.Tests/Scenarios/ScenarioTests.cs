using Lockstep.Testing;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServer.Tests.Scenarios;

public sealed class ScenarioTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Steps_run_one_after_the_other_and_pause_by_the_servers_clock()
    {
        ManualTimeProvider time = new();
        await using var server = await LockstepTestServer.StartAsync(
            new TestServerOptions { Port = 0, Feed = FeedKind.Scripted },
            time,
            Cancelled
        );
        var run = server.StartScenario(
            Scenario.Parse(
                """
                { "steps": [ // A first record is there before anyone comes.
                  {"send": {"id":1,"updated_at":1}},
                  {"heartbeat": "BlankLine"}, // To nobody.
                  {"waitForClients": 1},
                  {"pause": 3600},
                  {"send": [{"id":2,"updated_at":2},{"id":3,"updated_at":3}]},
                  {"waitForDelivery": true},
                  {"fault": {"kind":"Status","code":503,"times":1,"id":"busy"}},
                  {"close": "Fin"},
                  {"waitForRequests": 2},
                  {"unfault": "busy"},
                ] }
                """
            )
        );
        // The scenario runs beside the test: a client that connects before the third step would get the heartbeat too.
        await run.WaitForStepAsync(3);
        var (client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal("{\"id\":1,\"updated_at\":1}\n", await client.ReadChunkAsync(Cancelled));
            await time.WaitForTimersAsync(1, Cancelled);
            Assert.Equal((4, ScenarioState.Running), (run.Step, run.State));
            time.Advance(TimeSpan.FromHours(1));
            var rest = await client.ReadToEndAsync(Cancelled);
            Assert.StartsWith(
                "18\r\n{\"id\":2,\"updated_at\":2}\n\r\n18\r\n{\"id\":3,\"updated_at\":3}\n\r\n",
                rest,
                StringComparison.Ordinal
            );
        }
        (var turnedAway, var head) = await RawClient.GetAsync(server.Uri, "/servers/3", Cancelled);
        await using (turnedAway)
            Assert.StartsWith("HTTP/1.1 503 ", head, StringComparison.Ordinal);
        await run.Completion;
        Assert.Equal((10, ScenarioState.Completed), (run.Step, run.State));
        Assert.Empty(server.Faults);
    }

    [Fact]
    public async Task A_failed_step_says_why_and_a_second_scenario_waits_its_turn()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled);
        var waits = server.StartScenario(Scenario.Parse("""[{"waitForClients":1}]"""));
        Assert.Throws<InvalidOperationException>(() => server.StartScenario(new Scenario([])));
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
            await waits.Completion;
        var fails = server.StartScenario(Scenario.Parse("""[{"fault":{"kind":"Cut","id":"a"}},{"fault":{"kind":"Cut","id":"a"}}]"""));
        await Assert.ThrowsAsync<ArgumentException>(() => fails.Completion);
        Assert.Equal((ScenarioState.Failed, 2), (fails.State, fails.Step));
        Assert.Contains("fault a already", fails.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_ends_with_the_server()
    {
        var server = await TestServers.StartScriptedAsync(Cancelled);
        var run = server.StartScenario(Scenario.Parse("""[{"pause":86400}]"""));
        await server.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.Completion);
        Assert.Equal(ScenarioState.Stopped, run.State);
    }

    [Theory]
    [InlineData("""[{"sned":{}}]""", "Step 1: There is no step sned. Choose one of close, fault")]
    [InlineData("""[{"pause":1},{"pause":"x"}]""", "Step 2: pause takes a number of seconds")]
    [InlineData("""[{"fault":{"kind":"Cut","atBite":1}}]""", "AtByte")]
    [InlineData("""[{"pause":1,"close":"Fin"}]""", "one member")]
    [InlineData("""[{"send":[1]}]""", "send takes a record")]
    [InlineData("""[{"waitForClients":-1}]""", "whole number")]
    [InlineData("""[{"close":"gently"}]""", "Fin, Reset")]
    [InlineData("""{"step":[]}""", "array of steps")]
    [InlineData("""[""", "not valid JSON")]
    [InlineData("""{"\ud800":[]}""", "not valid JSON")]
    [InlineData("""[{"\ud800":1}]""", "not valid JSON")]
    public void What_cannot_be_understood_is_refused_with_its_step(string json, string advice) =>
        Assert.Contains(advice, Assert.Throws<InvalidScenarioException>(() => Scenario.Parse(json)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_file_can_be_run_from_the_start()
    {
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder["s.json"], """[{"send":{"id":9}},{"waitForClients":1},{"close":true}]""", Cancelled);
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            ScenarioFile = folder["s.json"],
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        Assert.DoesNotContain("\r\n0\r\n\r\n", await client.ReadToEndAsync(Cancelled), StringComparison.Ordinal);
        Assert.Equal(RequestEnding.Cut, (await server.EndOfOnlyRequestAsync()).Ending);
    }
}
