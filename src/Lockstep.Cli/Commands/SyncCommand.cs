using System.CommandLine;
using System.CommandLine.Parsing;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep sync: brings a table file up to date with a feed, or keeps it up to date.</summary>
internal static class SyncCommand
{
    public static Command Create()
    {
        var uri = new Argument<Uri?>("uri")
        {
            Description =
                "The feed. One whose path ends with / gets the cursor as its last element, another as ?since=. Default: the one that the "
                + "table belongs to.",
            CustomParser = ParseUri,
            Arity = ArgumentArity.ZeroOrOne,
        };
        var table = new TableOptions();
        var disk = new Option<bool>("--disk")
        {
            Description =
                "Keep the table in a file, which is the default here. The option exists so that commands written for PowerShell work "
                + "unchanged.",
        };
        var orderBy = new Option<string?>("--order-by")
        {
            Description = "The field that orders the records. Default: updated_at.",
            HelpName = "FIELD",
        };
        var key = new Option<string[]>("--key-property", "-k")
        {
            Description = "The field that is the key; several make one key. Default: id, else the first field.",
            HelpName = "FIELD",
            AllowMultipleArgumentsPerToken = true,
        };
        var style = new Option<CursorStyle>("--cursor-style") { Description = "Where the cursor goes in a request." };
        var query = new Option<string[]>("--query")
        {
            Description =
                "An additional query option for the feed; may be given more than once. Options other than those that filled the table are "
                + "refused: --resync fetches the whole set with the new ones.",
            HelpName = "NAME=VALUE",
        };
        var queryFile = new Option<FileInfo?>("--query-file")
        {
            Description = "A file of secret query options, NAME=VALUE, one per line; LOCKSTEP_QUERY may also hold such lines.",
            HelpName = "FILE",
        };
        var since = new Option<string?>("--since")
        {
            Description = "The cursor to start from, instead of the stored one.",
            HelpName = "CURSOR",
        };
        var dialect = new Option<string>("--dialect")
        {
            Description =
                "How the feed is read: Auto, Record, Transaction, the name of another server's dialect (ODataDelta, Rest, "
                + "Kubernetes, CouchDb, EventStream, Shape, DurableStream), or a file with one. ODataDelta:members@delta reads the "
                + "members in a feed of groups, for a table of their own.",
            HelpName = "NAME|FILE.json",
            DefaultValueFactory = _ => nameof(Dialect.Auto),
        };
        var interval = new Option<double?>("--interval-sec")
        {
            Description = "With --follow, how long to wait between polls of another server's feed. Default: the dialect's.",
            HelpName = "SECONDS",
        };
        var follow = new Option<bool>("--follow", "-f") { Description = "Keep following when the feed has nothing more, until Ctrl+C." };
        var followFor = new Option<double?>("--follow-for") { Description = "Follow for this long.", HelpName = "SECONDS" };
        var settle = new Option<double>("--settle-sec")
        {
            Description = "An endless feed has settled when nothing has changed the table for this long.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 1,
        };
        var connection = new Option<double>("--connection-timeout-seconds", "--timeout-sec")
        {
            Description = "How long connecting may take; 0 for no limit.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 30,
        };
        var operation = new Option<double>("--operation-timeout-seconds")
        {
            Description = "How long a connection may be silent; 0 for no limit.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 60,
        };
        var retries = new Option<int?>("--maximum-retry-count")
        {
            Description =
                "How many attempts may fail in a row. Default: none, or any number with --follow. One that breaks off after something "
                + "new starts the count again. Within an attempt, each request to another server's feed that answers 429 or 503 is "
                + "repeated up to five times, when that server says.",
            HelpName = "N",
        };
        var retryInterval = new Option<double>("--retry-interval-sec")
        {
            Description =
                "The wait before another attempt; it doubles with each that fails in a row, unless the server says when to come back "
                + "(503).",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 5,
        };
        var resync = new Option<bool>("--resync") { Description = "Fetch the whole set again, and remove what it does not hold." };
        var rebind = new Option<bool>("--rebind")
        {
            Description =
                "Bind a table that belongs to another feed to this one. (A feed that only moved to another host or port is "
                + "known by its identity.) Also continues from the cursor with another --query, which must ask for the same records.",
        };
        var force = new Option<bool>("--force") { Description = "Accept a whole set this once, however much it removes." };
        var sweepLimit = new Option<int?>("--sweep-limit")
        {
            Description =
                "The percentage of a table of more than 20 records that a whole set may remove if its end is uncertain; the "
                + "table keeps it. An empty one is accepted only at 100. Default: 50.",
            HelpName = "PERCENT",
        };
        var lookback = new Option<decimal>("--lookback")
        {
            Description = "Begin each connection this far before the cursor, in the order field's units.",
            HelpName = "N",
        };
        var malformed = new Option<MalformedRecordPolicy>("--malformed-record")
        {
            Description = "Whether a malformed record ends the sync or is set aside.",
        };
        var quarantineLimit = new Option<int>("--quarantine-limit")
        {
            Description = "The most malformed records to keep in quarantine; the oldest make room.",
            HelpName = "N",
            DefaultValueFactory = _ => 10_000,
        };
        var maximum = new Option<int>("--maximum-record-size")
        {
            Description = "The largest record.",
            HelpName = "BYTES",
            DefaultValueFactory = _ => FrameReader.DefaultMaximumLength,
        };
        var memory = new Option<long?>("--memory-limit")
        {
            Description = "Use at most this much memory, 64MB or more: smaller buffers, and slower. Default: what is fast, up to 250MB.",
            HelpName = "BYTES",
            CustomParser = BytesOption.Parse,
        };
        var wait = new Option<bool>("--wait")
        {
            Description =
                "Wait for another writer of the file to end. (Of several syncs of a table in a database one leads, and the "
                + "others always wait.)",
        };
        var isPrivate = new Option<bool>("--private")
        {
            Description = "Make the table file private to this user. Not on Windows, where files have their folder's permissions.",
        };
        var passThru = new Option<bool>("--pass-thru") { Description = "Print each change as one line of JSON, as it is committed." };
        var everyChange = new Option<bool>("--every-change")
        {
            Description = "With --pass-thru: each version of a record, not the newest of each commit.",
        };
        var access = new CredentialOptions();
        var json = new Option<bool>("--json") { Description = "Print the result as JSON." };
        var quiet = new Option<bool>("--quiet", "-q") { Description = "Print only errors." };

        var command = new Command(
            "sync",
            "Bring a table, in a file or in a database, up to date with a feed. A bearer token is taken from LOCKSTEP_TOKEN."
        )
        {
            uri,
        };
        table.AddTo(command);
        foreach (
            var option in (Option[])
                [
                    disk,
                    orderBy,
                    key,
                    style,
                    query,
                    queryFile,
                    since,
                    dialect,
                    interval,
                    follow,
                    followFor,
                    settle,
                    connection,
                    operation,
                    retries,
                    retryInterval,
                    resync,
                    rebind,
                    force,
                    sweepLimit,
                    lookback,
                    malformed,
                    quarantineLimit,
                    maximum,
                    memory,
                    wait,
                    isPrivate,
                    passThru,
                    everyChange,
                    json,
                    quiet,
                ]
        )
        {
            command.Options.Add(option);
        }

        access.AddTo(command);
        command.SetAction(
            (result, cancellationToken) =>
            {
                var named = result.GetValue(uri);
                (Uri Feed, TableStore Store, string Name)? own = named is null ? table.FeedOf(result) : null;
                if (own is not null && !result.GetValue(quiet))
                    Console.Error.WriteLine(PlainText.Of($"lockstep: Note: the table belongs to the feed {own.Value.Feed}."));
                var feed = new FeedOptions
                {
                    Uri = named ?? own!.Value.Feed,
                    CursorStyle = result.GetValue(style),
                    Query = Pairs(CredentialOptions.WithSecret(result.GetValue(query), result.GetValue(queryFile), "LOCKSTEP_QUERY"), '='),
                    Headers = access.HeadersOf(result),
                    Credential = access.CredentialOf(result),
                    BearerToken = CredentialOptions.Token,
                    ConnectionTimeout = OptionCheck.Timeout(result.GetValue(connection)),
                    OperationTimeout = OptionCheck.Timeout(result.GetValue(operation)),
                    AllowUnencryptedAuthentication = access.AllowsUnencrypted(result),
                    SkipCertificateCheck = access.SkipsCheck(result),
                    CertificateAuthority = access.AuthorityOf(result),
                };
                var foreign = IsOwn(result.GetValue(dialect)!, out var kind) ? null : DialectDescription.Load(result.GetValue(dialect)!);
                var options = new SyncOptions
                {
                    Feed = feed,
                    Store =
                        table.Store(result, result.GetValue(isPrivate))
                        ?? own?.Store
                        ?? TableOptions.OfName(feed.Address.TableNameFor(foreign), result.GetValue(isPrivate)),
                    TableName = result.GetValue(table.Table) ?? own?.Name,
                    Dialect = foreign is null ? kind : Dialect.Auto,
                    Foreign = foreign,
                    PollInterval = result.GetValue(interval) is { } poll ? OptionCheck.Seconds(poll) : null,
                    OrderBy = result.GetValue(orderBy),
                    KeyFields = result.GetValue(key) is { Length: > 0 } fields ? fields : null,
                    Since = result.GetValue(since),
                    Follow = result.GetValue(follow),
                    FollowFor = result.GetValue(followFor) is { } span ? OptionCheck.Seconds(span) : null,
                    Settle = OptionCheck.Seconds(result.GetValue(settle)),
                    MaximumRetryCount = result.GetValue(retries),
                    RetryInterval = OptionCheck.Seconds(result.GetValue(retryInterval)),
                    Resync = result.GetValue(resync),
                    Rebind = result.GetValue(rebind),
                    Force = result.GetValue(force),
                    SweepLimit = result.GetValue(sweepLimit),
                    Lookback = result.GetValue(lookback),
                    MalformedRecord = result.GetValue(malformed),
                    QuarantineLimit = result.GetValue(quarantineLimit),
                    MaximumRecordSize = result.GetValue(maximum),
                    MemoryLimit = result.GetValue(memory),
                    WaitForWriter = result.GetValue(wait),
                    WantsChanges = result.GetValue(passThru),
                    EveryVersion = result.GetValue(everyChange),
                    Logger = LogOptions.Read(result).CreateLogger("Lockstep.Sync"),
                };
                options.Validate(ShellWords.Say);
                return RunAsync(
                    options,
                    new SyncReporter(
                        result.GetValue(json),
                        result.GetValue(passThru),
                        result.GetValue(quiet),
                        options.Follow || options.FollowFor is not null,
                        LogOptions.IsOn(result)
                    ),
                    cancellationToken
                );
            }
        );
        return command;
    }

