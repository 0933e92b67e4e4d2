using System.Runtime.CompilerServices;
using Xunit.Sdk;
using Xunit.v3;

namespace Lockstep.Pester.Tests;

/// <summary>A test method that is a test case per file of Pester tests, each with a result per Pester test. A case reports when its file
/// has ended, so that a run shows its progress, and a filter takes single files: <c>--filter "DisplayName~LockstepRecord"</c>.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer(typeof(PesterFileDiscoverer))]
public sealed class PesterFilesAttribute([CallerFilePath] string? sourceFile = null, [CallerLineNumber] int sourceLine = -1)
    : FactAttribute(sourceFile, sourceLine);

/// <summary>Makes a test case of each file.</summary>
public sealed class PesterFileDiscoverer : IXunitTestCaseDiscoverer
{
    /// <inheritdoc/>
    public ValueTask<IReadOnlyCollection<IXunitTestCase>> Discover(
        ITestFrameworkDiscoveryOptions discoveryOptions,
        IXunitTestMethod testMethod,
        IFactAttribute factAttribute
    )
    {
        return new([
            .. new PesterSuite().Files.Select(file =>
            {
                var name = "Pester: " + PesterFile.NameOf(file);
                var details = TestIntrospectionHelper.GetTestCaseDetails(discoveryOptions, testMethod, factAttribute, [file], null, name);
                return new PesterFileCase(details.ResolvedTestMethod, name, details.UniqueID, file);
            }),
        ]);
    }
}

/// <summary>
/// Runs the cases in the order in which their files end, so that none keeps back the results of others, and settles which files run.
/// </summary>
public sealed class PesterFileOrder : ITestCaseOrderer
{
    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : notnull, ITestCase
    {
        var cases = testCases.ToDictionary(test => ((PesterFileCase)(object)test).File);
        var files = new PesterSuite { Files = [.. cases.Keys] }
            .InOrderOfEnd()
            .ToArray();
        PesterFileCase.Run = new PesterRun(files);
        return [.. files.Select(file => cases[file])];
    }
}
