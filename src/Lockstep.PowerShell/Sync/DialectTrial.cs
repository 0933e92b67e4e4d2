using System.Management.Automation;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Sync;
using Lockstep.Pipeline;

namespace Lockstep.Sync;

/// <summary>
/// Shows what a sync's requests read. They are recorded on the sync's thread and shown on the pipeline thread, on which all other members
/// are called.
/// </summary>
/// <param name="cmdlet">The cmdlet that shows them.</param>
/// <param name="most">The maximum number of requests to show.</param>
/// <param name="tokenProvider">Provides a token when the feed asks for one; null for none.</param>
internal sealed class DialectTrial(LockstepCmdlet cmdlet, int most, ScriptBlock? tokenProvider)
{
    private readonly Queue<DialectStep> _noted = new();
    private int _shown;

    public void Note(DialectStep step)
    {
        lock (_noted)
            _noted.Enqueue(step);
    }

    public IAsyncEnumerable<SyncStep> RunAsync(TableSync sync, CancellationToken cancellationToken) =>
        sync.RunAsync(cancellationToken).TakeWhile(_ => _shown < most);

    public void Take(SyncStep step)
    {
        if (step is CredentialsNeeded needed && tokenProvider is not null)
            TokenScript.Answer(needed, TokenScript.Of(tokenProvider)!);
        if (step is FeedEventOccurred { Event: { Kind: Engine.Sync.FeedEventKind.Warning } told })
            cmdlet.WriteWarning(told.Message);
        Show();
    }

    public void Show()
    {
        while (_shown < most)
        {
            DialectStep? step;
            lock (_noted)
            {
                if (!_noted.TryDequeue(out step))
                    return;
            }

            _shown++;
            cmdlet.WriteObject(
                new DialectRequestInfo
                {
                    Request = step.Request,
                    Purpose = step.Purpose,
                    Status = step.Status,
                    Items = step.Items,
                    Place = step.Place,
                    FirstKey = step.FirstKey,
                    FirstOrder = step.FirstOrder,
                    FirstRecord = step.FirstRecord,
                    Cursor = step.Cursor,
                    Next = step.Next,
                    IsUpToDate = step.IsUpToDate,
                }
            );
        }
    }
}
