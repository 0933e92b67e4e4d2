using System.Reflection;
using System.Text.RegularExpressions;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests;

/// <summary>
/// A match has no deadline of its own: it counts the time in which a busy machine ran others, and a client that followed ended with it.
/// Patterns are linear instead, and texts of others are cut before they are searched.
/// </summary>
public sealed class MatchTimeoutTests
{
    [Fact]
    public void No_pattern_gives_up_because_the_machine_is_busy()
    {
        var patterns = typeof(Table)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Select(method => (Method: method, Pattern: method.GetCustomAttribute<GeneratedRegexAttribute>()))
            .Where(found => found.Pattern is not null)
            .ToArray();

        Assert.NotEmpty(patterns);
        Assert.Equal(
            [],
            patterns
                .Where(found => found.Pattern!.MatchTimeoutMilliseconds != Timeout.Infinite)
                .Select(found => $"{found.Method.DeclaringType!.Name}.{found.Method.Name}")
        );
    }
}
