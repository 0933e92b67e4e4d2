using System.Management.Automation;
using Lockstep.Parameters;
using Lockstep.Records;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServers;

/// <summary>Creates a scenario from what a user gives: the path of a JSON file, or steps as hashtables, objects, or JSON.</summary>
internal static class ScenarioTexts
{
    /// <exception cref="InvalidScenarioException">It is invalid.</exception>
    public static Scenario Read(object[] given, PathIntrinsics paths)
    {
        if (given is [var only] && RecordTexts.TextOf(only) is { } path && !path.TrimStart().StartsWith('{'))
            return Scenario.Load(FileSystemPath.ResolveLiteral(paths, path));

        RecordTexts steps = [];
        foreach (var step in given)
            steps.Add(step);
        return Scenario.Parse($"[{string.Join(',', steps)}]");
    }
}
