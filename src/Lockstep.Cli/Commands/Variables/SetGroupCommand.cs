using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var set-group: values of several variables that switch at one boundary.</summary>
internal static class SetGroupCommand
{
    public static Command Create(StoreOptions store)
    {
        var values = new Argument<string[]>("name=value")
        {
            Description = "The variables with their values, as JSON: limit=5 'banner=\"red\"'.",
            Arity = ArgumentArity.OneOrMore,
        };
        var schedule = new ScheduleOptions();
        var command = new Command(
            "set-group",
            "Set several variables, all or none, and print when: they switch together, even if the tick of one changes."
        )
        {
            values,
        };
        schedule.AddTo(command);
        command.SetAction(
            (result, cancellationToken) =>
            {
                var read = new Dictionary<string, string>(StringComparer.Ordinal);
                foreach (var given in result.GetValue(values)!)
                {
                    var parts = given.Split('=', 2);
                    if (parts.Length < 2 || !read.TryAdd(parts[0], schedule.ReadValue(result, parts[1])))
                        throw new ArgumentException("Name each variable once, with its value: limit=5 banner='\"red\"'.");
                }

                return store.UseAsync(
                    result,
                    schedule.NewStore(result),
                    async opened =>
                    {
                        var changes = await new TickEditor(opened)
                            .SetTogetherAsync(
                                read,
                                schedule.ActiveAt(result),
                                schedule.Tick(result),
                                schedule.Replace(result),
                                cancellationToken
                            )
                            .ConfigureAwait(false);
                        var lines = store.Lines(result);
                        foreach (var change in changes)
                            await schedule.TellAsync(result, lines, change).ConfigureAwait(false);
                        return ExitCodes.Ok;
                    },
                    cancellationToken
                );
            }
        );
        return command;
    }
}
