namespace Lockstep.Engine.Tests.Reliability;

/// <summary>The reliability tests are short in the suite; <c>LOCKSTEP_LONG=1</c> runs them in full.</summary>
internal static class LongForm
{
    public static bool IsAsked => Environment.GetEnvironmentVariable("LOCKSTEP_LONG") == "1";

    public static T Of<T>(T brief, T whole) => IsAsked ? whole : brief;

    /// <summary>The seed of a random run; <c>LOCKSTEP_SEED</c> repeats one.</summary>
    public static int Seed(int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable("LOCKSTEP_SEED"), out var seed) ? seed : otherwise;
}
