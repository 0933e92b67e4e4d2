extern alias module;

using System.Reflection;
using Lockstep.Engine.Sync;
using module::Lockstep.Sync;

namespace Lockstep.Cli.Tests;

/// <summary>What the module compiles while the first sync of a session connects.</summary>
public sealed class EngineWarmupTests
{
    private const BindingFlags Own =
        BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    [Fact]
    public void It_is_all_of_the_engine_that_nothing_compiles_ahead()
    {
        var hot = typeof(TableSync)
            .Assembly.GetTypes()
            .Where(type =>
                type.GetMethods(Own).Any(method => (method.MethodImplementationFlags & MethodImplAttributes.AggressiveOptimization) != 0)
            );

        Assert.Equal(hot.Select(type => type.Name).Order(), EngineWarmup.Hot.Select(type => type.Name).Order());
    }
}
