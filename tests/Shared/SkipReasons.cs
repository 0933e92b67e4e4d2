using System.Collections.Concurrent;
using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestFramework(typeof(Lockstep.Testing.SkipReasons))]

namespace Lockstep.Testing;

/// <summary>The test framework, extended to say why a test is skipped: by itself <c>dotnet test</c> prints only the name.</summary>
public sealed class SkipReasons : XunitTestFramework
{
    /// <inheritdoc/>
    protected override ITestFrameworkExecutor CreateExecutor(Assembly assembly) =>
        new Executor(new XunitTestAssembly(assembly, null, assembly.GetName().Version));

    private sealed class Executor(IXunitTestAssembly assembly) : XunitTestFrameworkExecutor(assembly)
    {
        public override ValueTask RunTestCases(
            IReadOnlyCollection<IXunitTestCase> testCases,
            IMessageSink executionMessageSink,
            ITestFrameworkExecutionOptions executionOptions,
            CancellationToken cancellationToken
        ) => base.RunTestCases(testCases, new Sink(executionMessageSink), executionOptions, cancellationToken);
    }

    private sealed class Sink(IMessageSink inner) : IMessageSink
    {
        private readonly ConcurrentDictionary<string, string> _names = new();

        public bool OnMessage(IMessageSinkMessage message)
        {
            if (message is ITestStarting start)
                _names[start.TestUniqueID] = start.TestDisplayName;
            else if (message is ITestFinished finish)
                _names.TryRemove(finish.TestUniqueID, out _);
            // A runner shows diagnostic messages at any verbosity (xunit.runner.json allows it).
            else if (message is ITestSkipped skip && _names.TryGetValue(skip.TestUniqueID, out var name))
                TestContext.Current.SendDiagnosticMessage("Skipped {0}: {1}", name, skip.Reason);

            return inner.OnMessage(message);
        }
    }
}
