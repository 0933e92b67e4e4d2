namespace Lockstep.Staging;

/// <summary>
/// Completes a folder of assemblies with the part of ASP.NET Core that they refer to:
/// <c>Lockstep.Staging &lt;shared&gt; &lt;folder&gt; &lt;root.dll&gt;...</c>.
/// </summary>
/// <remarks>
/// <c>shared</c> is the <c>shared</c> directory of a .NET installation, <c>folder</c> receives the assemblies, and the roots are
/// the assemblies that ship anyway. One line per assembly of the closure goes to the standard output, for the build to know its files.
/// </remarks>
internal static class Program
{
    private static int Main(string[] args)
    {
        if (args.Length < 3)
        {
            Console.Error.WriteLine("usage: Lockstep.Staging <dotnet/shared> <output folder> <root assembly>...");
            return 2;
        }

        try
        {
            Stage(args[0], args[1], args[2..]);
            return 0;
        }
        catch (StagingException problem)
        {
            Console.Error.WriteLine($"Lockstep.Staging : error LOCKSTEP001: {problem.Message}");
            return 1;
        }
    }

    private static void Stage(string shared, string folder, string[] roots)
    {
        var aspNet = SharedFramework.Newest(shared, "Microsoft.AspNetCore.App", Environment.Version.Major);
        var runtime = SharedFramework.Newest(shared, "Microsoft.NETCore.App", Environment.Version.Major);
        Directory.CreateDirectory(folder);
        foreach (var source in AssemblyClosure.Compute(roots, aspNet, runtime))
        {
            var target = Path.Combine(folder, Path.GetFileName(source));
            PortableCopy.Refresh(source, target);
            Console.WriteLine(target);
        }
    }
}
