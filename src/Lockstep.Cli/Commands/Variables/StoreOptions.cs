using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Ticks;

namespace Lockstep.Cli.Commands.Variables;

/// <summary>Where the variables are, and how they are printed: what all commands of <c>lockstep var</c> share.</summary>
internal sealed class StoreOptions
{
    /// <summary>
    /// The environment variable that names the store if no option does, so that a password need not be among the arguments, which others
    /// can see (I9).
    /// </summary>
    private const string StoreVariable = "LOCKSTEP_STORE";

    private static readonly TickStoreNames Stores = new(new PostgresTickStoreKind(), new RedisTickStoreKind());

    private readonly Option<string?> _store = new("--store", "-s")
    {
        Description =
            "Where the variables are: an SQLite file, a connection string or URI of PostgreSQL, or redis://. Default: LOCKSTEP_STORE.",
        HelpName = "STORE",
        Recursive = true,
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print JSON, one object per line.", Recursive = true };

    public void AddTo(Command command)
    {
        command.Add(_store);
        command.Add(_json);
    }

    /// <summary>Prints in the requested format.</summary>
    public VariableLines Lines(ParseResult result) => new(result.GetValue(_json));

    /// <summary>Opens the store for a command.</summary>
    /// <param name="result">Names it.</param>
    /// <param name="create">The settings of the store if it does not exist and the command may create it.</param>
    /// <param name="use">The command; its exit code is returned.</param>
    /// <param name="cancellationToken">Ctrl+C.</param>
    public async Task<int> UseAsync(
        ParseResult result,
        TickSettings? create,
        Func<ITickStore, Task<int>> use,
        CancellationToken cancellationToken
    )
    {
        var name =
            result.GetValue(_store)
            ?? Environment.GetEnvironmentVariable(StoreVariable)
            ?? throw new ArgumentException($"Name the store with --store, or in {StoreVariable}.");
        if (name == "memory")
        {
            throw new ArgumentException(
                "A store in memory would end with this command. Name a file or a database; a file of that name is ./memory."
            );
        }

        var store = await Stores.OpenAsync(name, create, cancellationToken).ConfigureAwait(false);
        await using (store.ConfigureAwait(false))
            return await use(store).ConfigureAwait(false);
    }
}
