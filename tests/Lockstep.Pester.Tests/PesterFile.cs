namespace Lockstep.Pester.Tests;

/// <summary>The results of one Pester file. Invoke-Suite.ps1 writes one as a line of JSON.</summary>
/// <param name="File">Its full path.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Outcomes">One outcome per Pester test.</param>
internal sealed record PesterFile(string File, double Seconds, IReadOnlyList<PesterOutcome> Outcomes)
{
    /// <summary>The file's name without the common suffix.</summary>
    public string Name => NameOf(File);

    /// <summary>A file's name without the common suffix.</summary>
    public static string NameOf(string file) => Path.GetFileName(file).Replace(".Tests.ps1", "", StringComparison.Ordinal);

    /// <summary>What the log says of it while the suite runs.</summary>
    public override string ToString() =>
        string.Join(
            ", ",
            Outcomes
                .CountBy(outcome => outcome.Result)
                .Select(count => $"{count.Value} {count.Key.ToLowerInvariant()}")
                .Prepend($"{Name}: {Seconds:0.0} s")
        );
}
