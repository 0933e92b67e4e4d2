using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Lockstep.Gossip.Security;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep gossip, each command as a process of its own.</summary>
public sealed class GossipCommandTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("tcp", "--json")]
    [InlineData("ws", "--web-socket", "--json")]
    public async Task A_model_is_set_read_and_watched_at_a_peer_and_stays_in_its_file(string scheme, params string[] options)
    {
        using var folder = new TempFolder();
        using var listening = Start(["listen", "--path", folder["shared.db"], .. options]);
        try
        {
            var uri = (await ReadLineAsync(listening)).GetProperty("uri").GetString()!;
            Assert.StartsWith(scheme + "://127.0.0.1:", uri, StringComparison.Ordinal);

            Assert.Equal((0, ""), await RunAsync(["set", "color", "dark \"red\"", "--peer", uri, "--id", "setter"]));
            var change = await ReadLineAsync(listening);
            Assert.Equal(
                ("color", "dark \"red\"", "setter"),
                (change.GetProperty("key").GetString(), change.GetProperty("value").GetString(), change.GetProperty("source").GetString())
            );

            Assert.Equal(
                (0, ""),
                await RunAsync(
                    ["set", "--json", "--peer", uri],
                    """
                    {"key":"size","value":{"w":[1,2.5]}}

                    {"key":"gone","value":1}
                    {"key":"gone","value":null}
                    """
                )
            );
            Assert.Equal((0, "size = {\"w\":[1,2.5]}\n"), await RunAsync(["get", "size", "--peer", uri]));

            using var watching = Start(["watch", uri, "--json"]);
            try
            {
                HashSet<string?> keys =
                [
                    (await ReadLineAsync(watching)).GetProperty("key").GetString(),
                    (await ReadLineAsync(watching)).GetProperty("key").GetString(),
                    (await ReadLineAsync(watching)).GetProperty("key").GetString(),
                ];
                Assert.Equal(["color", "gone", "size"], keys.Order());
                Assert.Equal((0, ""), await RunAsync(["set", "color", "null", "--peer", uri]));
                Assert.Equal(JsonValueKind.Null, (await ReadLineAsync(watching)).GetProperty("value").ValueKind);
            }
            finally
            {
                await EndAsync(watching);
            }
        }
        finally
        {
            await EndAsync(listening);
        }

        Assert.Equal((0, "size = {\"w\":[1,2.5]}\n"), await RunAsync(["get", "--path", folder["shared.db"]]));
        Assert.Equal((0, ""), await RunAsync(["set", "size", "9", "--path", folder["shared.db"]]));
        Assert.Equal((0, "size = 9\n"), await RunAsync(["get", "size", "--path", folder["shared.db"]]));
    }

    [Fact]
    public async Task Two_files_are_brought_together_once()
    {
        using var folder = new TempFolder();
        Assert.Equal((0, ""), await RunAsync(["set", "a", "1", "--path", folder["a.db"]]));
        Assert.Equal((0, ""), await RunAsync(["set", "b", "2", "--path", folder["b.db"]]));
        using var listening = Start("listen", "--path", folder["a.db"], "--json");
        try
        {
            var uri = (await ReadLineAsync(listening)).GetProperty("uri").GetString()!;
            Assert.Equal((0, ""), await RunAsync(["connect", uri, "--path", folder["b.db"], "--once"]));
        }
        finally
        {
            await EndAsync(listening);
        }

        Assert.Equal((0, "a = 1\nb = 2\n"), await RunAsync(["get", "--path", folder["a.db"]]));
        Assert.Equal((0, "a = 1\nb = 2\n"), await RunAsync(["get", "--path", folder["b.db"]]));
    }

    [Fact]
    public async Task Events_are_sent_and_received_at_a_peer_and_stay_in_its_file()
    {
        using var folder = new TempFolder();
        using var listening = Start("listen", "--events", "--path", folder["log.db"], "--max-events", "2", "--json");
        try
        {
            var uri = (await ReadLineAsync(listening)).GetProperty("uri").GetString()!;
            Assert.Equal((0, ""), await RunAsync(["send", "deployed", "web", "{\"build\":7}", "--peer", uri, "--id", "sender"]));
            var heard = await ReadLineAsync(listening);
            Assert.Equal(
                ("deployed", """["web",{"build":7}]""", "sender"),
                (
                    heard.GetProperty("event").GetString(),
                    heard.GetProperty("arguments").GetRawText(),
                    heard.GetProperty("source").GetString()
                )
            );
            Assert.Equal((0, "deployed \"web\" {\"build\":7}\n"), await RunAsync(["receive", "--peer", uri]));

            using var following = Start("receive", "rolled-back", "--follow", "--json", "--peer", uri);
            try
            {
                Assert.Equal((0, ""), await RunAsync(["send", "deployed", "--peer", uri]));
                Assert.Equal((0, ""), await RunAsync(["send", "rolled-back", "--peer", uri]));
                Assert.Equal("rolled-back", (await ReadLineAsync(following)).GetProperty("event").GetString());
            }
            finally
            {
                await EndAsync(following);
            }
        }
        finally
        {
            await EndAsync(listening);
        }

        // The newest two of three events were kept.
        Assert.Equal((0, "deployed\nrolled-back\n"), await RunAsync(["receive", "--path", folder["log.db"]]));
        Assert.Equal((0, ""), await RunAsync(["send", "local", "--path", folder["log.db"]]));
        Assert.Equal((0, "local\n"), await RunAsync(["receive", "local", "--path", folder["log.db"]]));
    }

    [Fact]
    public async Task What_is_signed_for_one_model_is_not_taken_in_another_and_what_is_held_back_is_told()
    {
        using var folder = new TempFolder();
        await WriteKeysAsync(folder);
        string[] writer = ["--path", folder["w.db"], "--private-key", folder["a.key"], "--shared-name", "prices"];
        string[] reader = ["--private-key", folder["b.key"], "--trusted-key", folder["a.pub"], "--modern-only"];
        foreach (var key in new[] { "a", "b", "c" })
        {
            Assert.Equal((0, ""), await RunAsync(["set", key, "1", .. writer]));
        }

        Assert.Equal((0, ""), await RunAsync(["export", folder["whole"], .. writer]));
        var lines = await File.ReadAllLinesAsync(folder["whole"], Cancelled);
        var relayed = lines[0].Replace(",\"sealedFor\":\"prices\"", "", StringComparison.Ordinal);
        await File.WriteAllLinesAsync(folder["relayed"], [relayed, .. lines[3..]], Cancelled);

        string[] other = ["--path", folder["o.db"], "--shared-name", "costs", .. reader];
        Assert.NotEqual(0, (await RunAsync(["import", folder["whole"], .. other])).Exit);
        Assert.Contains(
            "are held",
            (await RunAsync(["import", folder["relayed"], .. other], errors: true)).Output,
            StringComparison.Ordinal
        );
        Assert.Equal((0, ""), await RunAsync(["get", .. other]));

        string[] same = ["--path", folder["s.db"], "--shared-name", "prices", .. reader];
        Assert.Contains(
            "are missing here: a peer holds them back, or another node replaced them before their writer knew. Other peers "
                + "are asked for number 1-2.",
            (await RunAsync(["import", folder["relayed"], .. same], errors: true)).Output,
            StringComparison.Ordinal
        );
        Assert.Equal((0, "c = 1\n"), await RunAsync(["get", .. same]));
        Assert.Equal((0, ""), await RunAsync(["import", folder["whole"], .. same]));
        Assert.Equal((0, "a = 1\nb = 1\nc = 1\n"), await RunAsync(["get", .. same]));
    }

    private static async Task WriteKeysAsync(TempFolder folder)
    {
        foreach (var name in new[] { "a", "b" })
        {
            var pem = EcdsaSecurity.CreatePrivateKeyPem();
            using var keys = new EcdsaSecurity(pem);
            await File.WriteAllTextAsync(folder[name + ".key"], pem, Cancelled);
            await File.WriteAllTextAsync(folder[name + ".pub"], keys.PublicKeyPem, Cancelled);
        }
    }

    [Theory]
    [InlineData("r-value", "value", "{\"a\":1}", "value = {\"a\":1}\n")]
    [InlineData("crdt", "row", "{\"a\":1}", "row = {\"a\":1,\"b\":2}\n")]
    [InlineData("expiry-model", "k", "{\"a\":1}", "k = {\"a\":1,\"b\":2}\n")]
    public async Task A_data_type_of_an_npm_package_is_hosted_by_name(string type, string key, string value, string both)
    {
        using var folder = new TempFolder();
        string[] node = ["--path", folder["n.db"], "--type", type];
        if (type != "r-value")
        {
            Assert.Equal((0, ""), await RunAsync(["set", key, "{\"b\":2}", .. node]));
        }

        Assert.Equal((0, ""), await RunAsync(["set", key, value, .. node]));
        var (exit, output) = await RunAsync(["get", .. node]);
        Assert.Equal(0, exit);
        Assert.Equal(both.Order(), output.Order());
        Assert.NotEqual(0, (await RunAsync(["set", key, value, "--path", folder["n.db"]])).Exit);
        Assert.NotEqual(0, (await RunAsync(["get", "--path", folder["n.db"], "--type", "nothing"])).Exit);
    }

    [Fact]
    public async Task What_is_signed_goes_over_TLS_to_who_trusts_key_and_certificate()
    {
        using var folder = new TempFolder();
        await WriteKeysAsync(folder);
        using var rsa = RSA.Create(2048);
        using var certificate = new CertificateRequest(
            "CN=127.0.0.1",
            rsa,
            HashAlgorithmName.SHA256,
            RSASignaturePadding.Pkcs1
        ).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await File.WriteAllTextAsync(folder["tls.pem"], certificate.ExportCertificatePem(), Cancelled);
        await File.WriteAllTextAsync(folder["tls.key"], rsa.ExportPkcs8PrivateKeyPem(), Cancelled);

        string[] trusting = ["--private-key", folder["a.key"], "--trusted-key", folder["b.pub"]];
        using var listening = Start([
            "listen",
            "--path",
            folder["a.db"],
            "--json",
            "--certificate",
            folder["tls.pem"],
            "--certificate-key",
            folder["tls.key"],
            .. trusting,
        ]);
        try
        {
            var uri = (await ReadLineAsync(listening)).GetProperty("uri").GetString()!;
            Assert.StartsWith("tls://", uri, StringComparison.Ordinal);
            string[] signed =
            [
                "--private-key",
                folder["b.key"],
                "--trusted-key",
                folder["a.pub"],
                "--trusted-certificate",
                folder["tls.pem"],
            ];
            Assert.Equal((0, ""), await RunAsync(["set", "k", "1", "--peer", uri, .. signed]));
            Assert.Equal("k", (await ReadLineAsync(listening)).GetProperty("key").GetString());
            Assert.Equal((0, "k = 1\n"), await RunAsync(["get", "--peer", uri, .. signed[..4], "--skip-certificate-check"]));

            // It does not talk to a peer whose certificate it does not trust, and ignores changes signed with no key or an untrusted one.
            Assert.Equal(3, (await RunAsync(["set", "k", "2", "--peer", uri, .. signed[..4]])).Exit);
            Assert.NotEqual(0, (await RunAsync(["set", "k", "3", "--peer", uri, .. signed[4..]])).Exit);
        }
        finally
        {
            await EndAsync(listening);
        }

        Assert.Equal((0, "k = 1\n"), await RunAsync(["get", "--path", folder["a.db"], .. trusting]));
        Assert.Equal(1, (await RunAsync(["get", "--path", folder["a.db"], "--private-key", folder["tls.pem"]])).Exit);
    }

    [Fact]
    public async Task A_named_pipe_and_a_file_of_lines_carry_a_model_over()
    {
        using var folder = new TempFolder();
        Assert.Equal((0, ""), await RunAsync(["set", "a", "1", "--path", folder["a.db"]]));
        Assert.Equal((0, ""), await RunAsync(["export", folder["a.ndjson"], "--path", folder["a.db"]]));
        Assert.Equal((0, ""), await RunAsync(["import", folder["a.ndjson"], "--path", folder["b.db"]]));
        Assert.Equal((0, "a = 1\n"), await RunAsync(["get", "--path", folder["b.db"]]));

        using var listening = Start("listen", "--path", folder["b.db"], "--pipe", "lockstep-" + Guid.NewGuid().ToString("N"), "--json");
        try
        {
            var uri = (await ReadLineAsync(listening)).GetProperty("uri").GetString()!;
            Assert.StartsWith("pipe://", uri, StringComparison.Ordinal);
            Assert.Equal((0, "a = 1\n"), await RunAsync(["get", "a", "--peer", uri]));
        }
        finally
        {
            await EndAsync(listening);
        }
    }

    [Fact]
    public async Task What_goes_wrong_has_its_exit_code()
    {
        using var folder = new TempFolder();
        var file = folder["m.db"];
        Assert.Equal(2, (await RunAsync(["get", "a"])).Exit);
        Assert.Equal(2, (await RunAsync(["set", "a", "--path", file])).Exit);
        Assert.Equal(2, (await RunAsync(["get", "--peer", "http://127.0.0.1:1"])).Exit);
        Assert.Equal(2, (await RunAsync(["set", "--json", "--path", file], "{\"key\":1}")).Exit);
        Assert.Equal(2, (await RunAsync(["set", "__proto__", "1", "--path", file])).Exit);
        Assert.Equal(1, (await RunAsync(["get", "a", "--path", file])).Exit);
        Assert.Equal(3, (await RunAsync(["get", "--peer", "tcp://127.0.0.1:1"])).Exit);
        await File.WriteAllTextAsync(folder["other.db"], "this is no database, whatever its name says", Cancelled);
        Assert.Equal(4, (await RunAsync(["get", "--path", folder["other.db"]])).Exit);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_JSON_stays_JSON_however_deep_it_is(bool lines)
    {
        using var folder = new TempFolder();
        var file = folder["m.db"];
        var deep = new string('[', 100) + new string(']', 100);
        Assert.Equal(
            (0, ""),
            lines
                ? await RunAsync(["set", "--json", "--path", file], $"{{\"key\":\"deep\",\"value\":{deep}}}")
                : await RunAsync(["set", "deep", deep, "--path", file])
        );
        Assert.Equal((0, $"deep = {deep}\n"), await RunAsync(["get", "--path", file]));
        var deeper = new string('[', 511) + new string(']', 511);
        Assert.Equal(1, (await RunAsync(["set", "deeper", deeper, "--path", file])).Exit);
        Assert.Equal((0, $"deep = {deep}\n"), await RunAsync(["get", "--path", file]));
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("watch")]
    [InlineData("receive", "--follow", "--peer")]
    public async Task A_peer_that_is_not_there_is_told_of_and_tried_again(params string[] command)
    {
        using var process = Start([.. command, "tcp://127.0.0.1:1"]);
        try
        {
            var told = await process.StandardError.ReadLineAsync(Cancelled);
            Assert.StartsWith("lockstep: No connection to tcp://127.0.0.1:1", told, StringComparison.Ordinal);
            Assert.EndsWith(". Trying again.", told, StringComparison.Ordinal);
        }
        finally
        {
            await EndAsync(process);
        }
    }

    [Fact]
    public async Task What_a_model_holds_back_is_told_of()
    {
        using var folder = new TempFolder();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await File.WriteAllTextAsync(folder["key"], key.ExportPkcs8PrivateKeyPem(), Cancelled);
        await File.WriteAllTextAsync(
            folder["lines"],
            "{\"id\":\"x\",\"clock\":{},\"meta\":{\"signature\":\"ecdsa-p256-sha256\"}}\n[[\"k\",1],1,\"nobody\"]\n"
                + "[[\"l\",1],2,\"nobody\"]\n\"SYNC\"\n",
            Cancelled
        );
        Assert.Equal(
            "lockstep: Changes of 'nobody' are held: they are not signed by a key that is trusted here (--trusted-key).",
            Assert.Single(await ErrorsAsync("import", folder["lines"], "--path", folder["signed.db"], "--private-key", folder["key"]))
        );
        await File.WriteAllTextAsync(
            folder["lines"],
            $"{{\"id\":\"x\",\"clock\":{{}}}}\n"
                + $"[[\"k\",1],{DateTimeOffset.UtcNow.AddHours(2).ToUnixTimeMilliseconds()},\"early\"]\n\"SYNC\"\n",
            Cancelled
        );
        Assert.StartsWith(
            "lockstep: Changes of 'early' are held until their time has come",
            Assert.Single(await ErrorsAsync("import", folder["lines"], "--path", folder["m.db"])),
            StringComparison.Ordinal
        );
        Assert.Empty(await ErrorsAsync("import", folder["lines"], "--path", folder["trusting.db"], "--max-future-sec", "7201"));
        await File.WriteAllTextAsync(
            folder["lines"],
            "{\"id\":\"x\",\"clock\":{}}\n[[\"k\",1],1,\"one\"]\n[[\"l\",1],2,\"two\"]\n\"SYNC\"\n",
            Cancelled
        );
        Assert.Equal(
            "lockstep: Changes of 'two' are refused: the node knows as many sources as it may (--max-sources, and their ids must fit in a "
                + "header).",
            Assert.Single(await ErrorsAsync("import", folder["lines"], "--path", folder["full.db"], "--max-sources", "1"))
        );

        static async Task<string[]> ErrorsAsync(params string[] arguments)
        {
            using var process = Start(arguments);
            process.StandardInput.Close();
            var output = process.StandardOutput.ReadToEndAsync(Cancelled);
            var errors = await process.StandardError.ReadToEndAsync(Cancelled);
            await process.WaitForExitAsync(Cancelled);
            Assert.Equal((0, ""), (process.ExitCode, await output));
            return errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }
    }

    private static async Task<(int Exit, string Output)> RunAsync(string[] arguments, string? input = null, bool errors = false)
    {
        using var process = Start(arguments);
        try
        {
            if (input is not null)
                await process.StandardInput.WriteAsync(input.AsMemory(), Cancelled);

            process.StandardInput.Close();
            var said = process.StandardError.ReadToEndAsync(Cancelled);
            var output = await process.StandardOutput.ReadToEndAsync(Cancelled);
            await process.WaitForExitAsync(Cancelled);
            if (process.ExitCode != 0)
                Assert.NotEmpty(await said);

            return (process.ExitCode, (errors ? await said : output).ReplaceLineEndings("\n"));
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private static Process Start(params string[] arguments)
    {
        var start = CliProcess.Info(["gossip", .. arguments]);
        start.RedirectStandardInput = true;
        return Process.Start(start)!;
    }

    private static async Task<JsonElement> ReadLineAsync(Process process)
    {
        var line =
            await process.StandardOutput.ReadLineAsync(Cancelled)
            ?? throw new EndOfStreamException(await process.StandardError.ReadToEndAsync(Cancelled));
        return JsonDocument.Parse(line).RootElement;
    }

    /// <summary>Ctrl+C, if the system has a way to send it.</summary>
    private static async Task EndAsync(Process process)
    {
        if (OperatingSystem.IsWindows() || process.HasExited)
        {
            process.Kill();
            await process.WaitForExitAsync(Cancelled);
            return;
        }

        using var kill = Process.Start("kill", ["-TERM", $"{process.Id}"]);
        await process.WaitForExitAsync(Cancelled);
        Assert.Equal(0, process.ExitCode);
    }
}
