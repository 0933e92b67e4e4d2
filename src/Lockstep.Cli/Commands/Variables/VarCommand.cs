using System.CommandLine;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>lockstep var: variables that switch at the same instant on every process.</summary>
internal static class VarCommand
{
    public static Command Create()
    {
        var store = new StoreOptions();
        var command = new Command("var", "Read, set and watch variables that every process switches at the same instant.");
        store.AddTo(command);
        command.Add(ReadCommands.Get(store));
        command.Add(SetCommand.Create(store));
        command.Add(SetGroupCommand.Create(store));
        command.Add(TidyCommands.Remove(store));
        command.Add(ReadCommands.List(store));
        command.Add(WatchCommand.Create(store));
        command.Add(TidyCommands.Purge(store));
        command.Add(TidyCommands.Reschedule(store));
        return command;
    }
}
