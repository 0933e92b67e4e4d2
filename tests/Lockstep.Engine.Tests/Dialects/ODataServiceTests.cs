using System.Globalization;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.OData;
using Microsoft.AspNetCore.OData.Deltas;
using Microsoft.AspNetCore.OData.Extensions;
using Microsoft.AspNetCore.OData.Routing.Controllers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.OData;
using Microsoft.OData.ModelBuilder;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Deltas as Microsoft.AspNetCore.OData writes them, in both versions of the format.</summary>
public sealed class ODataServiceTests : SyncTest
{
    [Theory]
    [InlineData("4.0")] // A removal has @odata.removed.
    [InlineData("4.01")] // A removal has @removed.
    public async Task Deltas_of_an_OData_service_are_followed(string version)
    {
        People people = new();
        for (var i = 1; i <= 5; i++)
            people.Set(i, "name " + i, null);
        await using var service = await StartAsync(people, version);

        var first = await SyncAsync(service);
        people.Set(2, "new", null);
        people.Remove(3);
        people.Set(6, "late", "six@contoso.com");
        var second = await SyncAsync(service);
        people.Set(6, "late", null);
        people.Remove(1);
        people.Set(1, "again", null);
        var third = await SyncAsync(service);
        var fourth = await SyncAsync(service);

        Assert.Equal(("5 0 0", "1 1 1", "0 2 0", "0 0 0"), (first, second, third, fourth));
        Assert.Equal(["1", "2", "4", "5", "6"], Keys);
    }

    [Theory]
    [InlineData("4.0")]
    [InlineData("4.01")]
    public async Task Nested_deltas_of_an_OData_service_fill_a_table_of_children(string version)
    {
        People people = new();
        people.Set(1, "one", null, friends: [2, 3]);
        people.Set(2, "two", null, friends: [3]);
        people.Set(3, "three", null);
        await using var service = await StartAsync(people, version);

        var first = await SyncAsync(service, "ODataDelta:Friends@delta");
        people.Set(1, "one", null, friends: [-2, 4]);
        people.Set(3, "drei", null);
        people.Remove(2);
        var second = await SyncAsync(service, "ODataDelta:Friends@delta");

        Assert.Equal(("3 0 0", "1 0 2"), (first, second));
        Assert.Equal(["1,3", "1,4"], Keys);
    }

    private async Task<string> SyncAsync(WebApplication service, string dialect = "ODataDelta")
    {
        var run = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(service.Urls.First() + "/odata/People") },
                Store = new FileTableStore(TablePath),
                Foreign = DialectDescription.Load(dialect).With(["Id"], null),
            }
        );
        return string.Create(CultureInfo.InvariantCulture, $"{run.Result.Added} {run.Result.Updated} {run.Result.Deleted}");
    }

    private static async Task<WebApplication> StartAsync(People people, string version)
    {
        ODataConventionModelBuilder model = new();
        model.EntitySet<Person>("People");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(people);
        builder
            .Services.AddControllers()
            .ConfigureApplicationPartManager(parts =>
            {
                parts.ApplicationParts.Clear();
                parts.ApplicationParts.Add(new AssemblyPart(typeof(PeopleController).Assembly));
            })
            .AddOData(options => options.AddRouteComponents("odata", model.GetEdmModel()));
        var service = builder.Build();
        service.Use(
            (context, next) =>
            {
                context.Request.Headers["OData-MaxVersion"] = version;
                return next();
            }
        );
        service.UseRouting();
        service.MapControllers();
        await service.StartAsync(TestContext.Current.CancellationToken);
        return service;
    }
}

/// <summary>An entity of the service.</summary>
public sealed class Person
{
    public int Id { get; set; }

    public string? Name { get; set; }

    public string? Mail { get; set; }

    public IList<Person> Friends { get; } = [];
}

/// <summary>The service's people, and when each changed last.</summary>
public sealed class People
{
    private readonly Dictionary<int, (int At, string? Name, string? Mail, bool IsRemoved, int[] Friends)> _people = [];

    public int Now { get; private set; }

    /// <param name="id">The person's key.</param>
    /// <param name="name">A property.</param>
    /// <param name="mail">Another one.</param>
    /// <param name="friends">The keys of new friends; of those who are none any more, negative.</param>
    public void Set(int id, string name, string? mail, params int[] friends) => _people[id] = (++Now, name, mail, false, friends);

    public void Remove(int id) => _people[id] = (++Now, null, null, true, []);

    /// <summary>What changed after an instant, as a delta.</summary>
    public DeltaSet<Person> Since(int at, int skip, int take)
    {
        DeltaSet<Person> set = [];
        foreach ((var id, var person) in _people.Where(p => p.Value.At > at).OrderBy(p => p.Value.At).Skip(skip).Take(take))
        {
            if (person.IsRemoved)
            {
                set.Add(Removed(id));
                continue;
            }

            Delta<Person> changed = new();
            changed.TrySetPropertyValue("Id", id);
            changed.TrySetPropertyValue("Name", person.Name);
            changed.TrySetPropertyValue("Mail", person.Mail);
            if (person.Friends.Length > 0)
            {
                DeltaSet<Person> friends = [];
                foreach (var friend in person.Friends)
                    friends.Add(friend < 0 ? Removed(-friend) : Of(friend));
                changed.TrySetPropertyValue("Friends", friends);
            }

            set.Add(changed);
        }

        return set;
    }

    private static Delta<Person> Of(int id)
    {
        Delta<Person> person = new();
        person.TrySetPropertyValue("Id", id);
        return person;
    }

    private static DeltaDeletedResource<Person> Removed(int id)
    {
        DeltaDeletedResource<Person> removed = new()
        {
            Id = new Uri($"People({id})", UriKind.Relative),
            Reason = DeltaDeletedEntryReason.Deleted,
        };
        removed.TrySetPropertyValue("Id", id);
        return removed;
    }
}

/// <summary>Deltas in pages of two.</summary>
public sealed class PeopleController(People people) : ODataController
{
    private const int PageSize = 2;

    [HttpGet]
    public IActionResult Get()
    {
        var token = Request.Query["$deltatoken"].ToString() is { Length: > 0 } text ? text : "0-0";
        var (since, skip) = (
            int.Parse(token.Split('-')[0], CultureInfo.InvariantCulture),
            int.Parse(token.Split('-')[1], CultureInfo.InvariantCulture)
        );
        var set = people.Since(since, skip, PageSize);
        var link = $"{Request.Scheme}://{Request.Host}/odata/People?$deltatoken=";
        var feature = Request.ODataFeature();
        if (set.Count == PageSize)
            feature.NextLink = new Uri($"{link}{since}-{skip + PageSize}");
        else
            feature.DeltaLink = new Uri($"{link}{people.Now}-0");
        return Ok(set);
    }
}
