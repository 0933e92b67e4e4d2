using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lockstep.Testing;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>The conformance tests of Durable Streams, from npm.</summary>
public sealed class NpmConformance() : NpmPackages("conformance", "the conformance tests of Durable Streams");

/// <summary>
/// The protocol's own conformance tests over the test server's feed. It is one stream of JSON objects that a test appends to: tests of
/// other types, of values that are not objects, of producers, forks, closing and expiry have no counterpart in it.
/// </summary>
public sealed class DurableStreamConformanceTests(NpmConformance npm) : IClassFixture<NpmConformance>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_tests_of_reading_JSON_pass()
    {
        npm.Require();
        await using var streams = await StreamsOfFeeds.StartAsync();
        var names = await File.ReadAllLinesAsync(Path.Combine(npm.Folder, "passes.txt"), Cancel);
        var results = Path.Combine(npm.Folder, "results.json");
        ProcessStartInfo start = new("node")
        {
            WorkingDirectory = npm.Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["CONFORMANCE_TEST_URL"] = streams.Uri },
        };
        foreach (
            var argument in (string[])
                [
                    "node_modules/vitest/vitest.mjs",
                    "run",
                    "--reporter=json",
                    "--outputFile=" + results,
                    "--testNamePattern=^(" + string.Join('|', names.Select(Regex.Escape)) + ")$",
                ]
        )
        {
            start.ArgumentList.Add(argument);
        }

        using var vitest = Process.Start(start)!;
        var output = vitest.StandardOutput.ReadToEndAsync(Cancel);
        _ = vitest.StandardError.ReadToEndAsync(Cancel);
        try
        {
            await vitest.WaitForExitAsync(Cancel);
        }
        finally
        {
            if (!vitest.HasExited)
                vitest.Kill(entireProcessTree: true);
        }

        Assert.True(File.Exists(results), await output);
        using var report = JsonDocument.Parse(await File.ReadAllTextAsync(results, Cancel));
        var tests = report
            .RootElement.GetProperty("testResults")
            .EnumerateArray()
            .SelectMany(file => file.GetProperty("assertionResults").EnumerateArray());
        var failed = tests
            .Where(test => test.GetProperty("status").GetString() == "failed")
            .Select(test => $"{test.GetProperty("fullName")}: {test.GetProperty("failureMessages")[0]}");
        var passed = tests
            .Where(test => test.GetProperty("status").GetString() == "passed")
            .Select(test => test.GetProperty("fullName").GetString()!);
        Assert.Empty(failed);
        Assert.Equal(names.Order(StringComparer.Ordinal), passed.Order(StringComparer.Ordinal));
    }
}
