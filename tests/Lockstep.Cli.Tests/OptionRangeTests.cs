using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>Each option for a number or a time refuses what it cannot take, by name and before anything is done.</summary>
public sealed class OptionRangeTests : IDisposable
{
    private static readonly string[] Wrong = ["abc", "-1", "NaN", "1e300", "99999999999999999999"];

    /// <summary>Values that some options do accept.</summary>
    private static readonly Dictionary<string, string[]> Right = new(StringComparer.Ordinal)
    {
        ["--from"] = ["-1", "99999999999999999999"],
        ["--to"] = ["-1", "99999999999999999999"],
        // At any speed.
        ["--speed"] = ["1e300", "99999999999999999999"],
    };

    private static readonly HashSet<Type> Numbers = [typeof(int), typeof(long), typeof(double), typeof(decimal), typeof(TimeSpan)];

    /// <summary>What else a command needs, so that nothing else can be wrong with it.</summary>
    private static readonly Dictionary<string, string[]> Rest = new(StringComparer.Ordinal)
    {
        ["sync"] = ["http://127.0.0.1:1/x/", "--path", "{folder}/new.db"],
        ["records"] = ["--path", "{folder}/t.db"],
        ["test"] = ["--path", "{folder}/t.db", "--uri", "http://127.0.0.1:1/x/"],
        ["repair"] = ["--path", "{folder}/t.db", "--uri", "http://127.0.0.1:1/x/"],
        ["serve"] = ["--postgres", "postgres://127.0.0.1:1/x", "--table", "x"],
        ["var set"] = ["x", "--over", "1h", "--from", "1", "--to", "2", "--store", "{folder}/var.db"],
        ["var watch"] = ["x", "--store", "{folder}/var.db"],
        ["gossip connect"] = ["tcp://127.0.0.1:1"],
        ["gossip watch"] = ["tcp://127.0.0.1:1"],
        ["gossip send"] = ["x", "--path", "{folder}/events"],
        ["gossip receive"] = ["--path", "{folder}/events"],
        ["gossip set"] = ["a", "1", "--path", "{folder}/model"],
        ["gossip get"] = ["--path", "{folder}/model"],
        ["gossip remove"] = ["a", "--path", "{folder}/model"],
        ["gossip export"] = ["{folder}/lines", "--path", "{folder}/model"],
        ["gossip import"] = ["{folder}/lines", "--path", "{folder}/model"],
    };

    private readonly TempFolder _folder = new();

    public static TheoryData<string, string> Options
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach ((_, var create) in Program.Commands)
            {
                foreach ((var path, var command) in Leaves(create(), ""))
                {
                    foreach (var option in command.Options.Where(IsNumber))
                        all.Add(path, option.Name);
                }
            }

            return all;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void All_kinds_of_commands_are_among_them()
    {
        string[] some = ["sync --settle-sec", "records --first", "serve --port", "testserver --speed", "gossip listen --max-age-sec"];

        Assert.Superset(some.ToHashSet(), Options.Select(row => $"{row.Data.Item1} {row.Data.Item2}").ToHashSet());
    }

    [Theory]
    [MemberData(nameof(Options))]
    public async Task What_an_option_cannot_take_is_refused_by_its_name(string command, string option)
    {
        await using (var feed = new TextFeed("""{"id":1,"updated_at":1}"""))
            Assert.Equal(0, await Program.RunAsync(["sync", feed.Uri, "--path", _folder["t.db"], "-q"]));
        foreach (var value in Wrong.Except(Right.GetValueOrDefault(option) ?? []))
        {
            string[] rest = [.. (Rest.GetValueOrDefault(command) ?? []).Select(word => word.Replace("{folder}", _folder.Path))];
            // An option given twice would be wrong for that reason.
            var given = Array.IndexOf(rest, option);
            if (given >= 0)
                rest = [.. rest[..given], .. rest[(given + 2)..]];

            var said = await SayAsync([.. command.Split(' '), .. rest, $"{option}={value}"]);

            Assert.True(said.Contains(option, StringComparison.Ordinal), $"{option}={value}: {said}");
            Assert.DoesNotMatch(@"System\.|Lockstep\.[A-Z]|Parameter '|TimeSpan|Specified argument|not expected", said);
        }

        Assert.False(File.Exists(_folder["new.db"]));
    }

