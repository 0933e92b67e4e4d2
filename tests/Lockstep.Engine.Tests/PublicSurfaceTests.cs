using Lockstep.Engine.Sync;

namespace Lockstep.Engine.Tests;

/// <summary>
/// A C# user of the engine sees the types they need and no more: each type in PublicSurface.txt is a promise. One that is added or removed
/// changes that file, and CHANGELOG.md says so.
/// </summary>
public sealed class PublicSurfaceTests
{
    private const int Most = 95;

    [Fact]
    public void The_engine_shows_the_types_that_are_listed()
    {
        var shown = typeof(TableSync).Assembly.GetExportedTypes().Select(type => type.FullName!).Order(StringComparer.Ordinal).ToArray();

        Assert.Equal(Listed(), shown);
        Assert.True(shown.Length <= Most, $"The engine shows {shown.Length} types.");
    }

    private static string[] Listed() => File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "PublicSurface.txt"));
}
