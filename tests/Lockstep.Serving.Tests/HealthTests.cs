using System.Net;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

public sealed class HealthTests
{
    private readonly ManualTimeProvider _time = new(DateTimeOffset.UnixEpoch);
    private readonly ScriptedSource _well = new("well");
    private readonly ScriptedSource _sick = new("sick/one");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_feed_that_cannot_be_read_makes_the_server_unready_and_not_dead()
    {
        await using var server = await StartAsync();
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, "readyz"));
        _sick.CheckError = new FeedUnavailableException("away", TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await GetAsync(server, "readyz"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await GetAsync(server, "healthz"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, "livez"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, "readyz/well"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await GetAsync(server, "readyz/sick%2Fone"));
        Assert.Equal(HttpStatusCode.NotFound, await GetAsync(server, "readyz/other"));
        _sick.CheckError = null;
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, "readyz"));
    }

    [Fact]
    public async Task A_read_that_hangs_is_not_waited_for_and_is_shared_by_all_who_ask()
    {
        _sick.Hangs = true;
        var health = new FeedHealth(_sick, _time, Cancel);
        Task<bool>[] asked = [.. Enumerable.Range(0, 5).Select(_ => health.IsReadyAsync(Cancel))];
        await _time.WaitForTimersAsync(1, Cancel);
        _time.Advance(FeedHealth.Timeout);
        Assert.All(await Task.WhenAll(asked), Assert.False);
        Assert.Equal(1, _sick.Checks);
    }

    [Fact]
    public async Task The_health_of_one_feed_needs_its_credential()
    {
        await using var server = await StartAsync(FeedCredential.Bearer("secret"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, "readyz"));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(server, "readyz/well"));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(server, "readyz/other"));
    }

    [Theory]
    [InlineData("livez", HttpStatusCode.OK)]
    [InlineData("readyz", HttpStatusCode.Forbidden)]
    public async Task Whether_it_lives_is_told_under_any_name(string path, HttpStatusCode status)
    {
        await using var server = await StartAsync();
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
        request.Headers.Host = "some.service";
        using var response = await client.SendAsync(request, Cancel);
        Assert.Equal(status, response.StatusCode);
    }

    private Task<FeedServer> StartAsync(params FeedCredential[] credentials) =>
        FeedServer.StartAsync([_well, _sick], new FeedServerOptions { Credentials = credentials }, _time, Cancel);

    private static async Task<HttpStatusCode> GetAsync(FeedServer server, string path)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(server.Uri, path), Cancel);
        return response.StatusCode;
    }
}
