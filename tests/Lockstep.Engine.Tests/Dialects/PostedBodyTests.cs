using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Feeds that are requested with POST: GraphQL, and the gateway of etcd.</summary>
public sealed class PostedBodyTests : SyncTest
{
    private readonly List<JsonNode> _asked = [];

    [Fact]
    public async Task A_connection_of_GraphQL_is_read_in_pages_and_what_it_lacks_later_is_gone()
    {
        List<int> numbers = [.. Enumerable.Range(1, 5)];
        await using var server = await StartAsync(body => Issues(numbers, body, size: 2));
        var dialect = await File.ReadAllTextAsync(RepositoryFile.PathOf("examples/dialects/github-graphql.json"), Cancellation);

        var first = await SyncAsync(server, dialect);
        numbers.Remove(2);
        numbers.Add(6);
        var second = await SyncAsync(server, dialect);

        Assert.Equal(("5 0 0", "1 0 1"), (first, second));
        Assert.Equal(["I1", "I3", "I4", "I5", "I6"], Keys);
        Assert.Equal([null, "2", "4"], _asked.Take(3).Select(body => body["variables"]!["after"]?.GetValue<string>()));
        Assert.All(_asked, body => Assert.Contains("{ node { id number", body["query"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("""{"errors":[{"message":"Bad credentials"}],"data":null}""")]
    [InlineData(
        """{"errors":[{"message":"Bad credentials"}],"data":{"repository":{"issues":{"edges":[],"pageInfo":{"hasNextPage":false}}}}}"""
    )]
    public async Task An_error_of_GraphQL_is_one_though_the_status_is_200(string answer)
    {
        List<int> numbers = [1, 2];
        var fails = false;
        await using var server = await StartAsync(body => fails ? answer : Issues(numbers, body, size: 2));
        var dialect = await File.ReadAllTextAsync(RepositoryFile.PathOf("examples/dialects/github-graphql.json"), Cancellation);
        await SyncAsync(server, dialect);
        fails = true;

        var error = await Assert.ThrowsAsync<DialectException>(() => SyncAsync(server, dialect));

        Assert.Contains("Bad credentials", error.Message);
        Assert.Equal(["I1", "I2"], Keys);
    }

    [Fact]
    public async Task A_range_of_etcd_is_read_and_what_changed_is_asked_for_from_a_revision()
    {
        const string Etcd = """
            {
              "From": "Rest", "Items": "kvs", "Key": "key", "Cursor": "/header/revision",
              "Snapshot": { "Path": "/v3/kv/range", "Body": { "key": "AA==", "range_end": "AA==" } },
              "Changes": { "Path": "/v3/kv/range", "Body": { "key": "AA==", "range_end": "AA==", "min_mod_revision": "{cursor}" } }
            }
            """;
        SortedDictionary<string, int> keys = new() { ["YQ=="] = 1, ["Yg=="] = 2 };
        await using var server = await StartAsync(body =>
        {
            var least = int.Parse(body["min_mod_revision"]?.GetValue<string>() ?? "0", CultureInfo.InvariantCulture);
            var found = keys.Where(pair => pair.Value >= least)
                .Select(pair => $$"""{"key":"{{pair.Key}}","mod_revision":"{{pair.Value}}"}""");
            return $$"""{"header":{"revision":"{{keys.Values.Max()}}"},"kvs":[{{string.Join(',', found)}}]}""";
        });

        var first = await SyncAsync(server, Etcd);
        keys["Yw=="] = 3;
        var second = await SyncAsync(server, Etcd);

        Assert.Equal(("2 0 0", "1 0 0", "2"), (first, second, _asked[^1]["min_mod_revision"]!.GetValue<string>()));
    }

    private static string Issues(List<int> numbers, JsonNode body, int size)
    {
        var after = int.Parse(body["variables"]!["after"]?.GetValue<string>() ?? "0", CultureInfo.InvariantCulture);
        var page = numbers.Skip(after).Take(size).Select(n => $$$"""{"cursor":"c","node":{"id":"I{{{n}}}","number":{{{n}}}}}""");
        var (end, more) = (after + size, after + size < numbers.Count ? "true" : "false");
        var info = $$"""{"endCursor":"{{end}}","hasNextPage":{{more}}}""";
        return $"{{\"data\":{{\"repository\":{{\"issues\":{{\"pageInfo\":{info},\"edges\":[{string.Join(',', page)}]}}}}}}}}";
    }

    private async Task<string> SyncAsync(WebApplication server, string dialect)
    {
        var run = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(server.Urls.First() + "/graphql") },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Parse(dialect, "test"),
            }
        );
        return string.Create(CultureInfo.InvariantCulture, $"{run.Result.Added} {run.Result.Updated} {run.Result.Deleted}");
    }

    private async Task<WebApplication> StartAsync(Func<JsonNode, string> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        server.Run(async context =>
        {
            Assert.Equal(("POST", "application/json"), (context.Request.Method, context.Request.ContentType));
            var body = (await JsonNode.ParseAsync(context.Request.Body))!;
            _asked.Add(body);
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(answer(body), Encoding.UTF8);
        });
        await server.StartAsync(Cancellation);
        return server;
    }
}
