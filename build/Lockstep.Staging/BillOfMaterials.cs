using System.Text.Json;

namespace Lockstep.Staging;

/// <summary>
/// What the module is made of, in the form of CycloneDX 1.6: the packages that were restored for it, and the part of ASP.NET Core.
/// </summary>
internal static class BillOfMaterials
{
    /// <summary>The file's name in the module.</summary>
    public const string FileName = "sbom.cdx.json";

    /// <summary>The shared framework that a part is taken of.</summary>
    public const string AspNetCore = "Microsoft.AspNetCore.App";

    /// <summary>Writes it; the same for the same parts.</summary>
    /// <param name="assets">The restored project's <c>project.assets.json</c>.</param>
    /// <param name="shared">The <c>shared</c> directory of the .NET installation.</param>
    /// <param name="version">The module's version.</param>
    /// <param name="folder">The module's folder.</param>
    /// <returns>The file's path.</returns>
    public static string Write(string assets, string shared, string version, string folder)
    {
        var path = Path.Combine(folder, FileName);
        using var file = new MemoryStream();
        using (var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("bomFormat", "CycloneDX");
            json.WriteString("specVersion", "1.6");
            json.WriteNumber("version", 1);
            json.WriteStartObject("metadata");
            json.WriteStartObject("component");
            json.WriteString("type", "library");
            json.WriteString("name", "Lockstep");
            json.WriteString("version", version);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteStartArray("components");
            WriteFramework(json, SharedFramework.Newest(shared, AspNetCore, Environment.Version.Major));
            using var restored = JsonDocument.Parse(File.ReadAllBytes(assets));
            foreach (var (name, number, hash) in Packages(restored.RootElement))
                WritePackage(json, name, number, hash);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(file.ToArray()))
            File.WriteAllBytes(path, file.ToArray());
        return path;
    }

    /// <summary>Those that have files at run time: not what is only compiled against.</summary>
    private static IEnumerable<(string Name, string Version, string Hash)> Packages(JsonElement assets)
    {
        var libraries = assets.GetProperty("libraries");
        foreach (var package in assets.GetProperty("targets").EnumerateObject().First().Value.EnumerateObject())
        {
            if (
                package.Value.GetProperty("type").GetString() != "package"
                || !(HasFiles(package.Value, "runtime") || HasFiles(package.Value, "runtimeTargets"))
            )
            {
                continue;
            }

            var name = package.Name.Split('/');
            yield return (name[0], name[1], libraries.GetProperty(package.Name).GetProperty("sha512").GetString()!);
        }
    }

    private static bool HasFiles(JsonElement package, string kind) =>
        package.TryGetProperty(kind, out var files)
        && files.EnumerateObject().Any(file => !file.Name.EndsWith("/_._", StringComparison.Ordinal));

    private static void WriteFramework(Utf8JsonWriter json, SharedFramework framework)
    {
        var version = Path.GetFileName(framework.Folder);
        json.WriteStartObject();
        json.WriteString("type", "framework");
        json.WriteString("name", AspNetCore);
        json.WriteString("version", version);
        json.WriteString("cpe", $"cpe:2.3:a:microsoft:asp.net_core:{version}:*:*:*:*:*:*:*");
        json.WriteEndObject();
    }

    private static void WritePackage(Utf8JsonWriter json, string name, string version, string hash)
    {
        json.WriteStartObject();
        json.WriteString("type", "library");
        json.WriteString("name", name);
        json.WriteString("version", version);
        json.WriteString("purl", $"pkg:nuget/{name}@{version}");
        json.WriteStartArray("hashes");
        json.WriteStartObject();
        json.WriteString("alg", "SHA-512");
        json.WriteString("content", Convert.ToHexStringLower(Convert.FromBase64String(hash)));
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
