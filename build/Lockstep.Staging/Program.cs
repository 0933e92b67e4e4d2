using Lockstep.Staging.Help;

namespace Lockstep.Staging;

/// <summary>What the build does to the module beside compiling it. See <see cref="Usage"/>.</summary>
internal static class Program
{
    private const string Usage = """
        usage:
          Lockstep.Staging aspnet <dotnet/shared> <output folder> <root assembly>...
              Completes a folder of assemblies with the part of ASP.NET Core that the roots refer to.
          Lockstep.Staging help <manifest> <cmdlet assembly> <PowerShell reference assembly> <pages folder> <output folder>
              Makes PowerShell's help of the pages and of the comments in the code.
          Lockstep.Staging pages <manifest> <cmdlet assembly> <PowerShell reference assembly> <pages folder>
              Writes into the pages what follows from the code: syntax, parameters, inputs and outputs. Makes the pages that are missing.
          Lockstep.Staging bill <project.assets.json> <dotnet/shared> <version> <output folder>
              Writes what the module is made of (CycloneDX), with the version of ASP.NET Core.
          Lockstep.Staging check <known-holes.json> <bill of materials>
              Refuses a component with a known hole; says when the list has not been looked after for long.
        Each file of the result is a line of the standard output, for the build to know it.
        """;

    private static int Main(string[] args)
    {
        try
        {
            switch (args)
            {
                case ["aspnet", var shared, var folder, _, ..]:
                    Print(StageAspNet(shared, folder, args[3..]));
                    return 0;
                case ["bill", var assets, var shared, var version, var folder]:
                    Print([BillOfMaterials.Write(assets, shared, version, folder)]);
                    return 0;
                case ["check", var list, var bill]:
                    Print(KnownHoles.Check(list, bill, DateTime.UtcNow.Date));
                    return 0;
                case ["help", var manifest, var cmdlets, var powerShell, var pages, var folder]:
                    Print(new HelpBuilder(manifest, cmdlets, powerShell, pages).WriteHelp(folder));
                    return 0;
                case ["pages", var manifest, var cmdlets, var powerShell, var pages]:
                    Print(new HelpBuilder(manifest, cmdlets, powerShell, pages).RefreshPages());
                    return 0;
                default:
                    Console.Error.WriteLine(Usage);
                    return 2;
            }
        }
        catch (StagingException problem)
        {
            Console.Error.WriteLine($"Lockstep.Staging : error LOCKSTEP001: {problem.Message}");
            return 1;
        }
    }

    private static void Print(IEnumerable<string> files)
    {
        foreach (var file in files)
            Console.WriteLine(file);
    }

    private static IEnumerable<string> StageAspNet(string shared, string folder, string[] roots)
    {
        var aspNet = SharedFramework.Newest(shared, BillOfMaterials.AspNetCore, Environment.Version.Major);
        var runtime = SharedFramework.Newest(shared, "Microsoft.NETCore.App", Environment.Version.Major);
        Directory.CreateDirectory(folder);
        foreach (var source in AssemblyClosure.Compute(roots, aspNet, runtime))
        {
            var target = Path.Combine(folder, Path.GetFileName(source));
            PortableCopy.Refresh(source, target);
            yield return target;
        }
    }
}