    /// <summary>Whether a name is that of one of Lockstep's own dialects.</summary>
    private static bool IsOwn(string name, out Dialect dialect) =>
        Enum.TryParse(name, ignoreCase: true, out dialect) && dialect is Dialect.Auto or Dialect.Record or Dialect.Transaction;

    internal static async Task<int> RunAsync(SyncOptions options, SyncReporter reporter, CancellationToken cancellationToken)
    {
        var sync = new TableSync(options);
        var follows = options.Follow || options.FollowFor is not null;
        var isRefused = false;
        try
        {
            await foreach (var step in sync.RunAsync(cancellationToken).ConfigureAwait(false))
                reporter.Report(step, follows ? () => sync.Result : null);
            return ExitCodes.Of(sync.Result.Outcome, follows, options.Repair);
        }
        catch (OperationCanceledException)
        {
            // Ctrl+C is the normal way to end following; what was committed is reported.
            reporter.Report(new SyncEnded(sync.Result));
            return ExitCodes.Of(SyncOutcome.Stopped, follows);
        }
        catch (Exception error)
        {
            reporter.ReportFailure(sync.Result, error);
            isRefused = error is LockstepException { Kind: ErrorKind.TableBusy };
            throw;
        }
        finally
        {
            // Another sync's log is for that sync to report.
            if (!isRefused)
                reporter.ReportLog(options.Store);
        }
    }

    internal static Uri? ParseUri(ArgumentResult argument)
    {
        if (Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            return uri;
        argument.AddError(
            argument.Parent is OptionResult { Option.Name: var option }
                ? $"{option} takes a feed's URI, which begins with http:// or https://."
            : TableNaming.IsValid(argument.Tokens[0].Value)
                ? $"A feed's URI begins with http:// or https://. A table is named with -t: lockstep sync -t {argument.Tokens[0].Value}"
            : "A feed's URI begins with http:// or https://."
        );
        return null;
    }

    internal static List<KeyValuePair<string, string>> Pairs(string[]? texts, char separator)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (var text in texts ?? [])
        {
            var at = text.IndexOf(separator, StringComparison.Ordinal);
            if (at <= 0)
                throw new ArgumentException($"A header or query option is not of the form NAME{separator}VALUE.");
            pairs.Add(new(text[..at].Trim(), text[(at + 1)..].Trim()));
        }

        return pairs;
    }
}
