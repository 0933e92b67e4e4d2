using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Two names of one file have one real path.</summary>
public sealed class RealPathTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lockstep-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("there.db")]
    [InlineData("new.db")]
    [InlineData("new/new.db")]
    public void It_follows_linked_folders_whether_or_not_the_file_exists(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making links needs a privilege on Windows.");
        string folder = RealPath.Of(Path.Combine(_folder.FullName, "folder")),
            link = Path.Combine(_folder.FullName, "link");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "there.db"), "");
        Directory.CreateSymbolicLink(link, folder);

        Assert.Equal(Path.Combine(folder, name), RealPath.Of(Path.Combine(link, name)));
    }

    [Theory]
    [InlineData("there.db")]
    [InlineData("new.db")]
    public void It_follows_a_linked_file_whether_or_not_its_target_exists(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making links needs a privilege on Windows.");
        string target = RealPath.Of(Path.Combine(_folder.FullName, name)),
            link = Path.Combine(_folder.FullName, "link.db");
        if (name == "there.db")
            File.WriteAllText(target, "");
        File.CreateSymbolicLink(link, target);

        Assert.Equal(target, RealPath.Of(link));
    }

    [Fact]
    public void Links_that_lead_in_a_circle_are_left_as_they_are()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making links needs a privilege on Windows.");
        string one = Path.Combine(_folder.FullName, "one"),
            other = Path.Combine(_folder.FullName, "other");
        File.CreateSymbolicLink(one, other);
        File.CreateSymbolicLink(other, one);

        Assert.Equal(one, RealPath.Of(one));
    }
}
