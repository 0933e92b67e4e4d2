using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Redis;
using Lockstep.Testing;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>What happens to a store in Redis when servers go down, come back, are replaced, or require a login.</summary>
public sealed class RedisServerTests
{
    private static readonly TickSettings Settings = TickSettings.Default;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_answered_survives_the_server_being_killed_and_the_store_is_used_again()
    {
        await using var server = await RedisServer.StartDurableAsync(Cancel);
        await using var store = new RedisTickStore($"redis://{server.Host}?fsync=always", Settings);
        var editor = new TickEditor(store, "ann");
        for (var i = 0; i < 20; i++)
            await editor.SetAsync("x", $"{i}", replace: true, cancellationToken: Cancel);
        var before = await store.ReadAsync("x", Cancel);

        await server.KillAsync();
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancel).WaitAsync(Eventually.Deadline, Cancel));
        await server.StartAsync(Cancel);

        var after = await ReadWhenBackAsync(store);
        Assert.Equal((before.Stamp, before.Schedule), (after.Stamp, after.Schedule));
        Assert.Equal(20, (await store.ReadAuditAsync("x", 100, Cancel)).Count);
        await editor.SetAsync("x", "21", replace: true, cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_failover_that_lost_a_change_shows_also_when_as_many_were_made_since()
    {
        await using var primary = await RedisServer.StartAsync(Cancel);
        await using var replica = await RedisServer.StartAsync(Cancel, "--replicaof", "127.0.0.1", $"{primary.Port}");
        await using var store = new RedisTickStore($"redis://{primary.Host}?waitReplicas=1&waitMs=20000", Settings);
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);
        await replica.RunAsync(Cancel, "replicaof", "no", "one");
        await using var unsafely = new RedisTickStore($"redis://{primary.Host}");
        await new TickEditor(unsafely).SetAsync("lost", "1", cancellationToken: Cancel);
        var read = (await unsafely.ReadAsync("x", Cancel)).Stamp;

        await using var promoted = new RedisTickStore($"redis://{replica.Host}");
        var fallen = (await promoted.ReadAsync("x", Cancel)).Stamp;
        await new TickEditor(promoted).SetAsync("other", "1", cancellationToken: Cancel);
        await new TickEditor(promoted).SetAsync("other", "2", replace: true, cancellationToken: Cancel);
        var risen = (await promoted.ReadAsync("x", Cancel)).Stamp;

        Assert.Equal((read.Identity, 2, 1, 3), (risen.Identity, read.Version, fallen.Version, risen.Version));
        Assert.Throws<TickStoreReplacedException>(() => read.RequireSuccessor(fallen, "store"));
        Assert.Throws<TickStoreReplacedException>(() => read.RequireSuccessor(risen, "store"));
        fallen.RequireSuccessor(risen, "store");
    }

    [Fact]
    public async Task Sentinels_lead_to_the_primary_that_there_is()
    {
        await using var primary = await RedisServer.StartAsync(Cancel);
        await using var replica = await RedisServer.StartAsync(Cancel, "--replicaof", "127.0.0.1", $"{primary.Port}");
        await using var sentinel = await RedisServer.StartSentinelAsync("flags", primary, Cancel);
        await Eventually.TrueAsync(async () =>
            (await sentinel.RunAsync(Cancel, "sentinel", "replicas", "flags")).Contains($"{replica.Port}", StringComparison.Ordinal)
        );
        await using var store = new RedisTickStore($"redis://{sentinel.Host}?sentinel=flags&waitReplicas=1&waitMs=20000", Settings);
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);
        var before = await store.ReadAsync("x", Cancel);

        await primary.KillAsync();
        var after = await ReadWhenBackAsync(store);

        Assert.Equal((before.Stamp, before.Schedule), (after.Stamp, after.Schedule));
        Assert.Contains("role:master", await replica.RunAsync(Cancel, "info", "replication"), StringComparison.Ordinal);
        var alone = await Assert.ThrowsAsync<TickStoreUnavailableException>(async () =>
        {
            await using var strict = new RedisTickStore($"redis://{sentinel.Host}?sentinel=flags&waitReplicas=1&waitMs=50");
            await new TickEditor(strict).SetAsync("x", "2", replace: true, cancellationToken: Cancel);
        });
        Assert.True(alone.OutcomeUnknown, alone.Message);
    }

    [Fact]
    public async Task A_change_that_too_few_replicas_have_is_of_unknown_outcome()
    {
        await using var server = await RedisServer.StartAsync(Cancel);
        await using var store = new RedisTickStore($"redis://{server.Host}?waitReplicas=1&waitMs=50", Settings);

        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() =>
            new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel)
        );

        Assert.True(error.OutcomeUnknown, error.Message);
        Assert.Single((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
    }

    [Fact]
    public async Task A_server_that_stops_answering_in_the_middle_of_a_change_leaves_its_outcome_unknown()
    {
        await using var server = await RedisServer.StartAsync(Cancel);
        await using var store = new RedisTickStore($"redis://{server.Host}", Settings);
        await store.ReadAsync("x", Cancel);
        await server.RunAsync(Cancel, "client", "pause", "60000", "write");

        // A script may write, so its reads wait too: what is paused is the commit of a change that was already decided.
        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() =>
            store.ChangeAsync("x", "ann", reading => TickRules.Set("x", reading, "1", null, null, replace: false), Cancel)
        );
        await server.RunAsync(Cancel, "client", "unpause");

        Assert.Contains("in time", error.Message, StringComparison.Ordinal);
        Assert.NotNull(await ReadWhenBackAsync(store));
    }

    [Fact]
    public async Task Changes_are_refused_where_the_URI_asks_for_a_disk_that_the_server_does_not_wait_for()
    {
        await using var server = await RedisServer.StartAsync(Cancel, "--appendonly", "yes", "--appendfsync", "everysec");
        await using var store = new RedisTickStore($"redis://{server.Host}?fsync=always", Settings);
        await store.ReadAsync("x", Cancel);

        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() =>
            new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel)
        );

        Assert.Contains("appendfsync always", error.Message, StringComparison.Ordinal);
        Assert.False(error.OutcomeUnknown);
        Assert.Empty((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
        await server.RunAsync(Cancel, "config", "set", "appendfsync", "always");
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_full_memory_refuses_a_change_as_a_whole()
    {
        await using var server = await RedisServer.StartAsync(Cancel);
        await using var store = new RedisTickStore($"redis://{server.Host}", Settings);
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);
        var before = await store.ReadAsync("x", Cancel);
        await server.RunAsync(Cancel, "config", "set", "maxmemory", "1");

        var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() =>
            new TickEditor(store).SetTogetherAsync(
                new Dictionary<string, string> { ["x"] = "2", ["y"] = "2" },
                replace: true,
                cancellationToken: Cancel
            )
        );

        Assert.Contains("memory is full", error.Message, StringComparison.Ordinal);
        Assert.False(error.OutcomeUnknown);
        var after = await store.ReadAsync("x", Cancel);
        Assert.Equal((before.Stamp, before.Schedule), (after.Stamp, after.Schedule));
    }

    [Fact]
    public async Task A_user_with_a_password_is_let_in_and_neither_is_ever_shown()
    {
        const string Password = "s3cret/:@%";
        await using var server = await RedisServer.StartAsync(
            Cancel,
            "--user",
            "ann",
            "on",
            $">{Password}",
            "~*",
            "&*",
            "+@all",
            "--user",
            "default",
            "off"
        );
        var right = $"redis://ann:{Uri.EscapeDataString(Password)}@{server.Host}";
        await using var store = new RedisTickStore(right, Settings);
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);

        foreach (var uri in new[] { $"redis://ann:wr0ng@{server.Host}", $"redis://{server.Host}" })
        {
            await using var refused = new RedisTickStore(uri);
            var error = await Assert.ThrowsAsync<TickStoreUnavailableException>(() => refused.ReadAsync("x", Cancel));
            Assert.DoesNotContain("wr0ng", error.ToString(), StringComparison.Ordinal);
            Assert.Matches("WRONGPASS|NOAUTH", error.Message);
        }

        Assert.DoesNotContain("s3cret", store.Description, StringComparison.Ordinal);
        Assert.DoesNotContain("ann", store.Description, StringComparison.Ordinal);
        await server.KillAsync();
        var away = await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancel));
        Assert.DoesNotContain("s3cret", away.ToString(), StringComparison.Ordinal);
        Assert.Contains("no connection", away.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Over_TLS_a_server_is_believed_that_the_given_certificate_vouches_for()
    {
        using var folder = new TempFolder();
        await WriteCertificateAsync(folder);
        await using var server = await RedisServer.StartAsync(
            Cancel,
            "--tls-cert-file",
            folder["server.pem"],
            "--tls-key-file",
            folder["server.key"],
            "--tls-ca-cert-file",
            folder["server.pem"],
            "--tls-auth-clients",
            "no"
        );
        await using var store = new RedisTickStore($"rediss://{server.Host}?ca={Uri.EscapeDataString(folder["server.pem"])}", Settings);
        await new TickEditor(store).SetAsync("x", "1", cancellationToken: Cancel);
        await using var strict = new RedisTickStore($"rediss://{server.Host}");

        Assert.Single((await store.ReadAsync("x", Cancel)).Schedule.Tuples);
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => strict.ReadAsync("x", Cancel));
    }

    [Fact]
    public async Task On_a_cluster_all_keys_of_a_store_are_in_one_place()
    {
        await using var server = await RedisServer.StartAsync(Cancel, "--cluster-enabled", "yes");
        await server.RunAsync(Cancel, "cluster", "addslotsrange", "0", "16383");
        await Eventually.TrueAsync(async () =>
            (await server.RunAsync(Cancel, "cluster", "info")).Contains("cluster_state:ok", StringComparison.Ordinal)
        );
        await using var store = new RedisTickStore($"redis://{server.Host}", Settings);
        await new TickEditor(store).SetTogetherAsync(
            new Dictionary<string, string> { ["x"] = "1", ["{y}"] = "2" },
            cancellationToken: Cancel
        );

        Assert.Equal(["x", "{y}"], await store.ListAsync(Cancel));
        var keys = (await server.RunAsync(Cancel, "keys", "*")).Split('\n');
        var slots = await Task.WhenAll(keys.Select(key => server.RunAsync(Cancel, "cluster", "keyslot", key)));
        Assert.True(keys.Length >= 6, string.Join(' ', keys));
        Assert.Single(slots.Distinct());
    }

    /// <summary>The store's first successful read.</summary>
    private static async Task<TickReading> ReadWhenBackAsync(RedisTickStore store)
    {
        TickReading? reading = null;
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                reading = await store.ReadAsync("x", Cancel);
                return true;
            }
            catch (TickStoreUnavailableException)
            {
                return false;
            }
        });
        return reading!;
    }

    private static async Task WriteCertificateAsync(TempFolder folder)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await File.WriteAllTextAsync(folder["server.pem"], certificate.ExportCertificatePem(), Cancel);
        await File.WriteAllTextAsync(folder["server.key"], key.ExportPkcs8PrivateKeyPem(), Cancel);
    }
}