    [Theory]
    [InlineData("--connection-timeout-seconds=0")]
    [InlineData("--operation-timeout-seconds=0")]
    public async Task Zero_is_any_time_for_a_timeout(string option)
    {
        await using var feed = new TextFeed("""{"id":1,"updated_at":1}""");

        Assert.Equal(0, await Program.RunAsync(["sync", feed.Uri, "--path", _folder["t.db"], "-q", option]));
    }

    [Theory]
    [InlineData("63MB", "--memory-limit takes a number, 67108864 or more.")]
    [InlineData("128 apples", "--memory-limit takes a number of bytes, as 134217728 or 128MB, and not '128 apples'.")]
    [InlineData("9999999TB", "--memory-limit takes a number of bytes, as 134217728 or 128MB, and not '9999999TB'.")]
    public async Task A_number_of_bytes_has_a_unit_or_none(string value, string expected)
    {
        var said = await SayAsync(["sync", "http://127.0.0.1:1/x/", "--path", _folder["new.db"], "--memory-limit", value]);

        Assert.StartsWith(expected, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("15MB", "--maximum-slot-lag takes a number, 16777216 or more.")]
    [InlineData("4 slots", "--maximum-slot-lag takes a number of bytes, as 134217728 or 128MB, and not '4 slots'.")]
    [InlineData("16MB", "--publication and --maximum-slot-lag need --mode Replication.")]
    public async Task The_lag_of_a_slot_has_a_lowest_value_and_is_for_replication(string value, string expected)
    {
        string[] serve = ["serve", "--postgres", "postgres://127.0.0.1:1/x", "--table", "x", "--maximum-slot-lag", value];

        Assert.StartsWith(expected, await SayAsync(serve), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("134217728")]
    [InlineData("128MB")]
    [InlineData("1gb")]
    public async Task With_a_memory_limit_a_sync_does_the_same(string limit)
    {
        await using var feed = new TextFeed("""{"id":1,"updated_at":1}""");

        Assert.Equal(0, await Program.RunAsync(["sync", feed.Uri, "--path", _folder["t.db"], "-q", "--memory-limit", limit]));
    }

    [Fact]
    public async Task What_is_none_of_an_options_words_is_answered_with_them()
    {
        var said = await SayAsync(["sync", "http://127.0.0.1:1/x/", "--cursor-style", "foo"]);

        Assert.Equal("--cursor-style takes one of Auto, Path, Query, and not 'foo'.", said);
    }

    [Fact]
    public void What_no_option_can_read_is_refused_in_words_of_people()
    {
        foreach ((_, var create) in Program.Commands)
        {
            foreach ((var path, var command) in Leaves(create(), ""))
            {
                foreach (var option in command.Options.Where(option => !IsText(option)))
                {
                    foreach (var value in (string[])["tomorrow", "0,5s", "", "99,9", "\u0664"])
                    {
                        var parsed = Program.Parse([.. path.Split(' '), $"{option.Name}={value}"]);
                        var said = string.Join('\n', UsageText.Of(parsed));

                        Assert.True(
                            said.Contains(option.Name, StringComparison.Ordinal) || option.ValueType == typeof(Uri),
                            $"{path} {option.Name}={value}: {said}"
                        );
                        Assert.NotEmpty(said);
                        Assert.DoesNotMatch(@"System\.|Nullable|`\d|expected type", said);
                    }
                }
            }
        }
    }

    private static bool IsText(Option option) =>
        option.ValueType == typeof(bool)
        || option.ValueType == typeof(bool?)
        || option.ValueType == typeof(string)
        || option.ValueType == typeof(string[])
        || option.ValueType == typeof(FileInfo);

    /// <summary>What the program would print; the command line must be the reason why it fails.</summary>
    private static async Task<string> SayAsync(string[] arguments)
    {
        var parsed = Program.Parse(arguments);
        if (parsed.Errors.Count > 0)
            return string.Join('\n', UsageText.Of(parsed).SkipLast(1));
        var running = Program.RunAsync(arguments);
        var error = await Assert.ThrowsAnyAsync<Exception>(() => running.WaitAsync(Eventually.Deadline));
        var said = ErrorText.Describe(error);
        Assert.True(ExitCodes.Of(error) == ExitCodes.Usage, $"{string.Join(' ', arguments)}: {error}");
        return said;
    }

    private static bool IsNumber(Option option) => Numbers.Contains(Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType);

    private static IEnumerable<(string Path, Command Command)> Leaves(Command command, string path)
    {
        path = path.Length > 0 ? $"{path} {command.Name}" : command.Name;
        return command.Subcommands.Count == 0 ? [(path, command)] : command.Subcommands.SelectMany(sub => Leaves(sub, path));
    }
}
