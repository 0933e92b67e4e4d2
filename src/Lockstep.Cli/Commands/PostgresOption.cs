using System.CommandLine;
using Lockstep.Postgres;

namespace Lockstep.Cli.Commands;

/// <summary>The option that names a database; the same for all commands. The password need not be on the command line.</summary>
internal sealed class PostgresOption(string purpose)
{
    /// <summary>The environment variable that names the database to an option without a value.</summary>
    public const string Variable = "LOCKSTEP_POSTGRES";

    public Option<string?> Option { get; } =
        new("--postgres")
        {
            Description =
                $"{purpose}: a connection string or postgres:// URI. Without a value it is taken from {Variable}; a "
                + $"password alone, from PGPASSWORD or the password file of libpq.",
            HelpName = "CONNECTION",
            Arity = ArgumentArity.ZeroOrOne,
        };

    /// <summary>The connection string for the driver; null if the option is not given.</summary>
    /// <exception cref="ArgumentException">It has no value, or one that cannot be parsed.</exception>
    public string? Read(ParseResult result) =>
        result.GetResult(Option) is null
            ? null
            : PostgresConnectionString.Parse(
                result.GetValue(Option)
                    ?? Environment.GetEnvironmentVariable(Variable)
                    ?? throw new ArgumentException($"--postgres has no value, and {Variable} is not set.")
            );
}
