using Xunit.Sdk;
using Xunit.v3;

namespace Lockstep.Pester.Tests;

/// <summary>A Pester file as a test case, whose tests are known once the file has ended.</summary>
public sealed class PesterFileCase : XunitTestCase
{
    private static readonly Dictionary<string, IReadOnlyCollection<string>> NoTraits = [];

    /// <summary>For the deserializer.</summary>
    [Obsolete("Called by the deserializer only.")]
    public PesterFileCase() => File = "";

    /// <summary>A case of a file.</summary>
    /// <param name="testMethod">The method that checks an outcome.</param>
    /// <param name="displayName">Its name.</param>
    /// <param name="uniqueId">What tells it from other cases.</param>
    /// <param name="file">The path of the file.</param>
    public PesterFileCase(IXunitTestMethod testMethod, string displayName, string uniqueId, string file)
        : base(testMethod, displayName, uniqueId, @explicit: false)
    {
        File = file;
    }

    /// <summary>The path of the file.</summary>
    public string File { get; private set; }

    /// <summary>The run that the cases belong to.</summary>
    internal static PesterRun? Run { get; set; }

    /// <inheritdoc/>
    public override async ValueTask<IReadOnlyCollection<IXunitTest>> CreateTests() =>
        [
            .. (await Run!.OutcomesOfAsync(File)).Select(
                (outcome, index) =>
                    new XunitTest(
                        this,
                        TestMethod,
                        @explicit: null,
                        skipReason: outcome.Result == "Skipped"
                            ? outcome.Message.Length > 0
                                ? outcome.Message
                                : "Skipped by the test itself."
                            : null,
                        skipType: null,
                        skipUnless: null,
                        skipWhen: null,
                        testDisplayName: "Pester: " + outcome.Name,
                        testIndex: index,
                        traits: NoTraits,
                        timeout: null,
                        testMethodArguments: [outcome.Name, outcome.Result, outcome.Message]
                    )
            ),
        ];

    /// <inheritdoc/>
    protected override void Serialize(IXunitSerializationInfo info)
    {
        base.Serialize(info);
        info.AddValue(nameof(File), File);
    }

    /// <inheritdoc/>
    protected override void Deserialize(IXunitSerializationInfo info)
    {
        base.Deserialize(info);
        File = info.GetValue<string>(nameof(File))!;
    }
}
